"""The benchmarks of AdaIN's decoders, on one pair of examples."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAIR = ("--content", "chelsea", "--style", "night", "--size", "96")


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), *arguments, *PAIR],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def cells(line):
    return [cell.strip() for cell in line.strip("| \n").split("|")]


def test_decoders_are_compared():
    printed = run(
        "compare_decoders.py", "adain-slim", "adain-lap-slim", "--depth-judge", "slim"
    )
    header, _, *rows = (cells(x) for x in printed.splitlines() if x.startswith("|"))
    assert {"content", "style", "lap4", "depth_error@slim"} <= set(header)
    found = {
        row[0]: dict(zip(header[1:], map(float, row[1:]), strict=True)) for row in rows
    }
    assert set(found) == {"adain-slim", "adain-lap-slim"}
    # What one of them was trained for.
    assert found["adain-lap-slim"]["lap4"] < found["adain-slim"]["lap4"]


def test_strength_brings_the_style_and_a_sheet(tmp_path):
    sheet = tmp_path / "sheet.png"
    printed = run("adain_strength.py", "--alpha", "0", "1", "--sheet", str(sheet))
    rows = [line.split() for line in printed.splitlines()]
    (weak,), (strong,) = (
        [r for r in rows if r and r[0] == a] for a in ("0.00", "1.00")
    )
    assert float(weak[1]) > float(strong[1]) and float(weak[3]) > float(strong[3])
    assert "falls at every step: yes" in printed and sheet.is_file()
