"""Collaborative-Distillation's networks, from .pth and from .npz."""

import re

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import check_shapes
from nstjax.models.decoders import DecoderSpec, decode
from nstjax.models.decoders import param_shapes as decoder_shapes
from nstjax.models.vgg import VGGSpec, features, param_shapes
from nstjax.weights.conversion.distilled import (
    convert_distilled_vgg,
    convert_linear_maps,
)
from nstjax.weights.conversion.sources import open_source

LEVEL3 = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")
WIDTHS = (16, 16, 32, 32, 64)
MAPS = {"conv1_1": (16, 64), "conv2_1": (32, 128), "conv3_1": (64, 256)}


def random_encoder(seed=0):
    """The relu3_1 encoder and its maps, under our names, kernels as HWIO."""
    rng = np.random.default_rng(seed)
    tensors, before = {}, 3
    for name, after in (("conv0", 3), *zip(LEVEL3, WIDTHS, strict=True)):
        size = 1 if name == "conv0" else 3
        deviation = (2 / (size * size * before)) ** 0.5
        kernel = rng.normal(0, deviation, (size, size, before, after))
        tensors[f"{name}/kernel"] = kernel.astype(np.float32)
        tensors[f"{name}/bias"] = rng.normal(0, 0.1, after).astype(np.float32)
        before = after
    for name, (before, after) in MAPS.items():
        kernel = rng.normal(size=(1, 1, before, after)).astype(np.float32)
        tensors[f"{name}_aux/kernel"] = kernel
        tensors[f"{name}_aux/bias"] = np.ones(after, np.float32)
    return tensors


def as_published(tensors):
    """The same under the publisher's names, ``conv31.weight``, as OIHW."""
    torch = pytest.importorskip("torch")
    state = {}
    for name, value in tensors.items():
        layer, kind = name.split("/")
        layer = re.sub(r"conv(\d)_(\d)", r"conv\1\2", layer)
        if kind == "kernel":
            value = value.transpose(3, 2, 0, 1)
        state[f"{layer}.{'weight' if kind == 'kernel' else 'bias'}"] = torch.tensor(
            np.ascontiguousarray(value)
        )
    return state


