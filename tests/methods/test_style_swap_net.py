"""Style-Swap in one pass: encode, swap, decode; by its options, files and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax import api
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, save_weights, sha256_of
from nstjax.methods import feedforward, images
from nstjax.methods.options import method_options
from nstjax.methods.specs import TransferSpec
from nstjax.models import decoders, vgg
from nstjax.transforms.style_swap import style_swap
from nstjax.weights.pretrained import load_decoder, load_encoder

# Compiled: one operation after another takes seconds.
decode = jax.jit(decoders.decode, static_argnames="spec")
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

ENCODER = vgg.VGGSpec(widths=(4, 5, 6, 7, 8), padding="reflect")
DECODER = decoders.DecoderSpec.mirror("relu3_1", ENCODER.widths)
SPEC = TransferSpec(ENCODER, DECODER)


@pytest.fixture(scope="module")
def params():
    encoder = vgg.init_params(jax.random.key(1), ENCODER)
    decoder = decoders.init_params(jax.random.key(2), DECODER)
    # Around the middle of the range, so that clipping hides nothing.
    last = decoder["conv1_1"]
    decoder["conv1_1"] = {"kernel": 0.1 * last["kernel"], "bias": last["bias"] + 0.5}
    return {"encoder": encoder, "decoder": decoder}


def pictures(*sizes):
    rng = np.random.default_rng(0)
    return [rng.random((*size, 3), np.float32) for size in sizes]


def features_of(params, picture):
    image = jnp.asarray(picture)[None]
    features = vgg_features(params["encoder"], image, ("relu3_1",), spec=ENCODER)
    return features["relu3_1"]


def decoded(params, features):
    image = decode(params["decoder"], features, spec=DECODER)
    return np.clip(image, 0, 1)


def transfer(params, content, styles, *, masks=None, **options):
    """A picture [1, H, W, 3] of a content [H, W, 3] and features of styles."""
    features = feedforward.encode(params, content[None], spec=SPEC)
    swapped = feedforward.swap_features(
        features,
        [{"relu3_1": style} for style in styles],
        feature_masks=masks
        and [feedforward.feature_mask(mask, spec=SPEC) for mask in masks],
        **options,
    )
    return feedforward.decode(params, swapped, size=content.shape[:2], spec=SPEC)


def test_it_decodes_the_swapped_features(params):
    content, first, second = pictures((32, 40), (36, 28), (28, 48))
    c, f, s = (features_of(params, x) for x in (content, first, second))

    both = style_swap(c, [f, s])
    alone = [style_swap(c, x) for x in (f, s)]
    for options, features in (
        ({}, both),
        ({"alpha": 0.25}, 0.75 * c + 0.25 * both),
        ({"weights": (0.75, 0.25)}, 0.75 * alone[0] + 0.25 * alone[1]),
        ({"patch_size": 5, "stride": 2}, style_swap(c, [f, s], patch_size=5, stride=2)),
    ):
        expected = decoded(params, features)
        # Something to see, and nothing lost at the range's ends.
        assert expected.std() > 0.01 and 0 < expected.min() and expected.max() < 1
        image = transfer(params, content, [f, s], **options)
        np.testing.assert_allclose(image, expected, atol=1e-5)


def test_masks_choose_between_styles(params):
    content, first, second = pictures((32, 40), (36, 28), (28, 48))
    c, f, s = (features_of(params, x) for x in (content, first, second))
    left = np.zeros((1, 32, 40, 1), np.float32)
    left[:, :, :20] = 1
    image = transfer(params, content, [f, s], masks=[left, 1 - left])
    one, other = (decoded(params, style_swap(c, x)) for x in (f, s))
    # Away from the seam, whose neighbours the convolutions mix.
    np.testing.assert_allclose(image[:, :, :4], one[:, :, :4], atol=1e-5)
    np.testing.assert_allclose(image[:, :, -4:], other[:, :, -4:], atol=1e-5)
    assert np.abs(one - other)[:, :, :4].max() > 1e-3


def test_where_no_mask_is_the_content_stays(params):
    content, first, second = pictures((32, 40), (36, 28), (28, 48))
    c, f, s = (features_of(params, x) for x in (content, first, second))
    left = np.zeros((1, 32, 40, 1), np.float32)
    left[:, :, :20] = 1
    image = transfer(params, content, [f, s], masks=[left, 0 * left])
    painted, kept = decoded(params, style_swap(c, f)), decoded(params, c)
    np.testing.assert_allclose(image[:, :, :4], painted[:, :, :4], atol=1e-5)
    np.testing.assert_allclose(image[:, :, -4:], kept[:, :, -4:], atol=1e-5)
    assert np.abs(painted - kept)[:, :, -4:].max() > 1e-3


@pytest.fixture(scope="module")
def files(params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    encoder, decoder = folder / "encoder.safetensors", folder / "decoder.safetensors"
    metadata = WeightsMetadata("vgg19", "tiny", ENCODER.to_dict(), "", "")
    save_weights(encoder, params["encoder"], metadata)
    notes = {"transform": "style_swap", "encoder_sha256": sha256_of(encoder)}
    metadata = WeightsMetadata(
        "decoder", "tiny-net", DECODER.to_dict(), "", "", notes=notes
    )
    save_weights(decoder, params["decoder"], metadata)
    return {"encoder": str(encoder), "decoder": str(decoder)}


def test_from_pictures_to_a_picture(params, files):
    content, style = pictures((45, 50), (60, 48))
    image = api.stylize(content, style, method="style-swap-net", **files)
    assert image.shape == content.shape and image.dtype == np.float32
    # The style's shorter side is the content's, to 8 pixels: nothing is resized.
    padded = [
        np.pad(x, [(0, -side % 4) for side in x.shape[:2]] + [(0, 0)], "reflect")
        for x in (content, style)
    ]
    features = style_swap(*(features_of(params, x) for x in padded))
    expected = decoded(params, features)[0, :45, :50]
    np.testing.assert_allclose(image, expected, atol=1e-5)


def test_options_reach_the_swap(params, files):
    content, *styles = pictures((48, 56), (48, 48), (48, 60))
    common = {"method": "style-swap-net"} | files
    image = api.stylize(
        content,
        styles,
        style_blend=[1, 3],
        alpha=0.5,
        patch_size=5,
        stride=2,
        **common,
    )
    c, *s = (features_of(params, x) for x in (content, *styles))
    swapped = [style_swap(c, x, patch_size=5, stride=2) for x in s]
    features = 0.5 * c + 0.5 * (0.25 * swapped[0] + 0.75 * swapped[1])
    np.testing.assert_allclose(image, decoded(params, features)[0], atol=1e-5)


def test_a_decoder_paints_what_it_was_trained_for(files):
    content, style = pictures((48, 48), (48, 48))
    with pytest.raises(NstjaxError, match="trained for style_swap, not adain"):
        api.stylize(content, style, method="adain", **files)


def test_gaps_are_refused(files):
    content, style = pictures((48, 48), (48, 48))
    with pytest.raises(NstjaxError, match="leave no gaps"):
        api.stylize(content, style, method="style-swap-net", stride=4, **files)


def test_methods_have_their_options():
    leaves = method_options("style-swap-net", options={"stride": 2})
    assert (leaves["patch_size"], leaves["stride"], leaves["alpha"]) == (3, 2, 1.0)
    leaves = method_options("style-swap", options={"patch_size": 5, "alpha": 0.5})
    assert (leaves["method"], leaves["patch_size"]) == ("style-swap", 5)
    with pytest.raises(NstjaxError, match="gatys swaps none; choose style-swap"):
        method_options("gatys", options={"alpha": 0.5})
    with pytest.raises(NstjaxError, match="has no option 'patch_size'"):
        method_options("adain", options={"patch_size": 5})


def test_the_optimised_form_paints(files):
    content, style = pictures((64, 72), (64, 64))
    image = api.stylize(
        content, style, method="style-swap", iterations=3, encoder=files["encoder"]
    )
    assert image.shape == content.shape
    assert 0 <= image.min() and image.max() <= 1
    assert np.abs(image - content).max() > 0.01


def test_the_bundled_network_comes_near_the_swapped_features():
    """Much nearer than the content itself; and without a style it reconstructs."""
    encoder = load_encoder("vgg19-slim")
    decoder = load_decoder("style-swap-slim")
    assert decoder.metadata.notes["encoder_sha256"] == encoder.sha256

    def encode(picture):
        image = jnp.asarray(picture)[None]
        layers = ("relu3_1",)
        found = vgg_features(encoder.params, image, layers, spec=encoder.spec)
        return found["relu3_1"]

    content = images.read_picture("astronaut")[40:232, 100:292]
    style = images.read_picture("wave")[:192, :192]
    target = np.asarray(style_swap(encode(content), encode(style)))

    def distance(picture):
        return np.square(np.asarray(encode(picture)) - target).mean()

    painted = api.stylize(content, style, method="style-swap-net")
    assert distance(painted) < 0.75 * distance(content)
    again = api.stylize(content, style, method="style-swap-net", alpha=0.0)
    assert -10 * np.log10(np.square(again - content).mean()) > 20
