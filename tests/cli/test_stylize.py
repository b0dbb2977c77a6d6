"""The command line, in this process where possible, in a subprocess where not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from nstjax.cli.stylize import main
from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import vgg

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = (8, 8, 8, 8) + (12,) * 4 + (16,) * 5
# Gatys cut short: most of a small run's time is compiling its layers.
CONFIG = """
from configs import common


def get_config():
    config = common.per_image("gatys")
    config.content_normalisation = config.style_normalisation = "relative"
    config.content_layers = {"relu2_1": 1.0}
    config.style_layers = {"relu1_1": 1.0, "relu2_1": 1.0}
    config.clamp = True
    return config
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> str:
    """A random VGG-19, deep enough for every method."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    spec = vgg.VGGSpec(widths=WIDTHS, padding="reflect")
    metadata = WeightsMetadata(
        kind="vgg19",
        name="tiny",
        spec=spec.to_dict(),
        source="random numbers",
        licence="CC0-1.0",
    )
    save_weights(path, vgg.init_params(jax.random.key(0), spec), metadata)
    return str(path)


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("configs") / "short.py"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def arguments(pictures, encoder, config, tmp_path) -> list[str]:
    """A quick run's arguments."""
    return [
        f"--config={config}",
        f"--content={pictures['content']}",
        f"--style={pictures['style']}",
        f"--encoder={encoder}",
        f"--output={tmp_path / 'out.png'}",
        "--iterations=4",
        "--quiet",
    ]


def _without(arguments: list[str], *names: str) -> list[str]:
    return [a for a in arguments if a.partition("=")[0] not in names]


def _changed(arguments: list[str], *more: str) -> list[str]:
    """The arguments with others in their place; contents and styles would add up."""
    return [*_without(arguments, *(m.partition("=")[0] for m in more)), *more]


def _read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def _listing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


@pytest.mark.parametrize("method", ["gatys", "lapstyle"])
def test_writes_a_picture_of_the_contents_size(method, arguments, tmp_path, pictures):
    assert main([*_without(arguments, "--config"), f"--method={method}"]) == 0
    result = _read(tmp_path / "out.png")
    assert result.shape == (51, 70, 3)
    assert np.abs(result - _read(pictures["content"])).mean() > 1


@pytest.mark.parametrize(
    "size, shape", [("40", (29, 40)), ("33x47", (47, 33)), ("140", (102, 140))]
)
def test_the_size_is_exactly_the_one_asked_for(size, shape, arguments, tmp_path):
    assert main([*arguments, f"--size={size}"]) == 0
    assert _read(tmp_path / "out.png").shape == (*shape, 3)


def test_the_same_seed_gives_the_same_picture_and_another_one_does_not(
    arguments, tmp_path
):
    results = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        output = tmp_path / f"{name}.png"
        more = [f"--seed={seed}", f"--output={output}", "--init=noise"]
        assert main([*arguments, *more]) == 0
        results.append(_read(output))
    assert (results[0] == results[1]).all()
    assert (results[0] != results[2]).any()


def test_the_trace_has_every_evaluation(arguments, tmp_path, encoder):
    trace = tmp_path / "trace.json"
    more = [f"--trace={trace}", "--lap-weight=2", "--tv-weight=0.5", "--seed=7"]
    assert main([*arguments, *more, "--optimizer=adam"]) == 0
    record = json.loads(trace.read_text())
    rows = record["evaluations"]
    # The coarse stage is left out at this size.
    assert [row["evaluation"] for row in rows] == [1, 2, 3, 4]
    assert all(np.isfinite(row["total"]) for row in rows)
    options = record["options"]
    for row in rows:
        weighted = sum(
            options[f"{name}_weight"] * value for name, value in row["terms"].items()
        )
        assert row["total"] == pytest.approx(weighted, rel=1e-4)
    assert set(rows[0]["terms"]) == {"content", "style", "lap", "tv"}
    assert rows[0]["terms"]["content"] == pytest.approx(0, abs=1e-6)
    assert (options["lap_weight"], options["tv_weight"], record["seed"]) == (2, 0.5, 7)
    assert len(record["weights"]["tiny"]["sha256"]) == 64
    assert record["versions"]["jax"] == jax.__version__


def test_a_higher_content_weight_stays_nearer_to_the_content(arguments, tmp_path):
    errors = []
    content = _read(tmp_path / "content.png")
    for weight in (0, 1e4):
        output = tmp_path / f"{weight}.png"
        more = [f"--content-weight={weight}", f"--output={output}", "--iterations=10"]
        assert main([*arguments, *more]) == 0
        errors.append(np.abs(_read(output) - content).mean())
    assert errors[1] < errors[0]


