"""AdaIN's losses against PyTorch, NumPy, and what they are for."""

import jax
import numpy as np
import pytest

from nstjax.losses.adain import (
    ADAIN_NORMALISATIONS,
    adain_content_loss,
    adain_style_loss,
    color_loss,
    color_statistics,
)
from nstjax.ops.stats import channel_mean_std

EPS = 1e-5
SHAPES = {"relu1_1": (2, 8, 10, 4), "relu2_1": (2, 4, 5, 6)}


def random_features(seed, shapes=None):
    rng = np.random.default_rng(seed)
    return {
        name: rng.gamma(1.0, 1.0, shape).astype(np.float32)
        for name, shape in (shapes or SHAPES).items()
    }


def statistics(features, ddof=0):
    return {n: channel_mean_std(x, eps=EPS, ddof=ddof) for n, x in features.items()}


def to_torch(features):
    import torch

    return [torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in features.values()]


@pytest.mark.parametrize("unbiased", [False, True])
def test_mean_style_loss_same_as_torch(unbiased, torch_reference):
    reference = torch_reference("torch_adain")
    one, other = random_features(0), random_features(1)
    expected = reference.style_loss_mean(
        to_torch(one), to_torch(other), unbiased=unbiased, eps=EPS
    )
    ddof = int(unbiased)
    result = adain_style_loss(
        one, statistics(other, ddof), normalisation="mean", eps=EPS, ddof=ddof
    )
    np.testing.assert_allclose(result, expected.item(), rtol=1e-4)


def test_sum_style_loss_same_as_torch(torch_reference):
    reference = torch_reference("torch_adain")
    one, other = random_features(0), random_features(1)
    expected = reference.style_loss_sum(to_torch(one), to_torch(other), eps=EPS)
    result = adain_style_loss(one, statistics(other), normalisation="sum", eps=EPS)
    np.testing.assert_allclose(result, expected.item(), rtol=1e-4)


@pytest.mark.parametrize("normalisation", ["relative", "bounded"])
def test_relative_style_loss_by_numpy(normalisation):
    one, other = random_features(0), random_features(1)
    # Nothing at all in one picture of the style's: an error far above 1.
    other = {
        name: x * np.array([1, 0.01])[:, None, None, None] for name, x in other.items()
    }
    layers = []
    for name in one:
        mine, wanted = (
            np.concatenate([x.mean((1, 2)), np.sqrt(x.var((1, 2)) + EPS)], axis=1)
            for x in (one[name].astype(np.float64), other[name].astype(np.float64))
        )
        share = ((mine - wanted) ** 2).sum(1) / ((wanted**2).sum(1) + 1e-4)
        assert share[0] < 1 < share[1]
        layers.append(
            (share if normalisation == "relative" else np.minimum(share, 1)).mean()
        )
    result = adain_style_loss(
        one, statistics(other), normalisation=normalisation, eps=EPS
    )
    np.testing.assert_allclose(result, np.mean(layers), rtol=1e-4)


@pytest.mark.parametrize("normalisation", ADAIN_NORMALISATIONS)
def test_style_loss_is_zero_for_the_same_statistics(normalisation):
    one = random_features(0)
    # Positions turned about: other pictures, the same statistics.
    turned = {name: x[:, ::-1, ::-1] for name, x in one.items()}
    result = adain_style_loss(
        turned, statistics(one), normalisation=normalisation, eps=EPS
    )
    np.testing.assert_allclose(result, 0, atol=1e-9)


@pytest.mark.parametrize("normalisation", ["mean", "sum"])
def test_published_content_losses_are_means_of_squares(normalisation):
    one, other = (random_features(seed)["relu1_1"] for seed in (0, 1))
    result = adain_content_loss(one, other, normalisation=normalisation)
    np.testing.assert_allclose(result, np.mean((one - other) ** 2), rtol=1e-5)


def test_relative_content_loss_is_one_for_nothing():
    target = random_features(0)["relu1_1"]
    result = adain_content_loss(0 * target, target, normalisation="relative")
    np.testing.assert_allclose(result, 1, rtol=1e-3)


def test_relative_losses_do_not_see_the_encoders_scale():
    one, other = random_features(0), random_features(1)
    large = [{n: 100 * x for n, x in features.items()} for features in (one, other)]
    for first, second in ((one, other), large):
        style = adain_style_loss(
            first, statistics(second), normalisation="relative", eps=EPS
        )
        content = adain_content_loss(
            first["relu1_1"], second["relu1_1"], normalisation="relative"
        )
        if first is one:
            expected = style, content
    np.testing.assert_allclose((style, content), expected, rtol=1e-3)


def test_dead_channels_have_finite_gradients():
    one, other = random_features(0), random_features(1)
    one["relu1_1"][..., 0] = 0
    wanted = statistics(other)

    def loss(features):
        return adain_style_loss(features, wanted, normalisation="mean", eps=EPS)

    gradient = jax.grad(loss)(one)["relu1_1"]
    assert np.isfinite(gradient).all()


def test_layers_must_agree():
    one = random_features(0)
    with pytest.raises(ValueError, match="relu1_1"):
        adain_style_loss(
            {"relu1_1": one["relu1_1"]}, statistics(one), normalisation="mean", eps=EPS
        )


def test_unknown_normalisations_are_refused():
    one = random_features(0)
    with pytest.raises(ValueError, match="relative"):
        adain_content_loss(one["relu1_1"], one["relu1_1"], normalisation="l2")


def test_color_statistics_by_hand():
    # Halves of pure red and pure blue: brightness is 1/3 throughout, yellow
    # minus blue 1/2 and -1, red minus green 1 and 0.
    image = np.zeros((1, 4, 4, 3), np.float32)
    image[:, :, :2, 0], image[:, :, 2:, 2] = 1, 1
    statistics = color_statistics(image)
    np.testing.assert_allclose(statistics.mean.ravel(), [1 / 3, -0.25, 0.5], atol=1e-5)
    np.testing.assert_allclose(
        statistics.std.ravel() ** 2, [1e-5, 0.75**2 + 1e-5, 0.25 + 1e-5], rtol=1e-3
    )


def test_color_loss_sees_colours_and_not_their_places():
    image = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    target = color_statistics(image)
    np.testing.assert_allclose(color_loss(image[:, ::-1], target), 0, atol=1e-9)
    # Brighter by .1: only the mean brightness differs.
    np.testing.assert_allclose(color_loss(image + 0.1, target), 0.01, rtol=1e-3)
