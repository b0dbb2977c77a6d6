"""Identifies the CPU."""

import functools
import platform

_CPUINFO = "/proc/cpuinfo"


@functools.cache
def instructions(path: str = _CPUINFO) -> str:
    """The instruction sets that Linux lists, or else another description of the CPU."""
    try:
        with open(path) as file:
            lines = [x for x in file if x.startswith(("flags", "Features"))]
    except OSError:
        lines = []
    return lines[0] if lines else platform.processor()
