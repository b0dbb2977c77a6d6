"""The evaluation's command, on tiny pictures."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from nstjax.cli import evaluate as evaluate_module
from nstjax.cli.evaluate import main

ROOT = Path(__file__).resolve().parents[2]
# The user's own metric; the second waits for Ctrl-C.
METRICS = """
import time

def brightness(result, content, style):
    return result.mean()

def slow(result, content, style):
    time.sleep(600)
"""


@pytest.fixture
def arguments(tmp_path, save_picture) -> list[str]:
    """Two contents in one style, by two quick methods, without figures."""
    for name, seed in (("a", 0), ("b", 1)):
        save_picture(tmp_path / f"content_{name}.png", (70, 66), seed)
    save_picture(tmp_path / "style.png", (64, 80), 2)
    return [
        "--content",
        str(tmp_path / "content_a.png"),
        str(tmp_path / "content_b.png"),
        "--style",
        str(tmp_path / "style.png"),
        "--methods",
        "adain",
        "adain-lap",
        "--size=64",
        f"--output={tmp_path / 'run'}",
    ]


def _start(arguments, folder) -> subprocess.Popen:
    path = os.pathsep.join([str(ROOT), str(folder)])
    return subprocess.Popen(
        [sys.executable, str(ROOT / "evaluate.py"), *arguments],
        env=os.environ | {"PYTHONPATH": path},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _pictures(run: Path) -> dict[str, int]:
    """When each picture was written; none that is still being written, in a
    folder of its own beside it.
    """
    files = (run / "pictures").glob("*/*/*.png")
    return {f"{p.parts[-3]}/{p.stem}": p.stat().st_mtime_ns for p in files}


def _wait_for(condition, process) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _no_leftovers(run: Path) -> bool:
    return not [p for p in run.rglob("*") if p.name.startswith((".", "tmp"))]


def test_from_end_to_end(arguments, tmp_path, capsys):
    """Pictures, tables, a figure; once more after one picture was deleted."""
    (tmp_path / "my_metrics.py").write_text(METRICS)
    report = tmp_path / "report.md"
    more = ["--metric=my_metrics:brightness", f"--report={report}", "--figure-pairs=1"]
    more += ["--note=Painted by candlelight."]
    process = _start([*arguments, *more], tmp_path)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    run = tmp_path / "run"
    assert str(run / "report.md") in output
    made = _pictures(run)
    labels = ["content_a", "content_b"]
    assert set(made) == {f"{m}/{c}" for m in ("adain", "adain-lap") for c in labels}
    with Image.open(run / "pictures" / "adain" / "style" / "content_a.png") as image:
        assert image.size == (64, 64)
    lines, rows = (
        list(csv.DictReader((run / name).read_text().splitlines()))
        for name in ("pairs.csv", "table.csv")
    )
    assert len(lines) == 2 * 2 + 2 * 2
    table = {row["method"]: row for row in rows}
    assert float(table["content-itself"]["ssim"]) == pytest.approx(1)
    assert float(table["style-itself"]["style@vgg19-slim"]) == pytest.approx(
        0, abs=1e-6
    )
    assert 0 < float(table["adain"]["style@vgg19-slim"]) < 1
    assert 0 < float(table["adain"]["brightness"]) < 1
    assert all(float(table["adain"][f"cost_{x}"]) > 0 for x in ("seconds", "first"))
    assert int(table["adain"]["cost_memory"]) > 5e7
    # The painter was trained against another.
    assert table["adain"]["part@vgg19-slim"] == "none"
    results = json.loads((run / "table.json").read_text())
    assert {v["verdict"] for v in results["verdicts"]} >= {"not measured"}
    measured = [v for v in results["verdicts"] if v["pairs"]]
    assert {v["part"] for v in measured} == {"a", "b"}
    text = report.read_text()
    assert "python evaluate.py" in text and "figure1.jpg" in text and "cores" in text
    assert "\nPainted by candlelight.\n" in text and "--note=..." in text
    with Image.open(run / "figure1.jpg") as image:
        assert image.size == (26 + 4 * 262, 26 + 262)
    assert not (run / "figure4.jpg").exists()

    (run / "pictures" / "adain" / "style" / "content_b.png").unlink()
    (tmp_path / "report.md").unlink()
    process = _start([*arguments, *more], tmp_path)
    _, errors = process.communicate()
    assert process.returncode == 0 and "painted 1 pictures" in errors
    again = _pictures(run)
    assert {name for name in made if again[name] != made[name]} == {"adain/content_b"}
    assert report.is_file() and _no_leftovers(run)

    # In this process: other settings do not touch what is there.
    assert main([*arguments, "--seed=1", "--quiet"]) == 2
    assert "other settings: seed (0 before, 1 now)" in capsys.readouterr().err
    smaller = [x for x in arguments if x != str(tmp_path / "content_b.png")]
    assert main([*smaller, "--quiet"]) == 2
    assert (
        "holds an evaluation with other settings: contents" in capsys.readouterr().err
    )
    assert _pictures(run) == again


def test_ctrl_c_while_painting_keeps_what_is_done(arguments, tmp_path):
    run = tmp_path / "run"
    methods = arguments.index("adain-lap")
    forever = [*arguments[:methods], "gatys", *arguments[methods + 1 :]]
    forever += ["--iterations=1000000"]
    process = _start(forever, tmp_path)
    _wait_for(lambda: len(_pictures(run)) == 2, process)
    made = _pictures(run)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "repeat the command to continue" in errors and "Traceback" not in errors
    assert _pictures(run) == made and set(made) == {
        "adain/content_a",
        "adain/content_b",
    }
    assert _no_leftovers(run)
    assert not (run / "report.md").exists()


def test_ctrl_c_while_measuring_and_going_on(arguments, tmp_path):
    run = tmp_path / "run"
    (tmp_path / "my_metrics.py").write_text(METRICS)
    methods = arguments.index("adain-lap")
    quick = [*arguments[:methods], *arguments[methods + 1 :], "--figure-pairs=0"]
    process = _start([*quick, "--metric=my_metrics:slow"], tmp_path)
    _wait_for(lambda: len(_pictures(run)) == 2, process)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130 and "Traceback" not in errors
    made = _pictures(run)
    assert main([*quick, "--quiet"]) == 0
    assert _pictures(run) == made and (run / "report.md").is_file()


def test_an_unreadable_picture_is_skipped_and_counted(arguments, tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    style = arguments.index("--style")
    methods = arguments.index("adain-lap")
    mixed = [*arguments[: style - 1], str(broken), *arguments[style:methods]]
    mixed += arguments[methods + 1 :]
    assert main(mixed) == 2
    errors = capsys.readouterr().err
    assert "broken.png is damaged, or not a supported picture" in errors
    assert "1 pictures could not be read or made" in errors
    assert set(_pictures(tmp_path / "run")) == {"adain/content_a"}
    assert "broken.png" in (tmp_path / "run" / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_not_utf_8(tmp_path, save_picture):
    latin = tmp_path / os.fsdecode(b"caf\xe9.png")
    save_picture(latin, (64, 64), 0)
    style = save_picture(tmp_path / "style.png", (64, 64), 1)
    arguments = ["--content", str(latin), "--style", style, "--methods", "adain"]
    arguments += ["--size=48", "--figure-pairs=1", f"--output={tmp_path / 'run'}"]
    assert main([*arguments, "--quiet"]) == 0
    assert len(_pictures(tmp_path / "run")) == 1
    # The command in the report can be given again.
    assert b"caf\xe9.png" in (tmp_path / "run" / "report.md").read_bytes()


@pytest.mark.parametrize(
    "wrong, words",
    [
        (["--methods", "gatsy"], "there is no method 'gatsy'"),
        (["--size=32"], "--size must be at least 48"),
        (["--size=x"], "whole number"),
        (["--judge", "nothing"], "there is no network 'nothing'"),
        (["--judge", "adain-slim"], "holds a painter"),
        (["--judge", "vgg19-slim", "vgg19-slim"], "given twice"),
        (["--depth-judge", "vgg19-slim"], "holds a vgg19"),
        (["--metric", "nowhere:nothing"], "cannot be imported"),
        (["--metric", "math:pi"], "is not a function"),
        (["--report=nowhere/results.md"], "name a file in a folder"),
        (["--iteration=3"], "unrecognized arguments"),
    ],
)
def test_mistakes_are_one_sentence_before_any_work(
    wrong, words, arguments, tmp_path, capsys
):
    assert main([*arguments, *wrong]) == 2
    errors = capsys.readouterr().err
    assert words in errors and errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_report_of_somebody_else_is_not_replaced(arguments, tmp_path, capsys):
    (tmp_path / "thesis.md").write_text("years of work")
    assert main([*arguments, f"--report={tmp_path / 'thesis.md'}"]) == 2
    assert "is not a report of this command" in capsys.readouterr().err
    assert (tmp_path / "thesis.md").read_text() == "years of work"


def test_pictures_of_other_weights_are_not_replaced(arguments, tmp_path, capsys):
    methods = arguments.index("adain-lap")
    one = [*arguments[:methods], *arguments[methods + 1 :], "--quiet"]
    assert main(one) == 0
    record = tmp_path / "run" / "records" / "adain" / "style" / "content_a.json"
    data = json.loads(record.read_text())
    data["request"]["weights"]["decoder"] = "0" * 64
    record.write_text(json.dumps(data))
    made = _pictures(tmp_path / "run")
    assert main(one) == 2
    assert "1 pictures, such as" in capsys.readouterr().err
    assert _pictures(tmp_path / "run") == made
    assert main([*one, "--overwrite"]) == 0
    again = _pictures(tmp_path / "run")
    assert {name for name in made if again[name] != made[name]} == {"adain/content_a"}


def test_help_imports_nothing_slow():
    code = (
        "import sys\n"
        "from nstjax.cli.evaluate import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'jax', 'numpy', 'skimage', 'scipy'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment, capture_output=True
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--content", "one", "--note", "one", "--quiet"], "--content one --note ..."),
        (["--note=by candlelight", "--style", "a b"], "--note=... --style 'a b'"),
    ],
)
def test_a_note_is_left_out_of_the_command_that_the_report_shows(arguments, shown):
    assert evaluate_module._shown(arguments).startswith(shown)
