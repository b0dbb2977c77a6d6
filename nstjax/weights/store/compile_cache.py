"""Keeps compiled programs for the next run, in jax's persistent cache.

jax reads its settings when it is imported, so this must run before. The user's own
settings for jax are not changed.
"""

import hashlib
import os
import platform
import tempfile
import warnings
from pathlib import Path

from nstjax.ops.cpu.processor import instructions
from nstjax.weights.store.programs import keep_programs_in

VARIABLE = "NSTJAX_COMPILE_CACHE"
# A program takes 20 to 200 KB; beyond this size, the oldest are deleted.
_MOST_BYTES = 256 * 2**20


def set_compile_cache(*, use: bool = True) -> None:
    """Tells jax where to keep compiled programs, or to keep none.

    ``NSTJAX_COMPILE_CACHE`` names another folder, or is "off". A folder that cannot be
    written to is not used, and programs that cannot be read are recompiled: the cache
    saves time, but is never required.

    Args:
        use: False to keep none, regardless of the variables.
    """
    keep_programs_in(None)
    chosen = os.environ.get(VARIABLE, "")
    if not use or chosen.lower() == "off":
        os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
        return
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    folder = _folder(chosen)
    if folder is None:
        return
    keep_programs_in(folder / "programs")
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_MOST_BYTES),
        # By default, only programs that take a second or more to compile are kept.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    # Damaged entries and full disks only cost time, so the user is not warned.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache")


def _folder(chosen: str) -> Path | None:
    """The folder for this machine's programs, if it can be written to."""
    try:
        if chosen:
            root = Path(chosen).expanduser().absolute()
        else:
            from nstjax.weights.store.cache import cache_folder

            root = cache_folder() / "compiled"
        folder = root / _machine()
        folder.mkdir(parents=True, exist_ok=True)
        # The only reliable test of permissions, quotas and read-only disks.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):
        return None
    return folder


def _machine() -> str:
    """A name for the type of processor.

    Programs are compiled for its instruction set, which is not part of jax's own keys;
    home folders on a network are shared by different machines.
    """
    digest = hashlib.sha256(instructions().encode()).hexdigest()[:12]
    return f"{platform.machine()}-{digest}"
