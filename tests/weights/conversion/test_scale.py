"""The statistics that tell weights for 0..255 from weights for unit variance."""

import numpy as np
import pytest

from nstjax.weights.conversion.scale import measure_scale
from nstjax.weights.conversion.sources import open_source
from nstjax.weights.conversion.vgg19 import convert_vgg19


def conv1_1(deviation, seed=0):
    rng = np.random.default_rng(seed)
    kernel = rng.normal(0, deviation, (3, 3, 3, 64)).astype(np.float32)
    return {"conv1_1": {"kernel": kernel, "bias": np.ones(64, np.float32)}}


@pytest.mark.parametrize("deviation", [0.059, 0.11, 0.27])
def test_common_initialisations_expect_unit_variance(deviation):
    """torchvision's, torch's default, and He's."""
    scale = measure_scale(conv1_1(deviation))
    assert not scale.expects_bytes
    assert scale.bias_ratio is None and not scale.has_small_biases


def test_response_is_proportional_to_the_weights_and_ignores_biases():
    plain, larger = conv1_1(0.1), conv1_1(0.2)
    larger["conv1_1"]["bias"] *= 7
    ratio = measure_scale(larger).first_response / measure_scale(plain).first_response
    assert ratio == pytest.approx(2, rel=1e-5)


def test_response_to_the_centre_tap_is_the_noise_itself():
    """Half of a symmetric signal of unit variance survives the ReLU."""
    kernel = np.zeros((3, 3, 3, 64), np.float32)
    kernel[1, 1, 0, ::2], kernel[1, 1, 0, 1::2] = 1, -1
    params = {"conv1_1": {"kernel": kernel, "bias": np.zeros(64, np.float32)}}
    assert measure_scale(params).first_response == pytest.approx(0.5**0.5, rel=0.03)


def test_true_normalised_vgg_expects_bytes(shared):
    folder = shared / "weights" / "vgg19-normalised-relu3_1"
    source = open_source(folder / "vgg_normalised_conv3_1.pth")
    params = dict(convert_vgg19(source).params)
    del params["conv0"]
    scale = measure_scale(params)
    assert scale.expects_bytes and scale.has_small_biases
    # Rescaling layer by layer changes the first statistic alone.
    params["conv1_1"] = {n: 16 * value for n, value in params["conv1_1"].items()}
    params["conv1_2"] = {
        "kernel": params["conv1_2"]["kernel"] / 16,
        "bias": params["conv1_2"]["bias"],
    }
    rescaled = measure_scale(params)
    assert rescaled.first_response == pytest.approx(16 * scale.first_response, rel=1e-4)
    assert rescaled.bias_ratio == pytest.approx(scale.bias_ratio, rel=1e-4)
