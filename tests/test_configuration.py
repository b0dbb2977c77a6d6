"""Config files and overrides, given as arguments and not read from sys.argv."""

import subprocess
import sys

import pytest

from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError

TEXT = """
from ml_collections import ConfigDict

def get_config(kind="plain"):
    if kind not in ("plain", "fancy"):
        raise ValueError(f"there is no kind {kind}")
    config = ConfigDict({"steps": 10, "rate": 0.5, "flip": False, "name": kind})
    config.widths = (1, 2)
    config.weights = (1.0, 2.0)
    config.loss = ConfigDict({"style": 2.0})
    return config
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "recipe.py"
    path.write_text(TEXT)
    return str(path)


def test_overrides_have_the_types_of_the_leaves(path):
    overrides = [
        "--config.steps=20",
        *("--config.rate", "3"),
        "--config.flip=true",
        "--config.name=x",
        "--config.widths=(3, 4, 5)",
        "--config.weights=(1, 0.5)",
        "--config.loss.style=7",
    ]
    assert config_to_dict(load_config(path, overrides)) == {
        "steps": 20,
        "rate": 3.0,
        "flip": True,
        "name": "x",
        "widths": (3, 4, 5),
        "weights": (1, 0.5),
        "loss": {"style": 7.0},
    }


def test_an_argument_goes_to_get_config(path):
    assert load_config(f"{path}:fancy").name == "fancy"


def test_nothing_can_be_added_later(path):
    config = load_config(path)
    with pytest.raises(AttributeError):
        config.stpes = 3


def test_shipped_ones_go_by_name(path):
    for name in ("distill_vgg_slim", "distill_vgg_slim.py", "x/distill_vgg_slim.py"):
        assert load_config(name).task == "distill"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("--config.stpes=3", "has no stpes; did you mean steps?"),
        ("--config.loss.stile=3", "has no loss.stile; did you mean loss.style?"),
        ("--config.qwertz=3", "has no qwertz"),
        ("--config.steps=abc", "does not take --config.steps=abc"),
        ("--config.steps=1.5", "does not take --config.steps=1.5"),
        (
            "--config.flip=perhaps",
            "--config.flip=perhaps: Non-boolean argument to boolean flag: perhaps",
        ),
        ("--config.widths=(1, 'a')", "--config.widths takes a tuple of int, not"),
        ("--config.steps", "--config.steps needs a value, as in --config.steps=1"),
        ("--steps=3", "'--steps=3' is not a config override; write --config.key=value"),
        ("steps", "'steps' is not a config override"),
    ],
)
def test_what_does_not_fit_is_one_sentence(path, override, sentence):
    with pytest.raises(NstjaxError) as raised:
        load_config(path, [override])
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("error")
def test_programs_that_make_errors_of_warnings_can_load_configs(path):
    assert load_config(path, ["--config.steps=7"]).steps == 7


def test_sys_argv_plays_no_part(path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "--config.steps=99", "--config.stpes=1"])
    assert load_config(path, ["--config.rate=0.25"]).steps == 10


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("grammar", "def get_config(:", "invalid syntax"),
        ("failing", "def get_config(): return 1 / 0", "division by zero"),
        ("importing", "import absent_module", "absent_module"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, name, text, reason):
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    with pytest.raises(NstjaxError, match=f"{name}.py cannot be run") as raised:
        load_config(str(path))
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_refused_argument_is_one_sentence(path):
    with pytest.raises(NstjaxError, match="there is no kind odd") as raised:
        load_config(f"{path}:odd")
    assert "Traceback" not in str(raised.value)


def test_a_missing_file_names_the_shipped_ones():
    with pytest.raises(NstjaxError, match="no config file absent.*distill_vgg_slim"):
        load_config("absent")


def test_needs_no_jax(path):
    code = (
        "import sys; from nstjax.configuration import load_config; "
        f"load_config({path!r}); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["gatys", "lapstyle", "gatys_depth"])
def test_the_preset_for_vgg19_is_best_but_for_what_it_is_tuned_in(name):
    best = load_config(name, []).to_dict()
    tuned = load_config(f"{name}:vgg19", []).to_dict()
    changed = {leaf for leaf in best if best[leaf] != tuned[leaf]}
    assert changed == {"encoder", "style_weight", "iterations", "stages"}
    assert tuned["encoder"] == "vgg19"
    assert 0 < tuned["style_weight"] < best["style_weight"]


def test_an_unknown_preset_is_refused_in_a_sentence_that_names_them():
    sentence = (
        "the config gatys:none cannot be run: there is no preset 'none'; choose one of "
        "best, vgg19, reference, paper"
    )
    with pytest.raises(NstjaxError) as refused:
        load_config("gatys:none", [])
    assert str(refused.value) == sentence
