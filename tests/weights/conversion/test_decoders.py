"""Full-size decoders, written by torch with the publishers' names."""

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import check_shapes
from nstjax.models.decoders import DecoderSpec, decode, param_shapes
from nstjax.models.vgg import FULL_WIDTHS, VGGSpec, features
from nstjax.ops.stats import channel_mean_std
from nstjax.weights.conversion.decoders import (
    convert_adain_decoder,
    convert_style_swap_decoder,
)
from nstjax.weights.conversion.sources import open_source
from nstjax.weights.conversion.vgg19 import convert_vgg19

ADAIN = (512, 256, 256, 256, 256, 128, 128, 64, 64, 3)
STYLE_SWAP = (256, 128, 128, 64, 64, 3)
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def convert(converter, networks, state, folder):
    """Converts from both of torch's formats, which must not differ."""
    zipped, legacy = (
        converter(open_source(networks.save(state, folder / name, zipped=zipped)))
        for name, zipped in (("zip.pth", True), ("legacy.pth", False))
    )
    jax.tree.map(np.testing.assert_array_equal, zipped.params, legacy.params)
    return zipped


def assert_same_pictures(result, networks, network, *, imagenet=False):
    spec = DecoderSpec.from_dict(result.metadata.spec)
    assert result.metadata.kind == "decoder"
    check_shapes(result.params, param_shapes(spec), where="the decoder")
    activation = np.random.default_rng(0).random((2, 5, 4, spec.input_width))
    activation = activation.astype(np.float32)
    expected = networks.run(network, activation)
    if imagenet:
        expected = expected * IMAGENET_STD + IMAGENET_MEAN
    found = jax.jit(lambda p, x: decode(p, x, spec=spec))(result.params, activation)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_naoto0804_adain(networks, tmp_path):
    network = networks.sequential_decoder(ADAIN, (0, 4, 6))
    result = convert(convert_adain_decoder, networks, network.state_dict(), tmp_path)
    assert result.metadata.spec == DecoderSpec().to_dict()
    assert result.metadata.notes["variant"] == "naoto0804"
    assert result.metadata.notes["encoder"] == "normalised"
    # calc_mean_std of its function.py: torch's unbiased variance, plus 1e-5.
    assert (result.metadata.notes["ddof"], result.metadata.notes["eps"]) == (1, 1e-5)
    assert_same_pictures(result, networks, network)


def test_irasin_adain(networks, tmp_path):
    network = networks.sequential_decoder(ADAIN, (0, 4, 6))
    names = [f"decoder.rc{i}.conv" for i in range(1, 10)]
    state = networks.rename_convolutions(network, names)
    # The publisher's file holds the encoder as well.
    state["vgg_encoder.slice1.0.weight"] = state["decoder.rc9.conv.weight"]
    result = convert(convert_adain_decoder, networks, state, tmp_path)
    spec = DecoderSpec.mirror("relu4_1", FULL_WIDTHS, output_map="imagenet")
    assert result.metadata.spec == spec.to_dict()
    assert result.metadata.notes["variant"] == "irasin"
    assert result.metadata.notes["encoder"] == "torchvision"
    assert_same_pictures(result, networks, network, imagenet=True)


def test_statistics_of_irasin_s_adain(networks, tmp_path):
    """calc_mean_std of its model.py: torch's deviation plus 1e-6, 0 or not."""
    torch = pytest.importorskip("torch")
    network = networks.sequential_decoder(ADAIN, (0, 4, 6))
    names = [f"decoder.rc{i}.conv" for i in range(1, 10)]
    state = networks.rename_convolutions(network, names)
    result = convert(convert_adain_decoder, networks, state, tmp_path)
    features = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    features[0, ..., 1] = 0.25
    expected = torch.tensor(features).flatten(1, 2).std(dim=1) + 1e-6
    notes = result.metadata.notes
    found = channel_mean_std(features, eps=notes["eps"], ddof=notes["ddof"]).std
    np.testing.assert_allclose(found[:, 0, 0], expected, rtol=3e-6)


def test_irasin_style_swap(networks, tmp_path):
    network = networks.sequential_decoder(STYLE_SWAP, (0, 2))
    state = networks.rename_convolutions(network, [f"rc{i}.conv" for i in range(1, 6)])
    result = convert(convert_style_swap_decoder, networks, state, tmp_path)
    spec = DecoderSpec.mirror("relu3_1", FULL_WIDTHS, output_map="imagenet")
    assert result.metadata.spec == spec.to_dict()
    assert_same_pictures(result, networks, network, imagenet=True)