def test_a_run_that_diverges_says_so_and_keeps_the_size(arguments, tmp_path, capsys):
    trace = tmp_path / "trace.json"
    options = ["--size=160x120", "--config.stages=((0.75, 1.0),)"]
    options += ["--config.clamp=False", "--config.learning_rate=1e30"]
    assert main([*_without(arguments, "--quiet"), *options, f"--trace={trace}"]) == 0
    assert "was no longer finite" in capsys.readouterr().err
    # Not that of the smaller stage, which has diverged already.
    assert _read(tmp_path / "out.png").shape == (120, 160, 3)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    record = json.loads(trace.read_text(), parse_constant=refuse)
    assert record["reason"] == "not_finite"
    assert any(row["total"] is None for row in record["evaluations"])


def test_several_styles_are_blended(arguments, pictures, tmp_path):
    outputs = {}
    for name, styles, blend in (
        ("first", ["style"], []),
        ("mostly_first", ["style", "other"], ["1", "0"]),
        ("second", ["other"], []),
    ):
        more = ["--style", *(pictures[s] for s in styles)]
        more += ["--style-blend", *blend] if blend else []
        output = tmp_path / f"{name}.png"
        rest = _without(arguments, "--style")
        assert main([*rest, *more, f"--output={output}"]) == 0
        outputs[name] = _read(output)
    assert (outputs["first"] == outputs["mostly_first"]).all()
    assert (outputs["first"] != outputs["second"]).any()


def test_save_every_writes_pictures_on_the_way(arguments, tmp_path):
    assert main([*arguments, "--iterations=30", "--save-every=10"]) == 0
    saved = sorted(p.name for p in tmp_path.glob("out_*.png"))
    assert saved == ["out_00010.png", "out_00020.png", "out_00030.png"]
    assert (_read(tmp_path / saved[-1]) == _read(tmp_path / "out.png")).all()


def test_a_picture_on_the_way_that_cannot_be_written_costs_no_result(
    arguments, tmp_path, capsys
):
    in_the_way = tmp_path / "out_00002.png"
    in_the_way.mkdir()
    assert main([*arguments, "--save-every=2", "--overwrite"]) == 0
    assert "out_00002.png is a folder" in capsys.readouterr().err
    assert in_the_way.is_dir()
    assert (_read(tmp_path / "out_00004.png") == _read(tmp_path / "out.png")).all()


def test_a_picture_on_the_way_is_not_written_over_another(
    arguments, pictures, tmp_path, save_picture, capsys
):
    content = save_picture(tmp_path / "out_00002.png", (70, 51), 3)
    before = Path(content).read_bytes()
    run = _changed(arguments, f"--content={content}", "--save-every=2", "--overwrite")
    assert main(run) == 2
    assert "--save-every may write a picture named out_00002.png" in (
        capsys.readouterr().err
    )
    assert Path(content).read_bytes() == before


def test_only_names_of_pictures_on_the_way_are_refused(
    arguments, tmp_path, save_picture
):
    for name in ("out2.png", "out_1.png", "12345.png"):
        content = save_picture(tmp_path / name, (70, 51), 3)
        run = _changed(arguments, f"--content={content}", "--overwrite")
        assert main([*run, "--save-every=2"]) == 0


