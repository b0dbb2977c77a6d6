"""Transfer in one pass, with random networks."""

import chex
import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.methods import feedforward
from nstjax.methods.networks import check_encoder
from nstjax.methods.specs import PainterTransferSpec, TransferSpec
from nstjax.models import decoders, painter, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.painter import PainterSpec
from nstjax.models.vgg import VGGSpec

# Compiled: one operation after another takes minutes.
encode_style = jax.jit(feedforward.encode_style, static_argnames="spec")
adain_transfer = jax.jit(
    feedforward.adain_transfer, static_argnames=("spec", "weights")
)
decode = jax.jit(decoders.decode, static_argnames="spec")
vgg_features = jax.jit(vgg.features, static_argnames=("layers", "spec"))

WIDTHS = (4, 4, 6, 6, 8, 8, 8, 8, 12)


def make_networks(layer="relu4_1"):
    encoder = VGGSpec(WIDTHS, "reflect", "max", "floor", "imagenet")
    decoder = DecoderSpec.mirror(layer, WIDTHS)
    keys = jax.random.split(jax.random.key(0))
    params = {
        "encoder": vgg.init_params(keys[0], encoder),
        "decoder": decoders.init_params(keys[1], decoder),
    }
    # Around grey, so that nothing is clipped away.
    params["decoder"]["conv1_1"]["kernel"] *= 0.05
    params["decoder"]["conv1_1"]["bias"] += 0.5
    return params, TransferSpec(encoder, decoder)


def make_painter():
    spec = PainterSpec(((4, 6), (8,), (10,)), ((9,), (8,), (6,)), 5)
    params = painter.init_params(jax.random.key(0), spec)
    rng = np.random.default_rng(0)
    for name in spec.styled:  # which begin without any effect
        kernel = params["style"][name]["kernel"]
        params["style"][name]["kernel"] = 0.3 * rng.standard_normal(
            kernel.shape
        ).astype(np.float32)
    return params, PainterTransferSpec(spec)


BOTH = pytest.mark.parametrize("make", [make_networks, make_painter])


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((1, height, width, 3)).astype(np.float32)


@BOTH
@pytest.mark.parametrize("size", [(32, 40), (33, 47)])
def test_the_result_has_the_contents_size_and_range(size, make):
    params, spec = make()
    style = encode_style(params, picture(48, 48, 1), spec=spec)
    image = adain_transfer(params, picture(*size), [style], spec=spec)
    chex.assert_shape(image, (1, *size, 3))
    assert 0 <= image.min() and image.max() <= 1


@BOTH
def test_odd_sizes_are_those_of_the_picture_continued_by_reflection(make):
    params, spec = make()
    style = encode_style(params, picture(48, 48, 1), spec=spec)
    content = picture(33, 37)
    continued = np.pad(content, ((0, 0), (0, 7), (0, 3), (0, 0)), mode="reflect")
    expected = adain_transfer(params, continued, [style], spec=spec)
    image = adain_transfer(params, content, [style], spec=spec)
    np.testing.assert_allclose(image, expected[:, :33, :37], atol=1e-5)


def test_alpha_0_is_the_decoders_reconstruction():
    params, spec = make_networks()
    content = picture(32, 32)
    style = encode_style(params, picture(48, 48, 1), spec=spec)
    features = vgg_features(
        params["encoder"], content, ("relu4_1",), spec=spec.encoder
    )["relu4_1"]
    expected = decode(params["decoder"], features, spec=spec.decoder)
    image = adain_transfer(params, content, [style], alpha=0.0, spec=spec)
    np.testing.assert_allclose(image, np.clip(expected, 0, 1), atol=1e-5)


@BOTH
def test_a_picture_in_its_own_style_is_its_reconstruction(make):
    params, spec = make()
    content = picture(32, 32)
    own = encode_style(params, content, spec=spec)
    both = [
        adain_transfer(params, content, [own], alpha=alpha, spec=spec)
        for alpha in (0.0, 1.0)
    ]
    np.testing.assert_allclose(both[0], both[1], atol=1e-4)


@BOTH
def test_a_blend_of_1_and_0_is_the_first_style_bit_for_bit(make):
    params, spec = make()
    styles = [encode_style(params, picture(48, 48, seed), spec=spec) for seed in (1, 2)]
    alone = adain_transfer(params, picture(32, 32), styles[:1], spec=spec)
    blended = adain_transfer(
        params, picture(32, 32), styles, weights=(1.0, 0.0), spec=spec
    )
    np.testing.assert_array_equal(alone, blended)


@BOTH
def test_far_from_the_border_a_region_shows_its_own_style_alone(make):
    params, spec = make()
    content = picture(32, 160)
    styles = [
        encode_style(params, picture(48, 48, seed) ** power, spec=spec)
        for seed, power in ((1, 1), (2, 4))
    ]
    left = np.zeros((1, 32, 160, 1), np.float32)
    left[:, :, :80] = 1

    def paint(first, second):
        return np.asarray(
            adain_transfer(
                params, content, [first, second], masks=[left, 1 - left], spec=spec
            )
        )

    both = paint(*styles)
    # The decoder's receptive field reaches no further than 32 pixels.
    np.testing.assert_allclose(
        both[:, :, :48], paint(styles[0], styles[0])[:, :, :48], atol=1e-5
    )
    np.testing.assert_allclose(
        both[:, :, 112:], paint(styles[1], styles[1])[:, :, 112:], atol=1e-4
    )
    assert np.abs(both[:, :, :48] - paint(styles[1], styles[1])[:, :, :48]).max() > 1e-3


@BOTH
def test_what_no_mask_covers_stays_the_content(make):
    params, spec = make()
    content = picture(32, 160)
    style = encode_style(params, picture(48, 48, 1) ** 4, spec=spec)
    left = np.zeros((1, 32, 160, 1), np.float32)
    left[:, :, :80] = 1
    image = adain_transfer(params, content, [style], masks=[left], spec=spec)
    kept, painted = (
        adain_transfer(params, content, [style], alpha=alpha, spec=spec)
        for alpha in (0.0, 1.0)
    )
    np.testing.assert_allclose(image[:, :, 112:], kept[:, :, 112:], atol=1e-4)
    assert np.abs(painted - kept)[:, :, 112:].max() > 1e-3


def test_a_decoder_of_another_publisher_s_encoder_is_refused():
    def metadata(kind, **notes):
        return WeightsMetadata(kind, "it", {}, "source", "none", notes=notes)

    decoder = metadata("decoder", encoder="normalised")
    check_encoder(decoder, metadata("vgg19", variant="normalised"), "0")
    check_encoder(metadata("decoder"), metadata("vgg19", variant="caffe"), "0")
    with pytest.raises(NstjaxError, match="another VGG-19 .normalised. than it .caffe"):
        check_encoder(decoder, metadata("vgg19", variant="caffe"), "0")


def test_a_decoder_of_another_encoder_is_refused():
    encoder = VGGSpec(WIDTHS, "reflect", "max", "floor", "imagenet")
    with pytest.raises(NstjaxError, match="13 channels of relu4_1.* has 12"):
        TransferSpec(encoder, DecoderSpec.mirror("relu4_1", (*WIDTHS[:8], 13)))
    with pytest.raises(NstjaxError, match="end at relu3_1"):
        TransferSpec(
            VGGSpec(WIDTHS[:5], "reflect", "max", "floor", "imagenet"),
            DecoderSpec.mirror("relu4_1", WIDTHS),
        )
