"""Style-Swap's optimisation form: its target, its presets, the code it follows."""

from functools import partial

import jax
import numpy as np
import pytest

from nstjax import api
from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError
from nstjax.methods.objectives import ObjectiveSpec, make_targets, objective
from nstjax.methods.per_image import for_encoder
from nstjax.models import vgg

# Compiled: one operation after another takes seconds.
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

pytestmark = pytest.mark.slow

WIDTHS = (3, 4, 5, 6, 7)
OPTIONS = dict(content_weight=0.0, style_weight=0.0, swap_weight=2.0)
SWAP = ObjectiveSpec.from_options(OPTIONS)


def pictures(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((1, *size, 3), np.float32) for size in sizes]


def encoder():
    spec = vgg.VGGSpec(WIDTHS)
    return {"encoder": vgg.init_params(jax.random.key(0), spec)}, spec


def features_of(picture):
    params, spec = encoder()
    features = vgg_features(params["encoder"], picture, ("relu3_1",), spec=spec)
    return np.asarray(features["relu3_1"])


def swapped(content, styles, size=3):
    """The target by brute force, of features [1, H, W, C], stride 1."""
    windows = [
        np.lib.stride_tricks.sliding_window_view(f[0], (size, size), axis=(0, 1))
        for f in (content, *styles)
    ]
    patches, *style = (w.reshape(*w.shape[:2], -1) for w in windows)
    style = np.concatenate([s.reshape(-1, s.shape[-1]) for s in style])
    best = (patches @ (style / np.linalg.norm(style, axis=1, keepdims=True)).T).argmax(
        -1
    )
    total, count = np.zeros(content.shape[1:]), np.zeros((*content.shape[1:3], 1))
    for row, column in np.ndindex(*best.shape):
        window = np.s_[row : row + size, column : column + size]
        patch = style[best[row, column]].reshape(-1, size, size)
        total[window] += patch.transpose(1, 2, 0)
        count[window] += 1
    return (total / count)[None]


def targets_of(spec, content, styles, **options):
    params, encoder_spec = encoder()
    return make_targets(
        params, content, styles, spec=spec, encoder_spec=encoder_spec, **options
    )


def test_the_target_is_the_swapped_features():
    content, first, second = pictures((32, 40), (36, 28), (28, 48))
    c, f, s = (features_of(x) for x in (content, first, second))
    for styles, features in ((first, [f]), ([first], [f]), ([first, second], [f, s])):
        targets = targets_of(SWAP, content, styles)
        assert set(targets) == {"swap"}
        np.testing.assert_allclose(
            targets["swap"][0][1], swapped(c, features), rtol=1e-4, atol=1e-5
        )


def test_blended_styles_are_swapped_one_by_one():
    content, first, second = pictures((32, 40), (36, 28), (28, 48))
    c, f, s = (features_of(x) for x in (content, first, second))
    targets = targets_of(SWAP, content, [first, second], style_blend=[3, 1])
    expected = 0.75 * swapped(c, [f]) + 0.25 * swapped(c, [s])
    np.testing.assert_allclose(targets["swap"][0][1], expected, rtol=1e-4, atol=1e-5)


def test_alpha_scale_and_patch_size():
    content, style = pictures((32, 40), (36, 28))
    c, s = features_of(content), features_of(style)
    spec = ObjectiveSpec.from_options(
        OPTIONS | dict(alpha=0.25, feature_scale=3.0, patch_size=5)
    )
    targets = targets_of(spec, content, style)
    expected = 3 * (0.75 * c + 0.25 * swapped(c, [s], 5))
    np.testing.assert_allclose(targets["swap"][0][1], expected, rtol=1e-4, atol=1e-5)


def test_the_term_is_the_distance_to_the_target():
    x, content, style = pictures((32, 40), (32, 40), (36, 28))
    params, encoder_spec = encoder()
    targets = targets_of(SWAP, content, style)
    total, terms = objective(x, params, targets, spec=SWAP, encoder_spec=encoder_spec)
    assert SWAP.layers == ("relu3_1",) and set(terms) == {"swap"}
    expected = np.square(features_of(x) - targets["swap"][0][1]).mean()
    np.testing.assert_allclose(terms["swap"], expected, rtol=1e-4)
    np.testing.assert_allclose(total, 2 * expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(alpha=1.5), "alpha must be from 0 to 1"),
        (dict(alpha=float("nan")), "alpha must be from 0 to 1"),
        (dict(swap_normalisation="sum"), "swap_normalisation must be one of mean"),
        (dict(swap_gradient="l1"), "swap_gradient must be one of plain, unit_l1"),
        (dict(swap_weight=-1.0), "swap_weight must be 0 or positive"),
    ],
)
def test_unusable_specs_are_refused(change, message):
    with pytest.raises(NstjaxError, match=message):
        ObjectiveSpec.from_options(OPTIONS | change)


def preset(name):
    return config_to_dict(load_config(f"style_swap:{name}"))


