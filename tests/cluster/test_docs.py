"""The code of docs/cluster.md, as it stands there."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cluster.md").read_text()
BLOCKS = re.findall(r"<!-- run: (\S+) -->\n\n```python\n(.*?)```", PAGE, re.DOTALL)

# As many CPUs as the page asks for, whatever the machine has, and little memory.
SMALL = {
    "ray.data": "import ray\n"
    "ray.init('local', num_cpus=2, include_dashboard=False, "
    "object_store_memory=300_000_000)\n"
}


def test_the_page_shows_three_engines():
    assert {name for name, _ in BLOCKS} == {
        "ray.data",
        "apache_beam",
        "concurrent.futures",
    }


@pytest.mark.parametrize(("needs", "code"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_code_paints_every_picture(needs, code, make_pictures, tmp_path):
    if importlib.util.find_spec(needs.partition(".")[0]) is None:
        pytest.skip(f"needs {needs}")
    make_pictures(tmp_path / "photos", 6)
    (tmp_path / "photos" / "0002.png").write_bytes(b"no picture")
    program = tmp_path / "program.py"
    program.write_text(SMALL.get(needs, "") + code)
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    painted = {path.name for path in (tmp_path / "painted").iterdir()}
    assert painted == {f"000{number}.png" for number in (0, 1, 3, 4, 5)}
    files = (path.read_text() for path in tmp_path.glob("results*.jsonl"))
    said = done.stdout + "".join(files)
    assert said.count("done") == 5
    assert "0002.png is damaged, or not a supported picture" in said
