"""The command among other programs: pipes, JSON, several contents."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.cli.stylize import main

ROOT = Path(__file__).resolve().parents[2]


class _Stdin:
    """Standard input that holds bytes."""

    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self.isatty = lambda: terminal


def _levels(data) -> np.ndarray:
    with Image.open(data) as image:
        return np.asarray(image).astype(int)


def _records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_picture_goes_through_pipes(pictures, tmp_path):
    command = [sys.executable, ROOT / "stylize.py", "--content", "-", "--style"]
    command += [pictures["style"], "--output", "-", "--format", "webp"]
    data = Path(pictures["content"]).read_bytes()
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = subprocess.run(
        command, input=data, capture_output=True, env=_environment(folder), timeout=300
    )
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("WEBP", (70, 51))
    assert b"wrote standard output" in done.stderr
    assert not list(folder.glob("nstjax-*"))


def _environment(folder: Path) -> dict[str, str]:
    import os

    return os.environ | {"TMPDIR": str(folder)}


def test_a_pipe_gives_what_the_file_gives(pictures, tmp_path, monkeypatch, capfdbinary):
    rest = ["--style", pictures["style"], "--quiet"]
    assert (
        main(["--content", pictures["content"], f"--output={tmp_path}/o.png", *rest])
        == 0
    )
    monkeypatch.setattr(sys, "stdin", _Stdin(Path(pictures["content"]).read_bytes()))
    assert main(["--content", "-", "--output", "-", *rest]) == 0
    piped = capfdbinary.readouterr().out
    assert piped == (tmp_path / "o.png").read_bytes()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "standard input is empty"),
        (b"no picture at all", "standard input is damaged, or not a supported picture"),
    ],
)
def test_bad_pictures_are_named_by_their_pipe(
    data, words, pictures, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(sys, "stdin", _Stdin(data))
    output = tmp_path / "o.png"
    command = ["--content=-", f"--style={pictures['style']}", f"--output={output}"]
    assert main(command) == 2
    assert words in capsys.readouterr().err and not output.exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--style=-"], "give - once"),
        (["--style=night", "--output=-", "--json"], "--json needs an --output"),
        (["--style=night", "--output=-", "--show-depth"], "--show-depth needs"),
    ],
)
def test_what_pipes_cannot_do_is_said(more, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", _Stdin(b""))
    assert main(["--content=-", *more]) == 2
    assert words in capsys.readouterr().err


def test_a_terminal_is_not_waited_for(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", _Stdin(b"", terminal=True))
    assert main(["--content=-", "--style=night"]) == 2
    assert "standard input is the terminal" in capsys.readouterr().err


def test_several_contents_and_their_json(pictures, tmp_path, save_picture, capsys):
    other = save_picture(tmp_path / "second.png", (70, 51), 5)
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    out = tmp_path / "out"
    command = ["--content", pictures["content"], other, "--content", str(broken)]
    command += ["--style", pictures["style"], f"--output={out}", "--format=jpg"]
    assert main([*command, "--json", "--quiet", "--seed=7"]) == 2
    records = {Path(r["input"]).name: r for r in _records(capsys.readouterr().out)}
    assert set(records) == {"content.png", "second.png", "broken.png"}
    made = records["second.png"]
    assert made["size"] == {"width": 70, "height": 51}
    assert (made["method"], made["seed"]) == ("adain", 7)
    assert made["styles"] == [pictures["style"]] and made["seconds"] > 0
    with Image.open(made["output"]) as image:
        assert (image.format, image.size) == ("JPEG", (70, 51))
    assert "not a supported picture" in records["broken.png"]["error"]
    assert sorted(p.name for p in out.iterdir()) == ["content.jpg", "second.jpg"]


def test_json_of_one_picture_alone(pictures, tmp_path, capsys):
    output = tmp_path / "o.png"
    command = [f"--content={pictures['content']}", f"--style={pictures['style']}"]
    assert main([*command, f"--output={output}", "--json", "--quiet"]) == 0
    (record,) = _records(capsys.readouterr().out)
    assert record["output"] == str(output)
    assert record["size"] == {"width": 70, "height": 51}
    # What is refused before anything is made has its line, too.
    assert main([*command, f"--output={output}", "--json", "--quiet"]) == 2
    (record,) = _records(capsys.readouterr().out)
    assert record["output"] == str(output) and "exists" in record["error"]


@pytest.mark.parametrize("more", [[], ["--sheet"]])
def test_json_of_a_content_that_is_missing(more, pictures, tmp_path, capsys):
    output = str(tmp_path / "o.png")
    command = ["--content=none.png", f"--style={pictures['style']}", "--json", *more]
    assert main([*command, f"--output={output}"]) == 2
    (record,) = _records(capsys.readouterr().out)
    assert (record["input"], record["output"]) == ("none.png", output)
    assert "none.png cannot be read" in record["error"]


def test_json_of_what_is_there_already(pictures, tmp_path, save_picture, capsys):
    other = save_picture(tmp_path / "second.png", (70, 51), 5)
    command = ["--content", pictures["content"], other, "--json", "--quiet"]
    command += ["--style", pictures["style"], f"--output={tmp_path / 'out'}"]
    assert main(command) == 0
    made = _records(capsys.readouterr().out)
    assert main(command) == 0
    there = _records(capsys.readouterr().out)
    assert {r["output"] for r in there} == {r["output"] for r in made}
    assert all(r["there"] for r in there) and not any("there" in r for r in made)


def test_json_says_how_far_a_picture_came(pictures, tmp_path, capsys):
    command = [f"--content={pictures['content']}", f"--style={pictures['style']}"]
    command += ["--method=gatys", "--size=64", "--time-limit=0.01", "--json"]
    assert main([*command, f"--output={tmp_path / 'o.png'}", "--quiet"]) == 0
    (record,) = _records(capsys.readouterr().out)
    # Of 150.
    assert record["reason"] == "time_limit" and 0 < record["evaluations"] < 10


@pytest.mark.parametrize(
    ("stream", "arguments", "words"),
    [
        ("stdin", ["--content=-", "--output=o.png"], "standard input is closed"),
        (
            "__stdout__",
            ["--content=chelsea", "--output=-"],
            "standard output is closed",
        ),
    ],
)
def test_a_closed_stream_is_no_pipe(stream, arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, stream, None)
    assert main([*arguments, "--style=night"]) == 2
    assert words in capsys.readouterr().err


def test_traces_name_pipes(pictures, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "stdin", _Stdin(Path(pictures["content"]).read_bytes()))
    trace = tmp_path / "t.json"
    command = ["--content=-", "--output=-", f"--style={pictures['style']}"]
    assert main([*command, f"--trace={trace}", "--quiet"]) == 0
    record = json.loads(trace.read_text())
    assert record["content"] == "standard input"
    assert record["output"] == "standard output"


def test_styles_given_one_by_one_are_blended(pictures, tmp_path):
    begin = [f"--content={pictures['content']}", "--quiet"]
    one, two = pictures["style"], pictures["other"]
    assert main([*begin, "--style", one, two, f"--output={tmp_path}/a.png"]) == 0
    assert (
        main([*begin, "--style", one, "--style", two, f"--output={tmp_path}/b.png"])
        == 0
    )
    assert (_levels(tmp_path / "a.png") == _levels(tmp_path / "b.png")).all()


def test_one_content_goes_into_a_folder_under_its_name(pictures, tmp_path):
    begin = [f"--content={pictures['content']}", f"--style={pictures['style']}"]
    for folder in ("new/", "there"):
        (tmp_path / "there").mkdir(exist_ok=True)
        assert main([*begin, "--quiet", f"--output={tmp_path}/{folder}"]) == 0
        assert [p.name for p in (tmp_path / folder).iterdir()] == ["content.png"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["other.png"], "several pictures need a folder"),
        (["other.png", "--output=o.png"], "o.png"),
        (["clip.mp4", "--output=x/"], "one clip at a time"),
        (["other.png", "--output=x/", "--fps=5"], "one clip at a time"),
        (["--output=o.png", "--format=jpg"], "names its format itself"),
    ],
)
def test_what_several_contents_need(
    more, words, pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    if words == "o.png":
        (tmp_path / "o.png").touch()
    command = ["--content", "content.png", *more, "--style", "style.jpg"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


def test_standard_output_holds_one_picture(pictures, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    several = ["--content", pictures["content"], pictures["other"], "--output=-"]
    assert main([*several, f"--style={pictures['style']}"]) == 2
    captured = capsys.readouterr()
    assert "standard output holds one picture" in captured.err
    assert captured.out == ""
