"""The real VGG-19 and VGG-16, once 'nstjax weights get' has fetched them."""

import dataclasses
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

import nstjax
from nstjax.cli.main import main
from nstjax.examples import content_image
from nstjax.losses.adain import adain_style_loss
from nstjax.methods.images import read_picture
from nstjax.models.vgg import VGGSpec, features
from nstjax.ops.stats import channel_mean_std
from nstjax.weights.conversion.sources import open_source
from nstjax.weights.conversion.vgg19 import convert_vgg19
from nstjax.weights.pretrained import load_encoder

LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def test_vgg19_at_8_bits_is_the_normalised_one_rescaled(fetched, shared):
    """Channel by channel; padding and pooling set alike."""
    folder = shared / "weights" / "vgg19-normalised-relu3_1"
    other = convert_vgg19(open_source(folder / "vgg_normalised_conv3_1.pth"))
    spec = VGGSpec.from_dict(other.metadata.spec)
    encoder = load_encoder(fetched("vgg19"))
    alike = dataclasses.replace(
        encoder.spec, padding=spec.padding, rounding=spec.rounding
    )
    image = content_image("chelsea")[None, :128, :160]
    mine = jax.jit(partial(features, layers=LAYERS, spec=alike))(encoder.params, image)
    theirs = jax.jit(partial(features, layers=LAYERS, spec=spec))(other.params, image)
    for layer in LAYERS:
        pairs = zip(
            *(
                np.float64(x[layer]).reshape(-1, x[layer].shape[-1]).T
                for x in (mine, theirs)
            ),
            strict=True,
        )
        found = [np.corrcoef(a, b)[0, 1] for a, b in pairs if a.std() and b.std()]
        assert len(found) > 0.9 * mine[layer].shape[-1]
        assert np.median(found) > 0.999 and min(found) > 0.99


@pytest.mark.parametrize("name", ["vgg19", "vgg16"])
def test_same_as_torch(fetched, torch_reference, name):
    torch = pytest.importorskip("torch")
    reference = torch_reference("torch_vgg")
    encoder = load_encoder(fetched(name))
    spec, layer = encoder.spec, encoder.spec.layers[-1]
    image = content_image("coffee")[None, :64, :80]
    found = jax.jit(partial(features, layers=(layer,), spec=spec))(
        encoder.params, image
    )[layer]
    with torch.no_grad():
        x = reference.InputMap(spec.input_map)(reference.from_numpy(image))
        for convolution, before in zip(
            spec.convolutions, ("", *spec.convolutions), strict=False
        ):
            if before and convolution[4] != before[4]:
                x = torch.nn.functional.max_pool2d(x, 2)
            kernel = torch.tensor(encoder.params[convolution]["kernel"]).permute(
                3, 2, 0, 1
            )
            bias = torch.tensor(encoder.params[convolution]["bias"])
            x = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, padding=1))
    expected = reference.to_numpy(x)
    assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("method", ["adain", "adain-lap", "adain-depth"])
def test_the_full_decoders_paint_the_style(method, fetched):
    """Those in models/, outside of the package."""
    file = Path(__file__).parents[2] / "models" / f"{method}-vgg19.safetensors"
    encoder = load_encoder(fetched("vgg19"))
    content, style = content_image("chelsea")[:128, :160], read_picture("night")
    painted = nstjax.stylize(
        content, style, method=method, encoder="vgg19", decoder=file, size=128
    )

    def seen(image):
        return features(encoder.params, image[None], LAYERS, spec=encoder.spec)

    wanted = {layer: channel_mean_std(x, eps=1e-5) for layer, x in seen(style).items()}

    def distance(image):
        return adain_style_loss(seen(image), wanted, normalisation="relative", eps=1e-5)

    assert distance(painted) < 0.5 * distance(content)


@pytest.mark.slow
def test_the_full_decoder_is_exported(fetched, tmp_path):
    """With features that go to thousands."""
    pytest.importorskip("onnxruntime")
    fetched("vgg19")
    file = Path(__file__).parents[2] / "models" / "adain-vgg19.safetensors"
    command = ["export", "adain", str(tmp_path), "--encoder=vgg19"]
    assert main([*command, f"--decoder={file}", "--quiet"]) == 0
    assert (tmp_path / "painter.onnx").is_file()
