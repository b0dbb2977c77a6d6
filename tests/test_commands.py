"""Every command that the README and ``--help`` show, run as it stands there.

Of those on the documentation's other pages, every option must be there.
"""

import contextlib
import glob
import importlib
import io
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.cli.main import _COMMANDS
from nstjax.cli.main import main as nstjax_main
from nstjax.cli.options import make_parser
from nstjax.weights.conversion.command import COMMANDS as CONVERTERS

ROOT = Path(__file__).resolve().parents[1]
# Of a full size or a full network, minutes each; run where the variable is set.
_LONG = ("reference", "--preset vgg19")
_RUN_LONG = "NSTJAX_LONG_COMMANDS"
README = (ROOT / "README.md").read_text()
# What cannot be run by a test, by a part of the command.
_LEFT_OUT = {
    "pip install": "installs this project, as whoever runs the tests has done",
    "-m pytest": "runs these tests",
    "weights get": "fetches a network; tests/weights tries that with one of its own",
    "evaluate.py": "takes an hour; tests/cli/test_evaluate.py has the like",
    "train.py": "trains for days; tests/test_train_e2e.py has the like",
    ".pth": "looks at files of other publishers; see tests/cli/test_doctor.py",
    "nstjax web": "runs until it is stopped; see tests/web",
    "prepare-data": "packs folders of data; see tests/cli/test_prepare_data.py",
}
# What writes no file.
_PRINT = ("nstjax weights", "nstjax doctor")


def readme_commands(text: str) -> list[str]:
    """The commands in a README's indented blocks; those over several lines as one."""
    text = re.sub(r"\\\n\s*", "", text)
    lines = re.findall(r"^    (?! )(.*)$", text, flags=re.MULTILINE)
    return [line for line in lines if re.match(r"(python|nstjax|pip) ", line)]


def help_commands(*arguments: str) -> list[str]:
    """The commands among the examples of a command's ``--help``."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        assert nstjax_main([*arguments, "--help"]) == 0
    assert said.getvalue().startswith("usage: ")
    _, _, examples = said.getvalue().partition("examples:\n")
    return readme_commands(re.sub(r"^  (?=\S)", "    ", examples, flags=re.MULTILINE))


COMMANDS = list(
    dict.fromkeys(
        [
            *readme_commands(README),
            *(command for name in _COMMANDS for command in help_commands(name)),
        ]
    )
)
PAGES = {
    path.name: readme_commands(path.read_text())
    for path in sorted((ROOT / "docs").glob("*.md"))
}
STYLIZE = [c for c in COMMANDS if c.startswith("python stylize.py")]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The files that the commands name, small, in the current folder."""
    random = np.random.default_rng(0)

    def save(name: str, mode: str = "RGB") -> None:
        noise = random.integers(0, 256, (5, 6, 3), np.uint8)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)
        picture.convert(mode).save(path)

    for name in ("photo.jpg", "painting.jpg", "photos/a.jpg", "photos/b.png"):
        save(name)
    save("mask.png", "L")
    for name in ("stylize.py", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write_clip(path: Path) -> None:
    av = pytest.importorskip("av", reason="clips need the extra [video]")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        for shade in (0, 100):
            frame = np.full((64, 64, 3), shade, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _run(command: str, monkeypatch, capfdbinary) -> bytes:
    """Runs a command line in this process, where programs are compiled once.

    Returns what it printed.
    """
    command, *redirected = re.split(r"\s+(?=[<>] )", command)
    words = [
        w for word in shlex.split(command) for w in sorted(glob.glob(word)) or [word]
    ]
    sources = [r[2:] for r in redirected if r.startswith("< ")]
    targets = [r[2:] for r in redirected if r.startswith("> ")]
    with contextlib.ExitStack() as stack:
        for source in sources:
            given = stack.enter_context(open(source))
            monkeypatch.setattr(sys, "stdin", given)
        capfdbinary.readouterr()
        arguments = words[1:] if words[0] == "nstjax" else [words[1][:-3], *words[2:]]
        status = nstjax_main(arguments)
    said = capfdbinary.readouterr()
    assert status == 0, said.err.decode()
    for target in targets:
        Path(target).write_bytes(said.out)
    return said.out


def test_commands_are_found():
    assert (
        "python stylize.py --content astronaut --style night --output astronaut.png"
        in (STYLIZE)
    )
    (training,) = [c for c in COMMANDS if c.startswith("python train.py")]
    assert training.endswith("--config.style=PAINTINGS")
    assert len(STYLIZE) > 20
    assert all(c.startswith(("python ", "nstjax ", "pip ")) for c in COMMANDS)


@pytest.mark.parametrize("command", STYLIZE)
def test_every_option_of_a_shown_command_is_there(command):
    words = shlex.split(re.split(r"\s+[<>] ", command)[0])[2:]
    options, rest = make_parser().parse_known_args(words)
    assert all(word.startswith("--config.") for word in rest), command


@pytest.mark.parametrize("page", PAGES)
def test_every_option_on_a_page_is_there(page):
    for command in PAGES[page]:
        if not re.match(r"nstjax |python (stylize|train|evaluate)\.py", command):
            continue
        first, *words = shlex.split(command, comments=True)
        name, *words = words if first == "nstjax" else [words[0][:-3], *words[1:]]
        if name == "convert":
            assert words[0] in {"NAME", *CONVERTERS}, command
            continue
        module = _COMMANDS[name][0]
        parser = importlib.import_module(module).make_parser()
        if "..." in words:
            shown = parser.format_help()
            options = [word.partition("=")[0] for word in words]
            for option in options:
                if option.startswith("--") and not option.startswith("--config."):
                    assert f"{option} " in shown, command
        else:
            rest = parser.parse_known_args(words)[1]
            assert all(word.startswith("--config.") for word in rest), command


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_shown_command_runs(command, folder, fetched, monkeypatch, capfdbinary):
    for part, reason in _LEFT_OUT.items():
        if part in command:
            pytest.skip(reason)
    if any(part in command for part in _LONG) and _RUN_LONG not in os.environ:
        pytest.skip(f"takes minutes; set {_RUN_LONG}=1")
    if re.search("--(encoder|preset) vgg19", command):
        fetched("vgg19")
    if "--format stablehlo" not in command and "nstjax export" in command:
        pytest.importorskip("onnxruntime", reason="ONNX needs the extra [export]")
    if "clip.mp4" in command:
        _write_clip(folder / "clip.mp4")
    if "--style my.style" in command:
        begin = "python stylize.py --content photo.jpg --style painting.jpg "
        _run(f"{begin} --save-style my.style --output x.png", monkeypatch, capfdbinary)
    before = {path for path in folder.rglob("*") if path.is_file()}
    printed = _run(command, monkeypatch, capfdbinary)
    if any(part in command for part in _PRINT):
        assert printed
        return
    made = {path for path in folder.rglob("*") if path.is_file()} - before
    assert made, "nothing was made"
    for path in made:
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as image:
                image.load()


def test_the_page_of_options_shows_options_that_there_are():
    text = (ROOT / "docs" / "options.md").read_text()
    shown = re.findall(r"`(--[^`]*)`<br>.*?\((images/[^)]*)\)", text)
    assert len(shown) > 5
    for options, picture in shown:
        rest = make_parser().parse_known_args(shlex.split(options))[1]
        assert not rest and (ROOT / "docs" / picture).is_file()
    for picture in re.findall(r"\((images/[^)]*)\)", text):
        assert 1000 < (ROOT / "docs" / picture).stat().st_size < 150_000, picture