def test_a_preview_has_the_opacity_that_its_own_format_holds(arguments, tmp_path):
    clear = np.full((51, 70, 4), 128, np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    preview = tmp_path / "look.jpg"
    content = f"--content={tmp_path / 'clear.png'}"
    assert main([*_changed(arguments, content), f"--preview={preview}"]) == 0
    for path, mode in ((preview, "RGB"), (tmp_path / "out.png", "RGBA")):
        with Image.open(path) as image:
            assert image.mode == mode


def test_a_preview_of_a_run_that_begins_replaces_nothing(arguments, tmp_path, capsys):
    preview = tmp_path / "look.png"
    preview.write_bytes(b"mine")
    assert main([*arguments, f"--preview={preview}", "--resume"]) == 2
    assert "look.png exists" in capsys.readouterr().err
    assert preview.read_bytes() == b"mine"


def test_nothing_is_overwritten_unless_asked_for(arguments, tmp_path, capsys):
    (tmp_path / "out.png").write_bytes(b"precious")
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert main([*arguments, "--overwrite"]) == 0
    assert _read(tmp_path / "out.png").shape == (51, 70, 3)


def test_a_default_name_is_free(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rest = _without(arguments, "--output")
    assert main(rest) == 0
    assert main(rest) == 0
    names = {p.name for p in tmp_path.glob("content_style_*.png")}
    assert names == {"content_style_gatys.png", "content_style_gatys_2.png"}


def test_a_folder_is_done_picture_by_picture(
    encoder, config, tmp_path, capsys, save_picture
):
    photos, out = tmp_path / "photos", tmp_path / "painted"
    photos.mkdir()
    for seed, name in enumerate(("a.png", "b.jpg", "c.png")):
        save_picture(photos / name, (80, 66), seed)
    (photos / "bad.jpg").write_text("no picture")
    (photos / "notes.txt").write_text("no picture either")
    style = save_picture(tmp_path / "style.png", (40, 40), 9)
    arguments = [
        f"--config={config}",
        f"--content={photos}",
        f"--style={style}",
        f"--output={out}",
        f"--encoder={encoder}",
        "--iterations=2",
    ]
    assert main([*arguments, "--quiet"]) == 2
    errors = capsys.readouterr().err
    assert "bad.jpg" in errors and "1 of 4 pictures failed" in errors
    assert {p.name for p in out.iterdir()} == {"a.png", "b.png", "c.png"}
    assert _read(out / "b.png").shape == (66, 80, 3)
    # Again: what is done is left alone.
    before = (out / "a.png").stat().st_mtime_ns
    (photos / "bad.jpg").unlink()
    assert main(arguments) == 0
    errors = capsys.readouterr().err
    assert "3 pictures already existed" in errors and "unfinished" not in errors
    assert (out / "a.png").stat().st_mtime_ns == before
    # What was stopped on the way is said to be so.
    (out / "a.png.state").touch()
    assert main(arguments) == 0
    assert (
        "1 of them are unfinished; use --resume to continue" in capsys.readouterr().err
    )


def test_config_overrides_reach_the_run(arguments, tmp_path):
    trace = tmp_path / "trace.json"
    more = ["--config.content_weight=3.5", "--config.iterations=2", f"--trace={trace}"]
    rest = _without(arguments, "--iterations")
    assert main([*rest, *more]) == 0
    record = json.loads(trace.read_text())
    assert record["options"]["content_weight"] == 3.5
    assert len(record["evaluations"]) == 2


BAD = {
    "missing file": (["--content={tmp}/none.png"], "none.png"),
    "text named jpg": (["--content={tmp}/text.jpg"], "text.jpg"),
    "truncated": (["--style={tmp}/cut.jpg"], "cut.jpg"),
    "empty file": (["--content={tmp}/empty.png"], "empty.png"),
    "one pixel": (["--content={tmp}/one.png"], "one.png"),
    "unknown output": (["--output={tmp}/out.xyz"], ".xyz"),
    "output in a file": (["--output={tmp}/content.png/out.png"], "content.png"),
    "method and config": (["--method=gatys"], "--config"),
    "preset of a config": (["--preset=paper"], "not both"),
    "two dashes": (["--content=--"], "has no value"),
    "config leaf without a value": (["--config.tv_weight"], "needs a value"),
    "seed too large": (["--seed=99999999999999999999"], "more than 2147483647"),
    "several contents": (["a.jpg", "b.jpg"], "'a.jpg' does not belong to an option"),
    "depth network without a use": (["--depth-model=x"], "does not use depth"),
    "unknown option": (["--contnet=x"], "--contnet"),
    "unknown leaf": (["--config.styl_weight=3"], "styl_weight"),
    "leaf's type": (["--config.iterations=many"], "iterations"),
    "negative weight": (["--style-weight=-1"], "-1"),
    "NaN weight": (["--content-weight=nan"], "nan"),
    "infinite weight": (["--tv-weight=inf"], "inf"),
    "NaN leaf": (["--config.style_weight=nan"], "style_weight"),
    "negative leaf": (["--config.lap_weight=-2"], "lap_weight"),
    "negative rate": (["--config.learning_rate=-0.1"], "learning_rate"),
    "no iterations": (["--iterations=0"], "0"),
    "fractional iterations": (["--iterations=2.5"], "2.5"),
    "negative seed": (["--seed=-3"], "-3"),
    "tiny size": (["--size=4"], "16"),
    "odd size": (["--size=axb"], "size"),
    "unknown optimizer": (["--optimizer=sgd"], "torch_lbfgs"),
    "unknown init": (["--init=none"], "none"),
    "unknown encoder": (["--encoder=resnet"], "resnet"),
    "wrong weight file": (["--encoder={tmp}/decoder.safetensors"], "decoder"),
    "not a weight file": (["--encoder={tmp}/content.png"], "content.png"),
    "too shallow": (["--encoder={tmp}/shallow.safetensors"], "relu"),
    "blend": (["--style-blend", "1", "2"], "blend"),
    "trace's folder": (["--trace={tmp}/nowhere/t.json"], "t.json"),
    "training config": (["--config=distill_vgg_slim"], "train.py"),
    "another method's leaf": (["--config.method=adain"], "--method"),
    "no pairs to keep": (["--config.history=0"], "history"),
    "empty content": (["--content="], "--content was given an empty name"),
    "empty style": (["--style="], "--style was given an empty name"),
    "empty output": (["--output="], "--output was given an empty value"),
    "half a size": (["--size=64x"], "64x is not a size"),
    "several into one": (["--content", "chelsea", "coffee"], "is a picture's name"),
    "format of no folder": (["--output=nowhere", "--format=jpg"], "end nowhere in /"),
    "no config": (["--config=none.py"], "none.py"),
}


@pytest.fixture
def bad_files(tmp_path, pictures, save_picture):
    (tmp_path / "text.jpg").write_text("This is no picture.")
    whole = Path(pictures["style"]).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    save_picture(tmp_path / "one.png", (1, 1), 0)
    for name, kind, widths in (
        ("decoder", "decoder", WIDTHS),
        ("shallow", "vgg19", WIDTHS[:2]),
    ):
        spec = vgg.VGGSpec(widths=widths)
        metadata = WeightsMetadata(
            kind=kind, name=name, spec=spec.to_dict(), source="", licence=""
        )
        params = vgg.init_params(jax.random.key(0), spec)
        save_weights(tmp_path / f"{name}.safetensors", params, metadata)
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(case, bad_files, arguments, capsys):
    more, named = BAD[case]
    more = [argument.format(tmp=bad_files) for argument in more]
    before = _listing(bad_files)
    assert main(_changed(arguments, *more)) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("nstjax: error: ")
    assert named in lines[0]
    assert captured.out == ""
    assert _listing(bad_files) == before


def test_an_unknown_method_is_answered_with_the_known_ones(arguments, capsys):
    assert main([*_without(arguments, "--config"), "--method=gatsy"]) == 2
    assert "gatys" in capsys.readouterr().err


def _run(arguments, **options):
    return subprocess.run(
        [sys.executable, str(ROOT / "stylize.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def test_a_huge_header_is_refused_in_a_process_of_its_own(arguments, tmp_path):
    # A PNG that says 40,000 x 40,000 and holds next to nothing.
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    huge = tmp_path / "huge.png"
    huge.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    result = _run(_changed(arguments, f"--content={huge}"))
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "huge.png" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "out.png").exists()


def test_help_imports_no_jax():
    program = (
        "import sys\n"
        "from nstjax.cli.stylize import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'jax', 'flax', 'optax', 'skimage', 'orbax', 'grain'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    assert "--style-weight" in result.stdout


def test_ctrl_c_keeps_the_picture_and_resume_ends_as_if_never_stopped(
    arguments, tmp_path
):
    rest = _without(arguments, "--quiet", "--iterations")
    rest += ["--iterations=3000", "--init=noise", "--seed=5"]
    whole = tmp_path / "whole.png"
    assert _run([*rest, f"--output={whole}"]).returncode == 0

    process = subprocess.Popen(
        [sys.executable, str(ROOT / "stylize.py"), *rest, "--save-every=10"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "out_00010.png").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and "--resume" in errors
    assert (tmp_path / "out.png").exists()
    assert (tmp_path / "out.png.state").exists()
    stopped = _read(tmp_path / "out.png")

    result = _run([*rest, "--resume"])
    assert result.returncode == 0, result.stderr
    finished = _read(tmp_path / "out.png")
    assert (finished == _read(whole)).all()
    assert (finished != stopped).any()
    assert not (tmp_path / "out.png.state").exists()


def test_resuming_with_other_options_is_refused(arguments, tmp_path, capsys):
    (tmp_path / "out.png.state").write_bytes(b"not a state")
    assert main([*arguments, "--resume"]) == 2
    assert "out.png.state" in capsys.readouterr().err


@pytest.mark.slow
def test_a_time_limit_keeps_the_picture_and_resume_goes_on(arguments, tmp_path, capsys):
    preview, traces = tmp_path / "preview.png", []
    endless = [*_without(arguments, "--iterations", "--quiet"), "--iterations=1000000"]
    for number, more in enumerate(([], ["--resume"])):
        trace = tmp_path / f"{number}.json"
        options = ["--time-limit=2", f"--preview={preview}", f"--trace={trace}"]
        begin = time.monotonic()
        assert main([*endless, *options, *more]) == 0
        # Compiling and a last evaluation may take longer.
        assert time.monotonic() - begin < 60
        assert "--resume to continue" in capsys.readouterr().err
        assert (tmp_path / "out.png.state").exists()
        assert _read(preview).shape == _read(tmp_path / "out.png").shape
        traces.append(json.loads(trace.read_text()))
    first, second = (trace["evaluations"] for trace in traces)
    assert traces[0]["reason"] == "time_limit"
    assert second[: len(first)] == first and len(second) > len(first)


@pytest.mark.parametrize("option", ["--time-limit=3", "--preview=p.png"])
def test_methods_of_one_pass_take_no_time_limit(option, pictures, capsys):
    assert main([f"--content={pictures['content']}", "--style=night", option]) == 2
    assert "is for methods that optimise" in capsys.readouterr().err