@pytest.mark.parametrize("name", ["best", "reference", "paper"])
def test_presets_are_whole(name):
    options = preset(name)
    spec = ObjectiveSpec.from_options(for_encoder(options, vgg.VGGSpec()))
    assert options["method"] == "style-swap"
    terms = {term.name: term for term in spec.terms}
    assert set(terms) == {"swap", "tv"} and terms["tv"].weight > 0
    swap = terms["swap"].loss
    assert (spec.layers, swap.patch_size, swap.stride) == (("relu3_1",), 3, 1)


def test_the_reference_optimises_as_published():
    options = preset("reference")
    names = ("optimizer", "learning_rate", "iterations", "init", "clamp", "pooling")
    assert [options[name] for name in names] == [
        *("adam", 0.05, 100, "content", True, "max")
    ]
    # Torch's image.scale.
    assert options["resampling"] == "bilinear"


def test_reference_is_the_lua_script(torch_reference):
    """One step's gradient, by PyTorch: unit L1 norm at relu3_1, then VGG, then TV."""
    import torch

    reference = torch_reference("torch_vgg")
    weights = reference.he_weights(shrink=8)
    network = reference.VGG19(
        weights,
        padding="zero",
        pooling="max",
        rounding="floor",
        input_map=reference.InputMap("caffe"),
    )
    params = {"encoder": reference.to_params(weights)}
    encoder_spec = vgg.VGGSpec(
        [len(bias) for _, bias in weights.values()], input_map="caffe"
    )
    spec = ObjectiveSpec.from_options(for_encoder(preset("reference"), encoder_spec))
    assert spec.pixel_domain == "unit"
    content, style = pictures((45, 38), (33, 50))
    (x,) = pictures((45, 38), seed=1)

    tensors = [reference.from_numpy(p) for p in (x, content, style)]
    tensors[0].requires_grad_()
    features, of_content, of_style = (network(t)["relu3_1"] for t in tensors)
    target = reference.from_numpy(
        swapped(
            *(reference.to_numpy(f) for f in (of_content,)),
            [reference.to_numpy(of_style)],
        ).astype(np.float32)
    )
    loss = torch.nn.functional.mse_loss(features, target)
    (at_layer,) = torch.autograd.grad(loss, features, retain_graph=True)
    features.backward(at_layer / (at_layer.norm(1) + 1e-8), retain_graph=True)
    # TotalVariation stands behind the preprocessing, so it sees 255 times as much.
    picture = 255 * tensors[0]
    variation = (picture[:, :, 1:] - picture[:, :, :-1]).square().sum() + (
        picture[:, :, :, 1:] - picture[:, :, :, :-1]
    ).square().sum()
    (1e-7 * variation).backward()
    expected = reference.to_numpy(tensors[0].grad)

    shared = dict(spec=spec, encoder_spec=encoder_spec)
    targets = make_targets(params, content, style, **shared)
    gradient, terms = jax.jit(jax.grad(partial(objective, **shared), has_aux=True))(
        x, params, targets
    )
    np.testing.assert_allclose(terms["swap"], loss.item(), rtol=1e-4)
    np.testing.assert_allclose(terms["tv"], variation.item(), rtol=1e-4)
    # Both terms are seen in the gradient.
    difference = np.linalg.norm(gradient - expected)
    assert difference < 1e-3 * np.linalg.norm(expected)


def test_the_best_preset_begins_in_the_styles_colours():
    """Its beginning has the style's colour mean and covariance, by NumPy."""
    content, style = (0.3 + 0.4 * p[0] for p in pictures((64, 72), (80, 64)))
    assert preset("best")["init"] == "recoloured"
    begun = api.stylize(
        content,
        style,
        method="style-swap",
        optimizer="adam",
        # So small a step that the picture stays what it began as.
        learning_rate=1e-7,
        iterations=1,
        stages=(),
    )
    (one, other) = (p.reshape(-1, 3).astype(np.float64) for p in (begun, style))
    np.testing.assert_allclose(one.mean(0), other.mean(0), atol=2e-3)
    np.testing.assert_allclose(np.cov(one.T), np.cov(other.T), atol=5e-4)
    assert np.corrcoef(begun.mean(2).ravel(), content.mean(2).ravel())[0, 1] > 0.9


def test_a_style_of_no_weight_lends_the_beginning_no_colour():
    content, style = (p[0] for p in pictures((64, 72), (80, 64)))
    red = np.broadcast_to(np.float32([0.9, 0.1, 0.1]), (64, 64, 3))
    options = dict(method="style-swap", optimizer="adam", learning_rate=1e-7)
    options |= dict(iterations=1, stages=())
    alone = api.stylize(content, style, **options)
    both = api.stylize(content, [style, red], style_blend=[1, 0], **options)
    np.testing.assert_allclose(both, alone, atol=1e-5)
    even = api.stylize(content, [style, red], **options)
    middle = (alone.mean((0, 1)) + [0.9, 0.1, 0.1]) / 2
    np.testing.assert_allclose(even.mean((0, 1)), middle, atol=0.02)
