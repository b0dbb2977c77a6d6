"""Builds the browser demo in a folder that any web server can serve.

    pip install ".[export]"
    python tools/make_demo.py demo
    python -m http.server --directory demo

The page is `docs/demo`, the networks come from ``nstjax export``, and onnxruntime-web
from npm (15 MB).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from PIL import Image

from nstjax import examples
from nstjax.cli.errors import reports_errors
from nstjax.cli.export import main as export
from nstjax.errors import NstjaxError
from nstjax.io.images import write_image

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "demo"
_METHODS = ("adain", "adain-lap", "adain-depth")
_RUNTIME = "onnxruntime-web@1.30.0"
_RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
_STYLE_SIDE = 512


@reports_errors
def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to; must not exist")
    parser.add_argument(
        "--runtime",
        type=Path,
        metavar="FILE.tgz",
        help=f"{_RUNTIME} as 'npm pack' gives it, where it has been fetched before",
    )
    parser.add_argument(
        "--methods", nargs="+", default=_METHODS, metavar="NAME", help="to choose from"
    )
    options = parser.parse_args()
    if options.folder.exists():
        raise NstjaxError(f"{options.folder} exists; choose another name")
    parent = options.folder.resolve().parent
    if not parent.is_dir():
        raise NstjaxError(f"{parent}, where the folder is to be, does not exist")
    # Built next to its place, and moved there when complete.
    with tempfile.TemporaryDirectory(dir=parent, prefix=".demo-") as scratch:
        made = Path(scratch) / "demo"
        shutil.copytree(_PAGE, made)
        _add_runtime(made / "runtime", options.runtime, Path(scratch))
        for method in options.methods:
            status = export([method, str(made / "models" / method), "--quiet"])
            if status:
                return status
        _add_examples(made, options.methods)
        made.rename(options.folder)
    print(f"python -m http.server --directory {options.folder}")
    return 0


def _add_runtime(folder: Path, archive: Path | None, scratch: Path) -> None:
    if archive is None:
        npm = shutil.which("npm")
        if npm is None:
            raise NstjaxError(
                f"npm, which fetches {_RUNTIME}, is not installed; install Node.js, or "
                "give --runtime FILE.tgz"
            )
        command = [npm, "pack", "--silent", _RUNTIME]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        if done.returncode:
            reason = " ".join(done.stderr.split()) or "no reason given"
            raise NstjaxError(f"npm could not fetch {_RUNTIME}: {reason}")
        archive = scratch / done.stdout.split()[-1]
    folder.mkdir()
    try:
        with tarfile.open(archive) as package:
            for name in _RUNTIME_FILES:
                source = package.extractfile(f"package/dist/{name}")
                (folder / name).write_bytes(source.read())
    except (OSError, KeyError, tarfile.TarError) as error:
        raise NstjaxError(
            f"{archive} is not a package of {_RUNTIME}: {error}"
        ) from error


def _add_examples(folder: Path, methods: list[str]) -> None:
    pictures = folder / "examples"
    pictures.mkdir()
    for name in examples.content_names():
        write_image(pictures / f"{name}.jpg", examples.content_image(name))
    for name in examples.style_names():
        with Image.open(examples.style_path(name)) as picture:
            picture.thumbnail((_STYLE_SIDE, _STYLE_SIDE))
            picture.save(pictures / f"{name}.jpg", quality=90)
    contents = {
        "methods": list(methods),
        "photos": list(examples.content_names()),
        "styles": list(examples.style_names()),
    }
    (folder / "contents.json").write_text(json.dumps(contents, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
