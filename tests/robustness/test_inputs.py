"""A thousand bad inputs: each is answered in one sentence, or read all the same.

``NSTJAX_BAD_INPUTS`` says how many, ``NSTJAX_ROBUSTNESS_SEED`` which. What is tried is
made by `worker.py`, which runs in a process of its own, so that a crash, a hang and
memory without a bound can be told.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from queue import Empty, Queue

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).parent / "worker.py"
INPUTS = int(os.environ.get("NSTJAX_BAD_INPUTS", 250))
SEED = int(os.environ.get("NSTJAX_ROBUSTNESS_SEED", 0))
# Seconds after which a case counts as hanging; some compile.
PATIENCE = 120
# Megabytes: the largest picture that is read, 2**27 pixels, takes 1.6 GB as float32.
MOST_MEMORY = 5000


def run_from(first: int, count: int, folder: Path) -> tuple[list[dict], str]:
    """Runs cases until one ends the worker; returns their lines and why it ended."""
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(folder), str(SEED), str(first), str(count)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: Queue[str] = Queue()

    def forward() -> None:
        for line in process.stdout:
            lines.put(line)

    reading = threading.Thread(target=forward, daemon=True)
    reading.start()
    found, why = [], ""
    while len(found) < count:
        try:
            found.append(json.loads(lines.get(timeout=PATIENCE)))
        except Empty:
            why = "hang" if process.poll() is None else f"crash ({process.returncode})"
            process.kill()
            break
    _, error = process.communicate()
    reading.join()
    return found, why and f"{why} {error[-500:]}"


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
def test_bad_inputs_are_answered_in_one_sentence(tmp_path):
    counts: Counter[str] = Counter()
    readers: Counter[str] = Counter()
    problems, most, number = [], 0, 0
    while number < INPUTS:
        found, why = run_from(number, INPUTS - number, tmp_path)
        for case in found:
            counts[case["answer"]] += 1
            readers[case["reader"]] += 1
            most = max(most, case["megabytes"])
            if case["answer"] not in ("read", "refused in one sentence"):
                problems.append(f"{case['number']} {case['reader']}: {case['detail']}")
        number += len(found)
        if why:
            counts[why.split()[0]] += 1
            problems.append(f"{number}: {why}")
            number += 1
    print("\nbad inputs:", json.dumps({"tried": number} | counts), json.dumps(readers))
    print(f"peak memory: {most} MB")
    assert not problems, "\n\n".join(problems)
    assert most < MOST_MEMORY
