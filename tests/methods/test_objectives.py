"""Objectives: their terms, their targets, and the presets against PyTorch."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from nstjax.configuration import config_to_dict, load_config
from nstjax.errors import NstjaxError
from nstjax.methods.objectives import (
    PIXEL_DOMAINS,
    ObjectiveSpec,
    final_image,
    initial_pixels,
    make_targets,
    noise_pixels,
    objective,
)
from nstjax.methods.per_image import for_encoder
from nstjax.models import vgg

WIDTHS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
SMALL = dict(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0})
ALL_OPTIONS = dict(
    **SMALL,
    content_weight=2.0,
    style_weight=3.0,
    lap_weight=5.0,
    tv_weight=7.0,
    depth_weight=11.0,
    lap_pools=(2, 4),
    lap_pool_weights=(1.0, 0.5),
)
ALL_TERMS = ObjectiveSpec.from_options(ALL_OPTIONS)


def make_spec(**options):
    return ObjectiveSpec.from_options(options)


def all_terms_but(**options):
    return ObjectiveSpec.from_options(ALL_OPTIONS | options)


def encoder(input_map="imagenet", widths=WIDTHS[:3]):
    spec = vgg.VGGSpec(widths, input_map=input_map)
    params = vgg.init_params(jax.random.key(0), spec)
    if input_map == "learned":
        kernel = jax.random.normal(jax.random.key(1), (1, 1, 3, 3))
        params["conv0"] = {"kernel": kernel, "bias": jnp.full(3, -0.5)}
    return {"encoder": params, "depth": jnp.float32(2.0)}, spec


def disparity(factor, image):
    """A depth network of one weight: bright is near."""
    return 0.1 + factor * jnp.square(image).mean(axis=3, keepdims=True)


def random_pictures(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random(shape, np.float32) for shape in shapes]


def evaluate(spec, x, content, style, input_map="imagenet", **options):
    params, encoder_spec = encoder(input_map)
    shared = dict(spec=spec, encoder_spec=encoder_spec, disparity=disparity)
    targets = make_targets(params, content, style, **shared, **options)
    return objective(x, params, targets, **shared)


class ObjectiveTest(chex.TestCase):
    def test_temporal_term_is_the_mean_square_where_the_last_frame_holds(self):
        x, content, style, last = random_pictures(*[(1, 20, 24, 3)] * 4)
        holds = np.zeros((1, 20, 24, 1), np.float32)
        holds[:, :10] = 1
        spec = all_terms_but(temporal_weight=13.0)
        calculate = jax.jit(partial(evaluate, spec))
        without, terms = calculate(x, content, style)
        assert "temporal" not in terms
        total, terms = calculate(x, content, style, last=(last, holds))
        # Half of the pixels hold; the mean is over all of them.
        expected = np.square(x - last)[:, :10].mean() / 2
        np.testing.assert_allclose(terms["temporal"], expected, rtol=1e-5)
        np.testing.assert_allclose(total, without + 13 * expected, rtol=1e-5)

    @chex.variants(with_jit=True)
    def test_total_is_the_weighted_sum_of_unweighted_terms(self):
        x, content, style = random_pictures(*[(1, 20, 24, 3)] * 3)
        total, terms = self.variant(partial(evaluate, ALL_TERMS))(x, content, style)
        assert set(terms) == {"content", "style", "lap", "tv", "depth"}
        chex.assert_shape([total, *terms.values()], ())
        expected = (
            2 * terms["content"]
            + 3 * terms["style"]
            + 5 * terms["lap"]
            + 7 * terms["tv"]
            + 11 * terms["depth"]
        )
        np.testing.assert_allclose(total, expected, rtol=1e-6)
        # Each term by itself, at weight 1, is the same.
        for name, term in terms.items():
            alone = {f"{other}_weight": 0.0 for other in terms} | {f"{name}_weight": 1}
            spec = all_terms_but(**alone)
            total, only = self.variant(partial(evaluate, spec))(x, content, style)
            assert set(only) == {name}
            np.testing.assert_allclose(total, term, rtol=1e-5)

    @chex.variants(with_jit=True)
    def test_content_is_free_of_all_but_style_and_variation(self):
        content, style = random_pictures(*[(1, 20, 24, 3)] * 2)
        _, terms = self.variant(partial(evaluate, ALL_TERMS))(content, content, style)
        for name in ("content", "lap", "depth"):
            np.testing.assert_allclose(terms[name], 0, atol=1e-6)
        assert terms["style"] > 0 and terms["tv"] > 0

    @chex.variants(with_jit=True)
    def test_vmapped_pictures_equal_single_ones(self):
        x, content, style = random_pictures(*[(2, 1, 20, 24, 3)] * 3)
        function = partial(evaluate, ALL_TERMS)
        totals, terms = self.variant(jax.vmap(function))(x, content, style)
        for index in range(2):
            total, single = function(x[index], content[index], style[index])
            np.testing.assert_allclose(totals[index], total, rtol=1e-5)
            for name, term in single.items():
                np.testing.assert_allclose(terms[name][index], term, rtol=1e-4)


def count_convolutions(function, *arguments):
    return str(jax.make_jaxpr(function)(*arguments)).count("conv_general_dilated[")


def test_picture_is_encoded_once():
    content, style = random_pictures(*[(1, 32, 32, 3)] * 2)
    params, encoder_spec = encoder(widths=WIDTHS)
    options = dict(spec=make_spec(), encoder_spec=encoder_spec)
    targets = make_targets(params, content, style, **options)
    count = count_convolutions(partial(objective, **options), content, params, targets)
    # relu5_1 is convolution 13, and relu4_2 on its way.
    assert count == 13


def test_targets_go_no_deeper_than_their_own_layers():
    content, style = random_pictures(*[(1, 32, 32, 3)] * 2)
    params, encoder_spec = encoder(widths=WIDTHS)
    for weights, count in (
        (dict(style_weight=0.0), 10),
        (dict(content_weight=0.0), 13),
        (dict(), 23),
    ):
        options = dict(spec=make_spec(**weights), encoder_spec=encoder_spec)
        assert (
            count_convolutions(partial(make_targets, **options), params, content, style)
            == count
        )


def test_terms_of_weight_0_are_not_computed():
    content, style = random_pictures(*[(1, 20, 24, 3)] * 2)
    spec = make_spec(content_weight=0.0, style_weight=0.0, tv_weight=1.0)
    params, encoder_spec = encoder()
    options = dict(spec=spec, encoder_spec=encoder_spec)
    targets = make_targets(params, content, style, **options)
    assert set(targets) == {"tv"} and spec.layers == ()
    _, terms = objective(content, {"encoder": {}}, targets, **options)
    assert list(terms) == ["tv"]


def test_layers_of_factor_0_are_left_out():
    spec = make_spec(style_layers={"relu1_1": 0.5, "relu5_1": 0.0})
    style = {term.name: term.loss for term in spec.terms}["style"]
    assert style.style_layers == (("relu1_1", 0.5),)
    assert spec.layers == ("relu4_2", "relu1_1")


def test_layer_factors_multiply_their_layers():
    x, content, style = random_pictures(*[(1, 20, 24, 3)] * 3)

    def style_term(**layers):
        spec = make_spec(content_weight=0.0, style_layers=layers)
        return evaluate(spec, x, content, style)[1]["style"]

    expected = 0.25 * style_term(relu1_1=1.0) + 4 * style_term(relu2_1=1.0)
    np.testing.assert_allclose(
        style_term(relu1_1=0.25, relu2_1=4.0), expected, rtol=1e-5
    )


def test_several_styles_are_blended_by_their_grams():
    content, first, second = random_pictures(
        (1, 20, 24, 3), (1, 30, 17, 3), (1, 16, 40, 3)
    )
    params, encoder_spec = encoder()

    def gram(styles, blend=None):
        options = dict(spec=ALL_TERMS, encoder_spec=encoder_spec, disparity=disparity)
        targets = make_targets(params, content, styles, style_blend=blend, **options)
        return targets["style"][0][1]["relu1_1"]

    alone = gram(first), gram(second)
    np.testing.assert_allclose(
        gram([first, second]), (alone[0] + alone[1]) / 2, rtol=1e-5
    )
    np.testing.assert_allclose(
        gram([first, second], [3, 1]), 0.75 * alone[0] + 0.25 * alone[1], rtol=1e-5
    )
    np.testing.assert_array_equal(gram([first, second], [1, 0]), alone[0])


@pytest.mark.parametrize("blend", [(1.0,), (0.0, 0.0), (1.0, -1.0), (1.0, np.nan)])
def test_unusable_blends_are_refused(blend):
    content, first, second = random_pictures(*[(1, 20, 24, 3)] * 3)
    with pytest.raises(NstjaxError, match="blend"):
        evaluate(ALL_TERMS, content, content, [first, second], style_blend=blend)


@pytest.mark.parametrize("input_map", ["imagenet", "caffe", "learned"])
def test_domain_changes_no_term(input_map):
    picture, content, style = random_pictures(*[(1, 20, 24, 3)] * 3)
    params, encoder_spec = encoder(input_map)
    _, expected = evaluate(ALL_TERMS, picture, content, style, input_map)
    for domain in PIXEL_DOMAINS:
        spec = all_terms_but(pixel_domain=domain)
        x = initial_pixels(picture, params, spec=spec, encoder_spec=encoder_spec)
        _, terms = evaluate(spec, x, content, style, input_map)
        chex.assert_trees_all_close(terms, expected, rtol=1e-3)
        image = final_image(x, params, spec=spec, encoder_spec=encoder_spec)
        np.testing.assert_allclose(image, picture, atol=1e-5)


def test_caffe_domain_is_bgr_from_minus_mean():
    params, encoder_spec = encoder()
    spec = make_spec(pixel_domain="caffe")
    red = np.float32([1, 0, 0]).reshape(1, 1, 1, 3)
    pixels = initial_pixels(red, params, spec=spec, encoder_spec=encoder_spec)
    np.testing.assert_allclose(
        pixels.ravel(), [-103.939, -116.779, 255 - 123.68], rtol=1e-5
    )


def test_final_image_is_clipped():
    params, encoder_spec = encoder()
    x = np.float32([-0.5, 0.25, 1.5]).reshape(1, 1, 1, 3)
    image = final_image(x, params, spec=make_spec(), encoder_spec=encoder_spec)
    np.testing.assert_array_equal(image.ravel(), [0, 0.25, 1])


def test_noise_is_around_the_mean_colour():
    """Of the domain: torch.randn and torch.randn's Lua form lie around 0 there."""
    params, encoder_spec = encoder()
    for domain, mean in (
        ("unit", [0.485, 0.456, 0.406]),
        ("imagenet", [0, 0, 0]),
        ("caffe", [0, 0, 0]),
    ):
        x = noise_pixels(
            jax.random.key(0),
            (1, 100, 120, 3),
            params,
            deviation=0.1,
            spec=make_spec(pixel_domain=domain),
            encoder_spec=encoder_spec,
        )
        assert x.shape == (1, 100, 120, 3)
        np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), mean, atol=0.01)
        np.testing.assert_allclose(x.std(axis=(0, 1, 2)), 0.1, rtol=0.05)


