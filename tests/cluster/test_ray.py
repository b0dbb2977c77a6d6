"""``stylize.py --cluster`` on a local Ray of two workers, and what may befall it."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.cli.stylize import main
from nstjax.cluster import read_results

pytest.importorskip("ray.data", reason="needs Ray: pip install '.[cluster]'")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DEADLY = Path(__file__).with_name("deadly.py")
# Sizes whose programs take seconds to compile, so that a run can be met in its middle.
SIZES = [(32 + 4 * number, 36) for number in range(3)]
EACH = 12
PATIENCE = 300


class Run:
    """A driver, and all processes that it starts, known by a variable they inherit."""

    def __init__(self, *command: str) -> None:
        self._mark = f"NSTJAX_TEST_RUN={uuid.uuid4().hex}".encode()
        name, _, value = self._mark.decode().partition("=")
        self.popen = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {name: value, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self, name: str = "") -> list[int]:
        """Its processes that still run and are called so."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = self._mark in (folder / "environ").read_bytes()
                if mine and name.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def finish(self) -> tuple[int, str, str]:
        said, errors = self.popen.communicate(timeout=PATIENCE)
        wait_until(lambda: not self.processes())
        return self.popen.returncode, said, errors


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def painted(folder: Path) -> dict[str, int]:
    """When each result was written, in nanoseconds."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.png")}


def test_kills_lose_nothing_and_repeat_nothing(make_pictures, tmp_path):
    rows = []
    for number, size in enumerate(SIZES):
        photos = make_pictures(tmp_path / f"photos{number}", EACH, size)
        for path in sorted(photos.iterdir()):
            name = f"{number}-{path.name}"
            rows.append({"content": str(path), "output": name, "style": "night"})
    good = {row["output"] for row in rows}
    (tmp_path / "corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    rows.append({"content": "corrupt.png", "output": "corrupt.png", "style": "night"})
    rows.append({"content": rows[0]["content"], "output": "x.png", "style": "no.png"})
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    output = tmp_path / "painted"
    command = [str(ROOT / "stylize.py"), "--content", str(manifest), "--quiet"]
    command += ["--output", str(output), "--cluster", "auto", "--workers", "2"]

    run = Run(*command)
    wait_until(lambda: len(painted(output)) >= EACH // 2)
    os.kill(run.processes("ray::MapWorker")[0], signal.SIGKILL)
    wait_until(lambda: len(painted(output)) >= 2 * EACH)
    run.popen.kill()
    # Nothing of Ray outlives its driver.
    run.finish()
    before = painted(output)
    assert before.keys() < good
    # A second run of the same command makes what is missing.
    status, _, errors = Run(*command).finish()
    assert status == 2, errors
    assert "Traceback" not in errors
    assert errors.count("nstjax: error:") == 2
    assert f"nstjax: 2 of {len(rows)} pictures failed" in errors

    after = painted(output)
    assert after.keys() == good
    assert {name: after[name] for name in before} == before
    # No half-written file, under any name.
    left = {path.name for path in output.iterdir() if path.name != "results"}
    assert left == good
    lines = [
        json.loads(line)
        for part in (output / "results").glob("part-*.jsonl")
        for line in part.read_text().splitlines()
    ]
    done = [Path(line["output"]).name for line in lines if line["status"] == "done"]
    assert sorted(done) == sorted(good)
    records = read_results(str(output / "results"))
    assert len(records) == len(rows)
    assert "corrupt.png is" in records[str(output / "corrupt.png")]["message"]
    assert "no.png does not exist" in records[str(output / "x.png")]["message"]

    # A single process makes the same of a folder.
    alone = tmp_path / "alone"
    photos = str(tmp_path / "photos0")
    options = ["--content", photos, "--style", "night", "--output", str(alone)]
    assert main([*options, "--quiet"]) == 0
    for path in alone.iterdir():
        with Image.open(path) as one, Image.open(output / f"0-{path.name}") as other:
            ours, theirs = (np.asarray(x).astype(int) for x in (one, other))
        assert np.abs(ours - theirs).max() <= 1


def test_a_picture_that_kills_its_workers_is_set_aside(make_pictures, tmp_path):
    photos = make_pictures(tmp_path / "photos", 12)
    (photos / "0003.png").rename(photos / "deadly.png")
    output = tmp_path / "painted"
    run = Run(str(DEADLY), str(photos), "night", str(output), "2")
    status, said, errors = run.finish()
    assert status == 0, errors
    # Ray may say something before.
    records = json.loads(said.splitlines()[-1])
    assert len(records) == 12
    (failed,) = [record for record in records if record["status"] == "failed"]
    assert failed["content"].endswith("deadly.png")
    assert "two workers died while painting it" in failed["message"]
    assert len(painted(output)) == 11


def test_a_stop_is_answered_and_gone_on_from(make_pictures, tmp_path):
    photos = make_pictures(tmp_path / "photos", 8)
    output = tmp_path / "painted"
    command = [str(ROOT / "stylize.py"), "--content", str(photos), "--style", "night"]
    command += ["--output", str(output), "--cluster", "auto", "--workers", "1"]
    run = Run(*command)
    wait_until(lambda: bool(run.processes("ray::")) or run.popen.poll() is not None)
    run.popen.send_signal(signal.SIGTERM)
    status, _, errors = run.finish()
    assert (status, "Traceback" in errors) == (143, False), errors


def test_a_cluster_that_is_not_there_is_one_sentence(make_pictures, tmp_path):
    photos = make_pictures(tmp_path / "photos", 1)
    command = [str(ROOT / "stylize.py"), "--content", str(photos), "--style", "night"]
    command += ["--output", str(tmp_path / "out"), "--cluster", "127.0.0.1:9"]
    status, _, errors = Run(*command).finish()
    assert status == 2
    last = errors.strip().splitlines()[-1]
    assert last.startswith(
        "nstjax: error: the Ray cluster at 127.0.0.1:9 cannot be joined"
    )
    assert "Traceback" not in errors
