"""Small pictures, and random networks that are quick to compile."""

from collections.abc import Callable

import jax
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import monodepth, vgg
from nstjax.weights.pretrained import Depth, Encoder, load_depth, load_encoder

SIZE = 64


@pytest.fixture(scope="session")
def paint() -> Callable[..., np.ndarray]:
    """A picture of coloured blobs, float32 [64, 64, 3] in [0, 1]."""

    def make(seed: int, smoothness: float = 2.0) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(SIZE, SIZE, 3))
        smooth = gaussian_filter(noise, (smoothness, smoothness, 0), mode="wrap")
        return np.clip(0.5 + 0.2 * smooth / smooth.std(), 0, 1).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def encoder_file(tmp_path_factory) -> str:
    """A random VGG-19 up to relu5_1."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    widths = (4, 4, 6, 6) + (8,) * 4 + (10,) * 5
    spec = vgg.VGGSpec(widths=widths, padding="reflect")
    metadata = _metadata("vgg19", "random", spec)
    save_weights(path, vgg.init_params(jax.random.key(0), spec), metadata)
    return str(path)


@pytest.fixture(scope="session")
def depth_file(tmp_path_factory) -> str:
    """A random depth network."""
    path = tmp_path_factory.mktemp("weights") / "depth.safetensors"
    spec = monodepth.MonodepthSpec(
        layers=(1, 1, 1, 1),
        stem_width=4,
        widths=(4, 4, 6, 6),
        decoder_widths=(4, 4, 4, 4, 4),
        scales=(0,),
        input_size=(64, 64),
    )
    metadata = _metadata("depth", "random-depth", spec)
    # Initial weights end in zeros, and see the same depth in every picture.
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda x: x + random.normal(0, 0.2, x.shape),
        monodepth.init_params(jax.random.key(1), spec),
    )
    save_weights(path, params, metadata)
    return str(path)


@pytest.fixture(scope="session")
def encoder(encoder_file) -> Encoder:
    return load_encoder(encoder_file)


@pytest.fixture(scope="session")
def depth(depth_file) -> Depth:
    return load_depth(depth_file)


def _metadata(kind, name, spec) -> WeightsMetadata:
    return WeightsMetadata(
        kind=kind,
        name=name,
        spec=spec.to_dict(),
        source="random numbers",
        licence="CC0-1.0",
    )