def test_pixel_scale_multiplies_what_lap_and_tv_see():
    x, content, style = random_pictures(*[(1, 20, 24, 3)] * 3)
    _, terms = evaluate(ALL_TERMS, x, content, style)
    spec = all_terms_but(pixel_scale=256.0)
    _, scaled = evaluate(spec, x, content, style)
    for name, factor in (("lap", 256**2), ("tv", 256**2), ("content", 1), ("style", 1)):
        np.testing.assert_allclose(scaled[name], factor * terms[name], rtol=1e-5)


def test_feature_scale_multiplies_what_content_and_style_see():
    x, content, style = random_pictures(*[(1, 20, 24, 3)] * 3)
    _, terms = evaluate(ALL_TERMS, x, content, style)
    spec = all_terms_but(feature_scale=3.0)
    _, scaled = evaluate(spec, x, content, style)
    for name, factor in (("content", 3**2), ("style", 3**4), ("lap", 1), ("tv", 1)):
        np.testing.assert_allclose(scaled[name], factor * terms[name], rtol=1e-4)


def test_depth_term_needs_its_network():
    content, style = random_pictures(*[(1, 20, 24, 3)] * 2)
    params, encoder_spec = encoder()
    with pytest.raises(ValueError, match="disparity"):
        make_targets(params, content, style, spec=ALL_TERMS, encoder_spec=encoder_spec)


