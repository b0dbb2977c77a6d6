"""The public API: its names, and rules for its signatures, by introspection."""

import inspect
import subprocess
import sys

import pytest

import nstjax

NAMES = [name for name in nstjax.__all__ if not name.startswith("__")]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(nstjax, name))]
# What takes pictures as a person has them, in the order of the command line.
CONVENIENT = {"stylize"}
LOSSES = [name for name in FUNCTIONS if name.endswith("_loss")]


def test_the_painter_takes_what_stylize_takes():
    taken = set(inspect.signature(nstjax.Painter).parameters)
    taken |= set(inspect.signature(nstjax.Painter.paint).parameters)
    assert taken >= set(inspect.signature(nstjax.stylize).parameters)
    for function in (nstjax.Painter.__init__, nstjax.Painter.paint):
        listed = inspect.getdoc(function).partition("Args:")[2]
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            assert parameter.name in listed, parameter
            assert parameter.annotation is not inspect.Parameter.empty, parameter


def parameters(name):
    return inspect.signature(getattr(nstjax, name)).parameters.values()


def test_every_name_is_there_and_listed():
    assert set(NAMES) <= set(dir(nstjax))
    for name in NAMES:
        assert getattr(nstjax, name) is not None
    assert 25 <= len(NAMES) <= 40 and len(LOSSES) >= 10
    with pytest.raises(AttributeError, match="no_such_name"):
        nstjax.no_such_name  # noqa: B018


def test_every_loss_of_pictures_or_features_is_public():
    import importlib
    import pkgutil

    from nstjax import losses

    # Of training networks for depth and by a teacher, which are no style losses.
    private = {"hints", "depth"}
    for module in pkgutil.iter_modules(losses.__path__):
        if module.name in private:
            continue
        found = importlib.import_module(f"nstjax.losses.{module.name}")
        names = {name for name in vars(found) if name.endswith("_loss")}
        assert names <= set(NAMES), module.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_follow_the_rules(name):
    for parameter in parameters(name):
        assert parameter.name not in ("rng", "img", "lr"), parameter
        assert parameter.annotation is not inspect.Parameter.empty, parameter
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            # Options are named where they are given.
            assert parameter.default is inspect.Parameter.empty, parameter
    signature = inspect.signature(getattr(nstjax, name))
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_say_what_goes_in_and_what_comes_out(name):
    text = inspect.getdoc(getattr(nstjax, name))
    assert text.splitlines()[0].endswith((".", ":")), name
    listed = text.partition("Args:")[2]
    for parameter in parameters(name):
        assert parameter.name in listed, parameter
    if name.endswith("_loss"):
        assert "scalar" in text.partition("Returns:")[2], name


def test_params_come_first():
    for name in FUNCTIONS:
        names = [parameter.name for parameter in parameters(name)]
        assert "params" not in names[1:], name


def test_the_import_is_quick():
    program = (
        "import sys, nstjax\n"
        "heavy = {'jax', 'numpy', 'flax', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'gram_matrix' in dir(nstjax)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
