"""A process that times one library, controlled by requests.

    python -m side_by_side.child nstjax|torch

Each is one line of JSON. The process stays alive between measurements, so that
two libraries' can take turns.
"""

import importlib
import json
import resource
import signal
import sys
import time
from typing import Any

import numpy as np

from side_by_side.cases import Case

# How many values of the result are sent for comparison with the other library's.
_SAMPLES = 2000
_LONGEST = 10_000  # calls in one measurement


def peak_megabytes(who: int = resource.RUSAGE_SELF) -> float:
    """Peak resident memory of this process."""
    peak = resource.getrusage(who).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)


class Child:
    """Answers the requests of one library."""

    def __init__(self, library: str) -> None:
        if library == "nstjax":
            # As in its commands, before jax is imported.
            from nstjax.ops.cpu import xla

            xla.set_flags()
        self._side = importlib.import_module(f"side_by_side.run_{library}")

    def version(self) -> str:
        return self._side.version()

    def peak(self, side: int, calls: int, precision: str) -> float:
        """Operations per second of a large matrix product, the best of several."""
        self._side.set_precision(precision)
        self._run = self._side.matmul(side, precision)
        return 2 * side**3 / min(self._seconds(1) for _ in range(calls))

    def prepare(self, case: dict[str, Any]) -> dict[str, Any]:
        """Prepares a case; times its first and second call."""
        case = Case(**case)
        self._side.set_precision(case.precision)
        self._run = self._side.prepare(case)
        begin = time.perf_counter()
        result = self._run()
        self._side.synchronise(result)
        first = time.perf_counter() - begin
        return {
            "first": first,
            "second": self._seconds(1),
            "sample": _sample(result),
        }

    def measure(self, calls: int) -> float:
        """The mean seconds of several calls."""
        return self._seconds(min(calls, _LONGEST))

    def memory(self) -> dict[str, float | None]:
        return {
            "megabytes": peak_megabytes(),
            "device_megabytes": self._side.device_megabytes(),
        }

    def _seconds(self, calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            result = self._run()
            self._side.synchronise(result)
        return (time.perf_counter() - begin) / calls


def _sample(result: object) -> list[float]:
    """Some of a result's values, in float32."""
    arrays = result if isinstance(result, tuple) else (result,)
    values: list[float] = []
    for array in arrays:
        if hasattr(array, "cpu"):
            array = array.float().cpu().numpy()
        flat = np.asarray(array, np.float32).ravel()
        every = max(1, flat.size // _SAMPLES)
        values += flat[::every].tolist()
    return values


def main() -> None:
    # Ctrl-C is handled by the parent, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = Child(sys.argv[1])
    # Output of libraries must not be mixed with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(getattr(child, name)(**arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