def test_spec_is_hashable_and_takes_config_values():
    layers = {"relu1_1": 0.5, "relu2_1": 2}
    plain = make_spec(style_layers=layers, lap_pools=[4, 16], lap_pool_weights=[1, 2])
    from_config = make_spec(
        style_layers=ConfigDict(layers), lap_pools=(4, 16), lap_pool_weights=(1.0, 2.0)
    )
    assert plain == from_config and hash(plain) == hash(from_config)
    style = {term.name: term.loss for term in plain.terms}["style"]
    assert style.style_layers == (("relu1_1", 0.5), ("relu2_1", 2.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(content_weight=-1.0), "content_weight must be 0 or positive"),
        (dict(tv_weight=float("nan")), "tv_weight must be 0 or positive"),
        (dict(style_weight=float("inf")), "style_weight must be 0 or positive"),
        (dict(style_layers={"relu1_1": -1.0}), "style_layers.relu1_1"),
        (dict(content_layers={}), "content_layers names no layer"),
        (dict(style_layers={"relu1_1": 0.0}), "style_layers names no layer"),
        (dict(content_weight=0.0, style_weight=0.0), "nothing to optimise"),
        (dict(content_normalisation="sum"), "half_sum"),
        (dict(gram_normalisation="mean"), "chw"),
        (dict(style_normalisation="sum"), "gatys"),
        (dict(style_normalisation="gatys", gram_normalisation="chw"), "hw"),
        (dict(lap_channels="grey"), "each"),
        (dict(lap_reduction="max"), "relative"),
        (dict(lap_reduction="relative", pixel_scale=256.0), "pixel_scale"),
        (dict(lap_pools=(4, 16)), "same length"),
        (dict(lap_pools=(0,)), "whole numbers"),
        (dict(lap_pools=(2.5,)), "whole numbers"),
        (dict(lap_pool_weights=(-1.0,)), "lap_pool_weights"),
        (dict(tv_kind="l2"), "mean_squares"),
        (dict(depth_norm="l3"), "l1"),
        (dict(pixel_domain="bgr"), "caffe"),
        (dict(pixel_scale=0.0), "pixel_scale"),
        (dict(feature_scale=float("nan")), "feature_scale"),
    ],
)
def test_unusable_specs_are_refused(change, message):
    with pytest.raises(NstjaxError, match=message):
        make_spec(**change)


