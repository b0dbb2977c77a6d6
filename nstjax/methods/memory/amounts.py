"""Amounts of memory: parsing and showing them, and what this machine has."""

import math
import os
import re
from pathlib import Path

from nstjax.errors import NstjaxError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# Where Linux states the available memory, and a container's limit and use.
_MEMINFO = Path("/proc/meminfo")
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def parse_amount(text: str | int | float) -> int:
    """Reads an amount such as "2GB", "800 MB" or "1.5GiB", in bytes.

    A number without a unit is in bytes.

    Raises:
        NstjaxError: if it is not a positive amount.
    """
    match = re.fullmatch(r"\s*([\d.]+(?:e\d+)?)\s*([kmgt]?)(i?)b?\s*", str(text), re.I)
    try:
        number, unit, binary = match.groups() if match else ("", "", "")
        factor = (_BINARY if binary else _UNITS)[unit.upper()]
        amount = float(number) * factor
    except (ValueError, KeyError):
        amount = 0.0
    if not (math.isfinite(amount) and amount >= 1):
        raise NstjaxError(
            f"{text!r} is not an amount of memory; write it like 2GB or 800MB"
        )
    return int(amount)


def show_amount(amount: float) -> str:
    """Formats an amount in bytes, such as "2.1 GB"."""
    if amount < 10**9:
        return f"{amount / 10**6:.0f} MB"
    return f"{amount / 10**9:.1f} GB"


def available_memory() -> int | None:
    """The bytes that this process may still use, or None if unknown.

    On Linux, the kernel's estimate, limited by what the container allows; on other
    systems, half of the installed memory.
    """
    found = [_from_meminfo(), *(_from_limit(*files) for files in _LIMITS)]
    known = [amount for amount in found if amount is not None]
    if known:
        return min(known)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _from_meminfo() -> int | None:
    try:
        match = re.search(r"MemAvailable:\s*(\d+) kB", _MEMINFO.read_text())
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def _from_limit(limit: Path, used: Path) -> int | None:
    try:
        return max(0, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):
        # No limit: the file says "max" or does not exist.
        return None