@pytest.mark.parametrize(
    ("widths", "upsample_after", "keys"),
    [
        ((64, 3), (), (1,)),
        ((128, 64, 64, 3), (0,), (1, 5, 8)),
        ((256, 128, 128, 64, 64, 3), (0, 2), (1, 5, 8, 12, 15)),
        ((512,) * 5 + ADAIN[1:], (0, 4, 8, 10), None),
    ],
)
def test_deep_transfer_invertors(networks, tmp_path, widths, upsample_after, keys):
    network = networks.sequential_decoder(widths, upsample_after)
    if keys:
        assert {name.split(".")[0] for name in network.state_dict()} == set(
            map(str, keys)
        )
    result = convert(convert_adain_decoder, networks, network.state_dict(), tmp_path)
    assert result.metadata.notes["variant"] == "deep-transfer"
    assert_same_pictures(result, networks, network)


def test_slim_decoders_keep_their_widths(networks, tmp_path):
    widths = (24, 20, 16, 12, 8, 3)
    network = networks.sequential_decoder(widths, (0, 2))
    path = networks.save(network.state_dict(), tmp_path / "x.pth")
    result = convert_adain_decoder(open_source(path))
    assert result.metadata.spec["widths"] == [20, 16, 12, 8, 3]
    assert_same_pictures(result, networks, network)


def test_variant_forced(networks, tmp_path):
    network = networks.sequential_decoder((64, 3), ())
    path = networks.save(network.state_dict(), tmp_path / "x.pth")
    result = convert_adain_decoder(open_source(path), variant="irasin")
    assert result.metadata.spec["output_map"] == "imagenet"
    assert_same_pictures(result, networks, network, imagenet=True)


def test_mistaken_files_are_called_by_their_names(networks, tmp_path):
    encoder = networks.save(
        networks.normalised_vgg(5).state_dict(), tmp_path / "encoder.pth"
    )
    decoder = networks.sequential_decoder(STYLE_SWAP, (0, 2))
    names = [f"rc{i}.conv" for i in range(1, 6)]
    style_swap = networks.save(
        networks.rename_convolutions(decoder, names), tmp_path / "style_swap.pth"
    )
    sequential = networks.save(decoder.state_dict(), tmp_path / "sequential.pth")
    vgg16 = networks.save(
        networks.torchvision_vgg(networks.vgg16_blocks).state_dict(),
        tmp_path / "vgg16.pth",
    )
    for converter, path, message in (
        (convert_adain_decoder, encoder, "a normalised VGG-19, not an AdaIN.*vgg19'"),
        (convert_style_swap_decoder, encoder, "a normalised VGG-19, not a Style-Swap"),
        (convert_adain_decoder, style_swap, "Style-Swap decoder.*style_swap_decoder'"),
        (convert_vgg19, sequential, "a decoder from relu3_1.*convert adain_decoder"),
        (
            convert_adain_decoder,
            vgg16,
            "a VGG-16, not an AdaIN.*use .nstjax convert vgg16",
        ),
    ):
        with pytest.raises(NstjaxError, match=message):
            converter(open_source(path))


def test_misfits_are_listed(networks, tmp_path):
    torch = pytest.importorskip("torch")
    state = dict(networks.sequential_decoder(STYLE_SWAP, (0, 2)).state_dict())
    del state["5.bias"]
    state["12.weight"] = torch.ones(64, 63, 3, 3)
    path = networks.save(state, tmp_path / "x.pth")
    with pytest.raises(NstjaxError) as caught:
        convert_adain_decoder(open_source(path))
    assert "missing 5.bias" in str(caught.value)
    assert "12.weight has shape (64, 63, 3, 3) instead of (64, 64, 3, 3)" in str(
        caught.value
    )


def test_true_vgg_and_its_decoder_reconstruct_a_photo(shared, eval_photo):
    folder = shared / "weights" / "vgg19-normalised-relu3_1"
    encoder = convert_vgg19(open_source(folder / "vgg_normalised_conv3_1.pth"))
    decoder = convert_adain_decoder(
        open_source(folder / "feature_invertor_conv3_1.pth")
    )
    activation = features(
        encoder.params,
        eval_photo,
        ["relu3_1"],
        spec=VGGSpec.from_dict(encoder.metadata.spec),
    )["relu3_1"]
    spec = DecoderSpec.from_dict(decoder.metadata.spec)
    found = np.clip(decode(decoder.params, activation, spec=spec), 0, 1)
    assert -10 * np.log10(np.mean((found - eval_photo) ** 2)) >= 29
    assert decoder.metadata.licence == "Apache-2.0"