def preset(method, name):
    """A preset's options as the command line reads them."""
    return config_to_dict(load_config(f"{method}:{name}"))


@pytest.mark.parametrize("method", ["gatys", "lapstyle"])
@pytest.mark.parametrize("name", ["best", "reference", "paper"])
def test_presets_are_whole(method, name):
    options = preset(method, name)
    spec = ObjectiveSpec.from_options(for_encoder(options, vgg.VGGSpec()))
    assert options["method"] == method
    names = {term.name for term in spec.terms}
    assert ("lap" in names) == (method == "lapstyle")
    vgg.check_layers(spec.layers, vgg.VGGSpec(vgg.FULL_WIDTHS[:13]))


@pytest.mark.parametrize("method", ["gatys", "lapstyle"])
def test_unknown_preset_is_refused(method):
    with pytest.raises(NstjaxError, match="best, vgg19, reference, paper"):
        load_config(f"{method}:worst")


@pytest.fixture(scope="module")
def reference(torch_reference):
    return torch_reference("torch_vgg")


@pytest.fixture(scope="module")
def slim_weights(reference):
    return reference.he_weights(shrink=8)


def caffe_network(reference, weights, **pooled):
    """The network from Caffe pixels on."""
    network = reference.VGG19(weights, padding="zero", input_map=lambda x: x, **pooled)
    spec = vgg.VGGSpec(
        [len(bias) for _, bias in weights.values()], input_map="caffe", **pooled
    )
    return network, {"encoder": reference.to_params(weights)}, spec


