"""Times whole processes: from ``python`` to the picture on disk."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from side_by_side import inputs
from side_by_side.cases import Case
from side_by_side.errors import MeasurementError

_ROOT = Path(__file__).resolve().parents[2]


class ColdStart:
    """Paints one picture in a new process for each measurement.

    It has the methods of `side_by_side.worker.Worker` that a case needs.
    """

    def __init__(self, library: str, environment: dict[str, str]) -> None:
        self._library, self._environment = library, dict(environment)
        self._folder = tempfile.TemporaryDirectory()
        self._megabytes = 0.0

    def prepare(self, case: Case) -> dict[str, Any]:
        folder = Path(self._folder.name)
        pixels = inputs.picture("content", 1, case.size, case.size)[0]
        content = folder / "content.png"
        Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(content)
        # Never the user's own cache, which may contain everything.
        cached = case.kind == "cold-start-cached"
        self._environment["NSTJAX_COMPILE_CACHE"] = (
            str(folder / "cache") if cached else "off"
        )
        package = _ROOT / "nstjax"
        style = package / "assets" / "styles" / "night.jpg"
        self._output = folder / "output.png"
        if self._library == "nstjax":
            self._command = [str(_ROOT / "stylize.py"), "--quiet", "--overwrite"]
            self._command += ["--content", str(content), "--style", str(style)]
            self._command += ["--output", str(self._output)]
        else:
            painter = package / "weights" / "bundled" / "adain-slim.safetensors"
            self._command = ["-m", "side_by_side.torch_stylize", str(content)]
            self._command += [str(style), str(self._output), str(painter)]
        first = self.measure(1)
        picture = np.asarray(Image.open(self._output), np.float32) / 255
        sample = picture.ravel()[:: max(1, picture.size // 2000)].tolist()
        return {"first": first, "second": self.measure(1), "sample": sample}

    def measure(self, calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            process = subprocess.Popen(
                [sys.executable, *self._command], env=self._environment
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise MeasurementError(f"{' '.join(self._command)} failed")
            scale = 1024 * (1024 if sys.platform == "darwin" else 1)
            self._megabytes = max(self._megabytes, usage.ru_maxrss / scale)
        return (time.perf_counter() - begin) / calls

    def memory(self) -> dict[str, float | None]:
        return {"megabytes": self._megabytes, "device_megabytes": None}

    def close(self) -> None:
        self._folder.cleanup()
