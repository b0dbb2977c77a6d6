"""The parent's side of a process that times one library."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from side_by_side.cases import WHOLE_PROCESS, Case
from side_by_side.cold_start import ColdStart
from side_by_side.errors import MeasurementError

_BENCHMARKS = Path(__file__).resolve().parents[1]


class Worker:
    """A running process, see `side_by_side.child`."""

    def __init__(self, library: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "side_by_side.child", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._library = library

    def ask(self, name: str, **arguments: Any) -> Any:
        try:
            self._process.stdin.write(json.dumps((name, arguments)) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise MeasurementError(f"the process of {self._library} ended; see above")
        return json.loads(answer)

    def prepare(self, case: Case) -> dict[str, Any]:
        return self.ask("prepare", case=dataclasses.asdict(case))

    def measure(self, calls: int) -> float:
        return self.ask("measure", calls=calls)

    def memory(self) -> dict[str, float | None]:
        return self.ask("memory")

    def close(self) -> None:
        # Whatever it was doing, nothing is lost.
        self._process.terminate()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def start(library: str, case: Case | None = None) -> Worker | ColdStart:
    """Starts a process that times a case; without a case, a plain worker."""
    environment = dict(os.environ)
    # Compilation is measured, so cached programs must not be used.
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    paths = [str(_BENCHMARKS), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if case is not None and case.kind in WHOLE_PROCESS:
        return ColdStart(library, environment)
    return Worker(library, environment)
