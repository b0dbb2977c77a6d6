"""The docs' pages "Add a loss" and "Add a method", followed with toys."""

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

import nstjax
from nstjax.errors import NstjaxError
from nstjax.losses import table as losses
from nstjax.losses.table import PictureLoss
from nstjax.methods import objectives
from nstjax.methods.base import Method, Outcome
from nstjax.methods.objectives import ObjectiveSpec
from nstjax.methods.options import method_options
from nstjax.methods.table import METHODS
from nstjax.models.vgg import VGGSpec
from nstjax.training.recipes import adain as recipe


def redness_loss(image, wanted):
    return ((image[..., 0].mean() - wanted) ** 2).sum()


@pytest.fixture
def toy_loss(monkeypatch):
    """What "Add a loss" says: a function, a line in the table."""
    toy = PictureLoss(lambda content, style: style[..., 0].mean(), redness_loss)
    monkeypatch.setitem(losses.PICTURE_LOSSES, "redness", toy)


def test_a_loss_in_an_objective(toy_loss):
    # The leaf that configs/common.py would have.
    options = method_options("gatys") | {"redness_weight": 3.0}
    options |= {"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
    spec = ObjectiveSpec.from_mapping(options)
    encoder = VGGSpec((4, 4), "reflect", "max", "floor", "imagenet")
    content = np.full((1, 8, 8, 3), 0.25, np.float32)
    styles = [np.full((1, 6, 6, 3), value, np.float32) for value in (0.5, 1.0)]
    how = {"spec": spec, "encoder_spec": encoder}
    targets = objectives.make_targets(
        {"encoder": {}}, content, styles, style_blend=(3.0, 1.0), **how
    )
    total, terms = objectives.objective(content, {"encoder": {}}, targets, **how)
    expected = 0.75 * 0.25**2 + 0.25 * 0.75**2
    np.testing.assert_allclose(terms["redness"], expected, rtol=1e-5)
    np.testing.assert_allclose(total, 3 * expected, rtol=1e-5)


def test_a_loss_in_training(toy_loss):
    weights = {f"{name}_weight": 0.0 for name in losses.PICTURE_LOSSES}
    config = ConfigDict(weights | {"redness_weight": 2.0})
    image, style = (np.full((2, 8, 8, 3), v, np.float32) for v in (0.25, 0.75))
    terms = jax.jit(
        lambda image: recipe.picture_terms(image, image, style, config=config)
    )(image)
    assert set(terms) == {"redness"}
    np.testing.assert_allclose(terms["redness"], 0.25, rtol=1e-5)


class Tint(Method):
    """What "Add a method" says: a class in a file of its own."""

    defaults = {"strength": 0.5}

    def paint(self, plan, **_):
        color = plan.styles[0].mean(axis=(0, 1))
        strength = plan.options["strength"]
        return Outcome(plan.content + strength * (color - plan.content))


def test_a_method(monkeypatch):
    # And a line in the table.
    monkeypatch.setitem(METHODS, "tint", Tint("tint"))
    content = np.zeros((20, 24, 3), np.float32)
    style = np.full((16, 16, 3), 0.5, np.float32)
    image = nstjax.stylize(content, style, method="tint", size=48)
    assert image.shape == (40, 48, 3)
    np.testing.assert_allclose(image, 0.25, atol=1e-6)
    image = nstjax.stylize(content, style, method="tint", strength=1.0)
    np.testing.assert_allclose(image, 0.5, atol=1e-6)
    for wrong, words in (
        ({"mask": np.ones((20, 24))}, "tint takes no mask"),
        ({"alpha": 0.5}, "no option 'alpha'"),
        ({"preset": "paper"}, "no presets"),
    ):
        with pytest.raises(NstjaxError, match=words):
            nstjax.stylize(content, style, method="tint", **wrong)
