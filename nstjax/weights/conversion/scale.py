"""Determines from a VGG-19's weights which scale of pixels they expect.

A network that was scaled to unit activations for pixels of 0 to 255 responds weakly to
pixels of unit variance, from its first layer on. The test picture is noise with a
natural spectrum, to which networks respond as to photographs. Caffe's own VGG-19 was
never rescaled; it is recognised by its first biases.
"""

import dataclasses

import jax
import numpy as np

from nstjax.models.vgg import CONVOLUTIONS, LAYERS, VGGSpec, features
from nstjax.types import Array, Params

_SIZE = 64
_LAYERS = ("relu1_1", "relu3_1")
_DEPTH = LAYERS.index(_LAYERS[-1]) + 1
# The first biases of Simonyan & Zisserman's VGG-19, by which any copy can be
# recognised, whatever the names in its file, and the tolerance for half precision.
_CAFFE_BIASES = (0.7301776, 0.0649363, 0.0342885, 0.8260386, 0.2578029, 0.5486766)
_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Scale:
    """Statistics of a VGG-19's weights.

    Attributes:
        first_response: root mean square of relu1_1, without biases, for pixels of
            unit variance; 0.056 in the normalised VGG-19.
        bias_ratio: root mean square of conv3_1's biases divided by that of its
            response, which does not change when a network is rescaled layer by layer;
            0.015 in the normalised VGG-19, which is Caffe's, rescaled. None if the
            weights end before conv3_1.
        is_caffe: whether the first biases are those of Caffe's VGG-19.
    """

    first_response: float
    bias_ratio: float | None
    is_caffe: bool

    @property
    def expects_bytes(self) -> bool:
        """Whether pixels of 0 to 255 are certainly expected.

        Caffe's VGG-19 is recognised by its biases: like a network initialised for unit
        variance, its first layer responds with 0.2 or more. Networks rescaled to unit
        activations for pixels of 0 to 255 respond with less.
        """
        return self.is_caffe or self.first_response < 0.12

    @property
    def has_small_biases(self) -> bool:
        """Whether the biases are as small, relative to the responses, as Caffe's.

        This is only a hint, since there was no counterexample to measure.
        """
        return self.bias_ratio is not None and 0 < self.bias_ratio < 0.02


def measure_scale(params: Params) -> Scale:
    """Measures a VGG-19's weights, except an input map ``conv0``."""
    # The first layers of every VGG.
    names = [name for name in CONVOLUTIONS[:_DEPTH] if name in params]
    widths = tuple(len(params[name]["bias"]) for name in names)
    spec = VGGSpec(widths, input_map="unit")
    layers = [layer for layer in _LAYERS if layer in spec.layers]
    without_biases = {
        name: {
            "kernel": params[name]["kernel"],
            "bias": np.zeros_like(params[name]["bias"]),
        }
        for name in names
    }
    # A single program: compiling layer by layer takes far longer.
    respond = jax.jit(lambda params, image: features(params, image, layers, spec=spec))
    response = respond(without_biases, _natural_noise())
    ratio = None
    if "relu3_1" in response:
        ratio = _rms(params["conv3_1"]["bias"]) / max(_rms(response["relu3_1"]), 1e-30)
    biases = np.asarray(params["conv1_1"]["bias"], np.float64)[: len(_CAFFE_BIASES)]
    is_caffe = np.shape(biases) == np.shape(_CAFFE_BIASES) and np.allclose(
        biases, _CAFFE_BIASES, atol=_TOLERANCE
    )
    return Scale(_rms(response["relu1_1"]), ratio, bool(is_caffe))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


def _natural_noise() -> np.ndarray:
    """A picture [1, 64, 64, 3] of unit variance with a 1/f spectrum.

    Its channels are correlated like those of photographs.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.fft.fftfreq(_SIZE)[:, None], np.fft.rfftfreq(_SIZE)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(3, _SIZE, _SIZE))) / frequency
    luma, *chroma = np.fft.irfft2(spectrum, s=(_SIZE, _SIZE))
    channels = [luma + 0.15 * chroma[0], luma, luma + 0.15 * chroma[1]]
    picture = np.stack(channels, axis=-1)
    return (picture / picture.std())[None].astype(np.float32)