def assert_same_total_and_gradient(
    reference, method, weights, torch_total, name="reference"
):
    """Compares a preset with PyTorch at a picture of odd sides.

    `torch_total` maps the Caffe pixels of picture and content, and their
    features and the style's, to the reference's total.
    """
    import torch

    options = preset(method, name)
    network, params, encoder_spec = caffe_network(
        reference,
        weights,
        pooling=options["pooling"],
        rounding=options["rounding"] or "floor",
    )
    spec = ObjectiveSpec.from_options(for_encoder(options, encoder_spec))
    assert spec.pixel_domain == "caffe"
    pictures = random_pictures(*[(1, 45, 38, 3)] * 3)
    to_caffe = reference.InputMap("caffe")
    x, content, style = (to_caffe(reference.from_numpy(p)) for p in pictures)
    x.requires_grad_()
    with torch.no_grad():
        content_features, style_features = network(content), network(style)
    expected = torch_total(x, content, network(x), content_features, style_features)
    expected.backward()

    options = dict(spec=spec, encoder_spec=encoder_spec)
    targets = make_targets(params, *pictures[1:], **options)
    function = jax.jit(jax.value_and_grad(partial(objective, **options), has_aux=True))
    (total, _), gradient = function(reference.to_numpy(x), params, targets)
    np.testing.assert_allclose(total, expected.item(), rtol=1e-4)
    difference = gradient - reference.to_numpy(x.grad)
    assert np.linalg.norm(difference) < 1e-4 * np.linalg.norm(gradient)


def test_gatys_reference_is_the_notebook(reference, slim_weights):
    def torch_total(x, content, features, content_features, style_features):
        losses = reference.notebook_losses(
            features, content_features["relu4_2"], style_features
        )
        return sum(losses)

    assert_same_total_and_gradient(reference, "gatys", slim_weights, torch_total)


def test_lapstyle_reference_is_the_lua_script(reference, slim_weights):
    # loadcaffe's pooling.
    assert preset("lapstyle", "reference")["rounding"] == "ceil"

    def torch_total(x, content, features, content_features, style_features):
        content_loss, style_loss = reference.neural_style_losses(
            features, content_features["relu4_2"], style_features
        )
        # The script's pixels are 256 times [0, 1]; Caffe's are 255 times.
        x, content = (pixels * 256 / 255 for pixels in (x, content))
        lap_loss = (
            (
                reference.lapstyle_response(x, 4)
                - reference.lapstyle_response(content, 4)
            )
            .square()
            .mean()
        )
        variation = reference.neural_style_variation(x)
        return 5 * content_loss + 100 * style_loss + 100 * lap_loss + 1e-3 * variation

    assert_same_total_and_gradient(reference, "lapstyle", slim_weights, torch_total)


def paper_total(features, content_features, style_features):
    """Gatys et al., 2015, equations 1, 3, 4, 5 and 7, at the paper's weights."""
    content = (features["relu4_2"] - content_features["relu4_2"]).square().sum() / 2
    style = 0.0
    for layer in (f"relu{block}_1" for block in range(1, 6)):
        grams = []
        for maps in (features[layer][0], style_features[layer][0]):
            flat = maps.flatten(start_dim=1)
            grams.append(flat @ flat.T)
        channels, positions = flat.shape
        error = (grams[0] - grams[1]).square().sum()
        style = style + error / (4 * channels**2 * positions**2) / 5
    return content + 1e3 * style


def test_gatys_paper_is_the_paper_s_equations(reference, slim_weights):
    def torch_total(x, content, features, content_features, style_features):
        return paper_total(features, content_features, style_features)

    assert preset("gatys", "paper")["pooling"] == "average"
    assert_same_total_and_gradient(
        reference, "gatys", slim_weights, torch_total, name="paper"
    )


def test_lapstyle_paper_adds_the_laplacians_squares(reference, slim_weights):
    def torch_total(x, content, features, content_features, style_features):
        total = paper_total(features, content_features, style_features)
        ours, theirs = (reference.lapstyle_response(p / 255, 4) for p in (x, content))
        return total + 5e4 * (ours - theirs).square().sum()

    assert_same_total_and_gradient(
        reference, "lapstyle", slim_weights, torch_total, name="paper"
    )
