"""The command that the page shows paints what the page paints."""

import shlex

import pytest

from nstjax.cli.stylize import make_parser
from nstjax.errors import NstjaxError
from nstjax.methods.table import METHODS
from nstjax.web.settings import controls_of, make_settings

_ALL = {
    "alpha": 0.25,
    "stroke_scale": 2,
    "content_weight": 3.5,
    "iterations": 40,
    "encoder": "vgg19",
    "preserve_color": "luminance",
}


def _settings(content="photo.jpg", styles=("night",), **changes):
    given = {"method": "adain", "weights": (1, 1, 1), "size": 0, "options": {}}
    return make_settings(content, styles, **(given | changes))


def _parsed(settings):
    program, command, *arguments = shlex.split(settings.command())
    assert (program, command) == ("nstjax", "stylize")
    return make_parser().parse_args(arguments)


@pytest.mark.parametrize("method", METHODS)
def test_the_command_has_every_option_that_differs(method):
    settings = _settings(method=method, size=300, options=_ALL)
    parsed = _parsed(settings)
    assert (parsed.method or "adain") == method
    assert parsed.size == settings.size == 300
    for name, value in settings.options.items():
        assert getattr(parsed, name) == value == _ALL[name]
    wanted = {*controls_of(method), "preserve_color"}
    if method in ("gatys", "lapstyle", "gatys-depth"):
        # Their preset for that network names it.
        assert parsed.preset == "vgg19"
        wanted.remove("encoder")
    assert set(settings.options) == wanted


def test_defaults_are_left_out():
    options = controls_of("gatys") | {"preserve_color": "none"}
    settings = _settings(method="gatys", options=options)
    assert settings.command() == (
        "nstjax stylize --content photo.jpg --style night --method gatys "
        "--output photo_night.png"
    )


def test_names_are_quoted_and_folders_left_out(tmp_path):
    settings = _settings(
        content=str(tmp_path / "my photo.jpg"),
        styles=("night", str(tmp_path / "it's.png")),
        weights=(2, 1, 7),
    )
    parsed = _parsed(settings)
    assert parsed.content == ["my photo.jpg"]
    assert "tmp" not in settings.command()
    assert parsed.style_blend == [2, 1] == list(settings.blend)
    assert parsed.output == "my photo_night_it's.png"


def test_names_that_begin_like_options_are_no_options(tmp_path):
    photo, style = str(tmp_path / "-photo.png"), str(tmp_path / "--style.png")
    parsed = _parsed(_settings(content=photo, styles=("night", style)))
    assert parsed.content == ["./-photo.png"]
    assert parsed.style == ["night", "./--style.png"]
    assert parsed.output == "./-photo_night_--style.png"


def test_long_names_give_a_name_that_can_be_written(tmp_path):
    names = [letter * 200 + ".png" for letter in "abc"]
    settings = _settings(content=names[0], styles=names[1:])
    other = _settings(content=names[0], styles=names[:0:-1])
    output = _parsed(settings).output
    (tmp_path / output).touch()
    assert output.startswith("aaa") and output.endswith(".png")
    assert output != _parsed(other).output


def test_equal_weights_are_none():
    assert _settings(styles=("night", "wave"), weights=(2, 2)).blend is None


def test_a_clip_ends_in_its_own_suffix():
    command = _settings(content="clip.mov").command(".mp4")
    assert command.endswith("--output clip_night.mp4")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"content": None}, "choose a photograph"),
        ({"styles": ()}, "no style yet"),
        ({"size": 12.5}, "whole number"),
        ({"options": {"alpha": 7}}, "alpha must be"),
        ({"method": "gatys", "options": {"iterations": 0}}, "evaluations"),
    ],
)
def test_what_cannot_be_painted_is_said(changes, sentence):
    with pytest.raises(NstjaxError, match=sentence):
        _settings(**changes)
