"""AdaIN against NumPy, PyTorch and its own definition."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.ops.stats import Statistics
from nstjax.transforms.adain import (
    adain,
    adain_regions,
    blend_statistics,
    feature_statistics,
)

EPS = 1e-5


def features(seed, shape=(2, 7, 9, 5), scale=1.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.gamma(1.0, 1.0, shape)).astype(np.float32)


def numpy_adain(content, style, eps=EPS):
    moments = [
        (x.mean((1, 2), keepdims=True), np.sqrt(x.var((1, 2), keepdims=True) + eps))
        for x in (content.astype(np.float64), style.astype(np.float64))
    ]
    (mean, std), (style_mean, style_std) = moments
    return (content - mean) / std * style_std + style_mean


class AdainTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_is_the_papers_formula(self):
        content, style = features(0), features(1, (2, 4, 6, 5), scale=3.0)

        def both(content, style):
            return adain(content, feature_statistics(style))

        result = self.variant(both)(content, style)
        np.testing.assert_allclose(result, numpy_adain(content, style), rtol=1e-4)


@pytest.mark.parametrize("unbiased", [False, True])
def test_same_as_torch(unbiased, torch_reference):
    import torch

    reference = torch_reference("torch_adain")
    content, style = features(0), features(1)
    expected = reference.adain(
        *(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in (content, style)),
        unbiased=unbiased,
        eps=EPS,
    )
    options = {"eps": EPS, "ddof": int(unbiased)}
    result = adain(content, feature_statistics(style, **options), **options)
    np.testing.assert_allclose(
        result, expected.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5
    )


def test_the_result_has_the_styles_statistics():
    content, style = features(0), features(1, scale=2.0)
    result = np.asarray(adain(content, feature_statistics(style)))
    np.testing.assert_allclose(result.mean((1, 2)), style.mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(result.std((1, 2)), style.std((1, 2)), rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_alpha_interpolates_between_content_and_adain(alpha):
    content, style = features(0), features(1)
    expected = (1 - alpha) * content + alpha * numpy_adain(content, style)
    result = adain(content, feature_statistics(style), alpha=alpha)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_style_of_one_picture_serves_a_batch():
    content, style = features(0), features(1)[:1]
    result = adain(content, feature_statistics(style))
    repeated = np.repeat(style, 2, axis=0)
    np.testing.assert_allclose(
        result, numpy_adain(content, repeated), rtol=1e-4, atol=1e-5
    )


def test_dead_channels_have_finite_gradients():
    content, style = features(0), features(1)
    content[..., 0], style[..., 1] = 0, 0

    def total(content, style):
        return (adain(content, feature_statistics(style)) ** 2).sum()

    gradients = jax.grad(total, argnums=(0, 1))(content, style)
    chex.assert_tree_all_finite(gradients)
    result = np.asarray(adain(content, feature_statistics(style)))
    # A constant channel stays constant, at the style's mean.
    np.testing.assert_allclose(
        result[..., 0],
        np.broadcast_to(
            style[..., 0].mean((1, 2), keepdims=True), result[..., 0].shape
        ),
        rtol=1e-5,
    )
    assert np.abs(result[..., 1]).max() < 0.05


def test_blending_is_the_weighted_sum_of_the_results():
    content, styles = features(0), [features(1), features(2, scale=4.0)]
    expected = 0.25 * numpy_adain(content, styles[0]) + 0.75 * numpy_adain(
        content, styles[1]
    )
    blended = blend_statistics([feature_statistics(s) for s in styles], (0.25, 0.75))
    np.testing.assert_allclose(adain(content, blended), expected, atol=1e-5)


def test_a_weight_of_one_is_that_style_bit_for_bit():
    first, second = (feature_statistics(features(seed)) for seed in (1, 2))
    blended = blend_statistics([first, second], (1.0, 0.0))
    chex.assert_trees_all_equal(blended, first)


def test_as_many_weights_as_styles():
    style = feature_statistics(features(1))
    with pytest.raises(ValueError):
        blend_statistics([style, style], (1.0,))


def test_regions_have_each_their_own_style():
    content = features(0, (1, 8, 10, 3))
    styles = [features(1, (1, 6, 6, 3)), features(2, (1, 6, 6, 3), scale=5.0)]
    left = np.zeros((1, 8, 10, 1), np.float32)
    left[:, :, :4] = 1
    result = np.asarray(
        adain_regions(
            content, [feature_statistics(s) for s in styles], [left, 1 - left]
        )
    )
    for region, style in ((result[:, :, :4], styles[0]), (result[:, :, 4:], styles[1])):
        np.testing.assert_allclose(region.mean((1, 2)), style.mean((1, 2)), rtol=1e-3)
        np.testing.assert_allclose(region.std((1, 2)), style.std((1, 2)), rtol=1e-3)
    # And is what AdaIN makes of the region cut out.
    np.testing.assert_allclose(
        result[:, :, :4], numpy_adain(content[:, :, :4], styles[0]), rtol=1e-3
    )


def test_masked_statistics_are_weighted_ones():
    content = features(0, (1, 5, 5, 2))
    mask = np.random.default_rng(3).random((1, 5, 5, 1)).astype(np.float32)
    flat, weights = content.reshape(-1, 2), mask.reshape(-1)
    mean = np.average(flat, axis=0, weights=weights)
    variance = np.average((flat - mean) ** 2, axis=0, weights=weights)
    result = feature_statistics(content, mask)
    np.testing.assert_allclose(result.mean.ravel(), mean, rtol=1e-5)
    np.testing.assert_allclose(result.std.ravel(), np.sqrt(variance + EPS), rtol=1e-5)


def test_an_empty_region_changes_nothing_and_is_finite():
    content = features(0)
    style = Statistics(jnp.zeros((2, 1, 1, 5)), jnp.ones((2, 1, 1, 5)))
    everywhere = np.ones((2, 7, 9, 1), np.float32)
    whole = feature_statistics(features(1))
    result = adain_regions(content, [whole, style], [everywhere, 0 * everywhere])
    np.testing.assert_allclose(result, adain(content, whole), rtol=1e-4, atol=1e-5)


def test_where_no_region_is_the_content_stays():
    content = features(0)
    left = np.zeros((2, 7, 9, 1), np.float32)
    left[:, :, :4] = 1
    result = adain_regions(content, [feature_statistics(features(1))], [left])
    np.testing.assert_allclose(result[:, :, 4:], content[:, :, 4:], rtol=1e-4)


@pytest.mark.parametrize("ddof", [0, 1])
def test_one_region_that_is_everywhere_is_plain_adain(ddof):
    # Four positions, where one more or less in the divisor shows.
    content, style = features(0, (1, 2, 2, 3)), features(1, (1, 2, 2, 3), scale=5.0)
    ones = np.ones((1, 2, 2, 1), np.float32)
    wanted = feature_statistics(style, ddof=ddof)
    flat, target = content.reshape(-1, 3), style.reshape(-1, 3)
    deviations = (np.sqrt(x.var(axis=0, ddof=ddof) + EPS) for x in (flat, target))
    own, other = deviations
    expected = (flat - flat.mean(0)) / own * other + target.mean(0)
    result = adain_regions(content, [wanted], [ones], ddof=ddof)
    np.testing.assert_allclose(result.reshape(-1, 3), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "style", [features(1), (features(1)[:, :1, :1], features(2)[:, :1, :1]), None]
)
def test_a_style_that_is_no_statistics_is_refused(style):
    """As other libraries' functions of the name take features."""
    with pytest.raises(NstjaxError, match="give nstjax.channel_mean_std"):
        adain(features(0), style)