def torch_encoder(state, image):
    """The reference's forward pass."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    x = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
    x = functional.conv2d(x, state["conv0.weight"], state["conv0.bias"])
    for name in ("conv11", "conv12", "conv21", "conv22", "conv31"):
        if name in ("conv21", "conv31"):
            x = functional.max_pool2d(x, 2, 2)
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        x = functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"])
        x = torch.relu(x)
    return x.numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("wrapped", [False, True])
def test_published_encoder_and_its_npz_are_the_same_network(tmp_path, wrapped):
    torch = pytest.importorskip("torch")
    tensors = random_encoder()
    state = as_published(tensors)
    assert {"conv0.weight", "conv31.weight", "conv31_aux.bias"} < state.keys()
    saved = {"model": state} if wrapped else state
    torch.save(saved, tmp_path / "3SE.pth")
    torch.save(saved, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "x.npz", **tensors)
    image = np.random.default_rng(1).random((1, 21, 26, 3), np.float32)
    expected = torch_encoder(state, image)
    for name in ("3SE.pth", "old.pth", "x.npz"):
        result = convert_distilled_vgg(open_source(tmp_path / name))
        spec = VGGSpec.from_dict(result.metadata.spec)
        assert spec == VGGSpec(WIDTHS, "reflect", "max", "floor", "learned")
        check_shapes(result.params, param_shapes(spec), where=name)
        compute = jax.jit(lambda p, x, s=spec: features(p, x, ["relu3_1"], spec=s))
        found = compute(result.params, image)["relu3_1"]
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_linear_maps_are_a_file_of_their_own(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = random_encoder()
    torch.save(as_published(tensors), tmp_path / "3SE.pth")
    np.savez(tmp_path / "x.npz", **tensors)
    for name in ("3SE.pth", "x.npz"):
        result = convert_linear_maps(open_source(tmp_path / name))
        assert result.metadata.kind == "linear_maps"
        assert result.metadata.spec == {
            "relu1_1": [16, 64],
            "relu2_1": [32, 128],
            "relu3_1": [64, 256],
        }
        assert result.params.keys() == result.metadata.spec.keys()
        for layer, weights in result.params.items():
            theirs = f"{layer.replace('relu', 'conv')}_aux"
            np.testing.assert_array_equal(
                weights["kernel"], tensors[f"{theirs}/kernel"]
            )
            np.testing.assert_array_equal(weights["bias"], tensors[f"{theirs}/bias"])


def test_decoder_rectifies_its_last_layer(networks, tmp_path):
    widths = (64, 32, 32, 16, 16, 3)
    network = networks.sequential_decoder(widths, (0, 2), last_relu=True)
    names = ["conv31", "conv22", "conv21", "conv12", "conv11"]
    state = networks.rename_convolutions(network, names)
    # Maps that served its training.
    state["aux31.weight"] = state["aux21.weight"] = state["conv11.bias"]
    path = networks.save(state, tmp_path / "3SD.pth")
    result = convert_distilled_vgg(open_source(path))
    spec = DecoderSpec.from_dict(result.metadata.spec)
    assert (spec.layer, spec.input_width, spec.widths) == ("relu3_1", 64, widths[1:])
    assert not spec.last_linear and spec.output_map == "unit"
    check_shapes(result.params, decoder_shapes(spec), where="the decoder")
    x = np.random.default_rng(0).random((1, 4, 5, 64), np.float32)
    expected = networks.run(network, x)
    found = jax.jit(lambda p, x: decode(p, x, spec=spec))(result.params, x)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    with pytest.raises(NstjaxError, match="no linear maps; leave --aux out"):
        convert_linear_maps(open_source(path))


def test_misfits_are_listed(tmp_path):
    tensors = random_encoder()
    del tensors["conv2_1/kernel"]
    tensors["conv3_1/kernel"] = tensors["conv3_1/kernel"][:2]
    tensors["conv2_1_aux/kernel"] = tensors["conv2_1_aux/kernel"][:, :, 1:]
    np.savez(tmp_path / "x.npz", **tensors)
    with pytest.raises(NstjaxError) as caught:
        convert_distilled_vgg(open_source(tmp_path / "x.npz"))
    assert "missing conv2_1/kernel" in str(caught.value)
    assert "conv3_1/kernel has shape (2, 3, 32, 64) instead of (3, 3, 32, 64)" in str(
        caught.value
    )
    with pytest.raises(NstjaxError, match=r"conv2_1_aux/kernel has shape \(1, 1, 31"):
        convert_linear_maps(open_source(tmp_path / "x.npz"))


def test_encoder_without_maps(tmp_path):
    tensors = {n: v for n, v in random_encoder().items() if "aux" not in n}
    np.savez(tmp_path / "x.npz", **tensors)
    with pytest.raises(NstjaxError, match="no linear maps"):
        convert_linear_maps(open_source(tmp_path / "x.npz"))


def test_true_pair_reconstructs_a_photo(shared, eval_photo):
    weights = shared / "weights"
    encoder, decoder = (
        convert_distilled_vgg(
            open_source(weights / f"vgg19_distilled16x_{what}_relu4_1.npz")
        )
        for what in ("encoder", "decoder")
    )
    encoder_spec = VGGSpec.from_dict(encoder.metadata.spec)
    activation = features(encoder.params, eval_photo, ["relu4_1"], spec=encoder_spec)
    decoder_spec = DecoderSpec.from_dict(decoder.metadata.spec)
    found = decode(decoder.params, activation["relu4_1"], spec=decoder_spec)
    error = np.mean((np.clip(found, 0, 1) - eval_photo) ** 2)
    assert -10 * np.log10(error) >= 25


def test_true_deep_encoder_converts_with_its_maps(shared):
    source = open_source(shared / "weights" / "vgg19_distilled16x_encoder_relu5_1.npz")
    encoder, maps = convert_distilled_vgg(source), convert_linear_maps(source)
    assert encoder.metadata.spec["widths"] == [16] * 2 + [32] * 2 + [64] * 4 + [128] * 5
    assert maps.metadata.spec["relu5_1"] == [128, 512]
