"""Pictures per second of a local Ray cluster, and of a folder without one.

    python benchmarks/cluster.py folder cluster-2 cluster-1
    python benchmarks/cluster.py cluster-2 --pictures 2000 --size 64

Each case is a separate command: `folder` is ``nstjax stylize`` on a folder with all
cores, `cluster-N` the same with ``--cluster auto`` on N cores with a worker for each.

Columns: the seconds of the whole command; pictures per second in the last three
quarters, by the times of the files, which excludes starting and compiling; and the
resident memory of the driver and of the largest worker, after a quarter and at the end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", metavar="CASE")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--size", type=int, default=512, help="of a side, in pixels")
    parser.add_argument("--style", default="night")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        make_pictures(photos, options.pictures, options.size)
        print("case         seconds  pictures/s  driver, MB    worker, MB")
        for number, case in enumerate(options.cases):
            output = Path(folder) / f"{case}-{number}"
            print(measure(case, photos, output, options), flush=True)


def make_pictures(folder: Path, count: int, side: int) -> None:
    """Writes smooth random pictures, with files as large as photographs'."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (24, 24, 3), np.uint8)
        picture = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:05}.jpg", quality=90)


def measure(case: str, photos: Path, output: Path, options: argparse.Namespace) -> str:
    command = [sys.executable, str(ROOT / "stylize.py"), "--quiet"]
    command += ["--content", str(photos), "--style", options.style]
    command += ["--output", str(output)]
    cores = len(os.sched_getaffinity(0))
    kind, _, count = case.partition("-")
    if kind == "cluster":
        cores = int(count)
        command += ["--cluster", "auto", "--workers", count]
    elif kind == "folder":
        cores = int(count or cores)
    else:
        raise SystemExit(f"there is no case {case}; give folder, or cluster-2")
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    begin = time.perf_counter()
    process = subprocess.Popen(["taskset", "-c", ",".join(map(str, allowed)), *command])
    memory = Memory(process.pid, output, options.pictures)
    status = process.wait()
    seconds = time.perf_counter() - begin
    memory.stop()
    times = sorted(path.stat().st_mtime for path in output.glob("*.png"))
    if status or len(times) != options.pictures:
        raise SystemExit(f"{case} ended with {status} after {len(times)} pictures")
    first = len(times) // 4
    rate = (len(times) - 1 - first) / max(times[-1] - times[first], 1e-9)
    return f"{case:12} {seconds:7.1f}  {rate:10.2f}  {memory}"


class Memory(threading.Thread):
    """Measures a driver and its child processes every second."""

    def __init__(self, driver: int, output: Path, pictures: int) -> None:
        super().__init__(daemon=True)
        self._driver, self._output, self._pictures = driver, output, pictures
        self._ended = threading.Event()
        self._early: tuple[int, int] | None = None
        self._late = (0, 0)
        self.start()

    def run(self) -> None:
        while not self._ended.wait(1.0):
            driver, worker = self._look()
            # The last value, if one has ended by now.
            found = (driver or self._late[0], worker or self._late[1])
            done = sum(1 for _ in self._output.glob("*.png"))
            if self._early is None and 4 * done >= self._pictures:
                self._early = found
            self._late = found

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def __str__(self) -> str:
        parts = zip(self._early or self._late, self._late, strict=True)
        return "  ".join(f"{early:5} {late:5}" for early, late in parts)

    def _look(self) -> tuple[int, int]:
        """Megabytes of the driver, and of the largest worker."""
        driver, workers = 0, [0]
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                name = (folder / "cmdline").read_bytes()
                pages = int((folder / "statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            megabytes = pages * os.sysconf("SC_PAGE_SIZE") // 10**6
            if int(folder.name) == self._driver:
                driver = megabytes
            elif name.startswith(b"ray::MapWorker"):
                workers.append(megabytes)
        return driver, max(workers)


if __name__ == "__main__":
    main()
