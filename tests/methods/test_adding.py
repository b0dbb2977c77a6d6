"""The docs' pages "Add a loss" and "Add a method", followed with toys."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.losses import table
from nstjax.losses.base import Loss, Picture
from nstjax.methods import objectives
from nstjax.methods.base import Method, Outcome
from nstjax.methods.decoder_methods import DecoderMethod
from nstjax.methods.objectives import ObjectiveSpec
from nstjax.methods.options import method_options
from nstjax.methods.table import METHODS
from nstjax.models import vgg
from nstjax.models.vgg import VGGSpec
from nstjax.training.recipes import adain, painter


class Redness(Loss):
    """What "Add a loss" says: a class in a file of its own."""

    def target(self, content, style):
        return style.image[..., 0].mean()

    def loss(self, result, target):
        return (result.image[..., 0].mean() - target) ** 2


@dataclasses.dataclass(frozen=True)
class Energy(Loss):
    """And one of features, with an option."""

    energy_layer: str = "relu1_2"

    @property
    def layers_of_style(self):
        return (self.energy_layer,)

    def target(self, content, style):
        return jnp.square(style.features[self.energy_layer]).mean()

    def loss(self, result, target):
        return (jnp.square(result.features[self.energy_layer]).mean() - target) ** 2


@pytest.fixture
def toy_losses(monkeypatch):
    """The lines in the table."""
    monkeypatch.setitem(table.LOSSES, "redness", Redness)
    monkeypatch.setitem(table.LOSSES, "energy", Energy)


ENCODER = VGGSpec((4, 4), "reflect", "max", "floor", "imagenet")


def energy(params, image):
    features = vgg.features(params, image, ("relu1_1",), spec=ENCODER)
    return np.square(features["relu1_1"]).mean()


def test_losses_in_an_objective(toy_losses):
    # The leaves that configs/common.py and a method's config would have.
    options = method_options("gatys") | {"redness_weight": 3.0, "energy_weight": 2.0}
    options |= {"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
    spec = ObjectiveSpec.from_options(options | {"energy_layer": "relu1_1"})
    assert spec.layers == ("relu1_1",)
    params = {"encoder": vgg.init_params(jax.random.key(0), ENCODER)}
    content = np.full((1, 8, 8, 3), 0.25, np.float32)
    styles = [np.full((1, 6, 6, 3), value, np.float32) for value in (0.5, 1.0)]
    how = {"spec": spec, "encoder_spec": ENCODER}
    targets = objectives.make_targets(
        params, content, styles, style_blend=(3.0, 1.0), **how
    )
    total, terms = objectives.objective(content, params, targets, **how)
    redness = 0.75 * 0.25**2 + 0.25 * 0.75**2
    np.testing.assert_allclose(terms["redness"], redness, rtol=1e-5)
    own, *wanted = (energy(params["encoder"], x) for x in (content, *styles))
    difference = 0.75 * (own - wanted[0]) ** 2 + 0.25 * (own - wanted[1]) ** 2
    np.testing.assert_allclose(terms["energy"], difference, rtol=1e-4)
    np.testing.assert_allclose(total, 3 * redness + 2 * difference, rtol=1e-4)


@pytest.mark.parametrize("recipe", [adain, painter])
def test_losses_in_training(toy_losses, recipe):
    config = load_config(recipe.__name__.split(".")[-1])
    with config.unlocked():
        for name in table.LOSSES:
            config[f"{name}_weight"] = 0.0
        config.style_weight = 0.0
        config.redness_weight = 2.0
        config.energy_weight = 3.0
        config.energy_layer = "relu1_1"
    terms = recipe.make_terms(config)
    assert table.layers_needed(terms, style=True) == ("relu1_1",)
    params = vgg.init_params(jax.random.key(0), ENCODER)
    image, style = (np.full((2, 8, 8, 3), v, np.float32) for v in (0.25, 0.75))
    result, of_style = (
        Picture(x, vgg.features(params, x, ("relu1_1",), spec=ENCODER))
        for x in (image, style)
    )
    values = table.evaluate(terms, result, result, of_style)
    assert set(values) == {"redness", "energy"}
    np.testing.assert_allclose(values["redness"], 0.25, rtol=1e-5)
    expected = (energy(params, image) - energy(params, style)) ** 2
    np.testing.assert_allclose(values["energy"], expected, rtol=1e-4)


class Tint(Method):
    """What "Add a method" says: a class in a file of its own."""

    defaults = {"strength": 0.5}

    def paint(self, plan, **_):
        color = plan.styles[0].mean(axis=(0, 1))
        strength = plan.options["strength"]
        return Outcome(plan.content + strength * (color - plan.content))


def test_a_decoder_of_another_transform_is_no_decoder_method():
    with pytest.raises(ValueError, match="'adain' or 'style_swap', not 'wct'"):
        DecoderMethod("wct", decoder="adain-slim", transform="wct")


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


@pytest.mark.parametrize("networks", [None, ("an encoder", "a decoder")])
def test_a_method_paints_clips(monkeypatch, tmp_path, networks):
    pytest.importorskip("av", reason="clips need the extra [video]")
    method = Tint("tint")
    monkeypatch.setattr(method, "load", lambda options: networks)
    monkeypatch.setitem(METHODS, "tint", method)
    black, red = (Image.new("RGB", (24, 20), color) for color in ("black", "red"))
    black.save(tmp_path / "clip.gif", save_all=True, append_images=[red])
    white = np.ones((16, 16, 3), np.float32)
    result = nstjax.stylize_video(
        tmp_path / "clip.gif", white, tmp_path / "out", method="tint", temporal="off"
    )
    assert result.frames == 2
    first, second = (
        np.asarray(Image.open(path)) for path in sorted((tmp_path / "out").iterdir())
    )
    np.testing.assert_allclose(first, np.full((20, 24, 3), 127.5), atol=1)
    expected = np.broadcast_to([255, 127.5, 127.5], (20, 24, 3))
    np.testing.assert_allclose(second, expected, atol=1)
