"""The tools for whoever trains the bundled networks."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nstjax.io.weights import WeightsMetadata, load_weights, save_weights

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


def write(path, value, spec=None):
    params = {"conv1_1": {"bias": np.full(3, value, np.float32)}}
    notes = {"seed": value}
    save_weights(
        path,
        params,
        WeightsMetadata(
            "decoder", path.stem, spec or {"widths": [3]}, "here", "none", notes=notes
        ),
    )
    return str(path)


def average(*arguments):
    command = [sys.executable, str(ROOT / "tools" / "average_weights.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_mean_counts_each_file_by_its_share(tmp_path):
    first = write(tmp_path / "first.safetensors", 1.0)
    second = write(tmp_path / "second.safetensors", 5.0)
    target = tmp_path / "mean.safetensors"
    done = average(str(target), "3", first, "1", second)
    assert done.returncode == 0, done.stderr
    params, metadata = load_weights(target)
    np.testing.assert_array_equal(params["conv1_1"]["bias"], [2, 2, 2])
    assert metadata.name == "first" and metadata.notes["seed"] == 1.0
    digests = [
        hashlib.sha256(Path(x).read_bytes()).hexdigest() for x in (first, second)
    ]
    assert metadata.notes["average_of"] == [
        {"sha256": digests[0], "share": 0.75},
        {"sha256": digests[1], "share": 0.25},
    ]


def test_a_share_below_0_leads_away(tmp_path):
    first = write(tmp_path / "first.safetensors", 1.0)
    second = write(tmp_path / "second.safetensors", 5.0)
    target = tmp_path / "mean.safetensors"
    done = average(str(target), "-1", first, "2", second)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(load_weights(target)[0]["conv1_1"]["bias"], [9, 9, 9])


@pytest.mark.parametrize(
    ("shares", "spec", "words"),
    [
        (("1", "1"), {"widths": [4]}, "another shape"),
        (("1", "-1"), None, "above 0"),
        (("1", "nan"), None, "above 0"),
        (("1", "much"), None, "much"),
    ],
)
def test_what_cannot_be_averaged_is_refused(tmp_path, shares, spec, words):
    first = write(tmp_path / "first.safetensors", 1.0)
    second = write(tmp_path / "second.safetensors", 5.0, spec)
    target = tmp_path / "mean.safetensors"
    done = average(str(target), shares[0], first, shares[1], second)
    assert done.returncode == 2 and words in done.stderr
    assert "Traceback" not in done.stderr and not target.exists()


def test_nothing_is_overwritten(tmp_path):
    first = write(tmp_path / "first.safetensors", 1.0)
    second = write(tmp_path / "second.safetensors", 5.0)
    assert average(first, "1", first, "1", second).returncode == 2
    assert load_weights(first)[1].notes == {"seed": 1.0}
