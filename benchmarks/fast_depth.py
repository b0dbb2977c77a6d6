"""FastDepth, a judge of depth for evaluate.py.

    FAST_DEPTH=fast_depth.npz python evaluate.py ... \\
        --metric benchmarks.fast_depth:depth_error

Its folded weights, such as openmv's, as `python -m converters.fast_depth` takes
them. To a network that learnt from its maps this judge is a teacher; to monodepth2
it is an outsider.
"""

import functools
import os

import jax
import numpy as np
from PIL import Image

from nstjax.conversion.command import convert
from nstjax.losses.depth import depth_loss
from nstjax.models.fast_depth import LEAST_DEPTH, SIZE, see
from nstjax.types import Params


def load(path: str) -> Params:
    """The network's weights from the publisher's file."""
    return convert("fast_depth", path).params


def disparity(params: Params, image: np.ndarray) -> np.ndarray:
    """One over the depth in metres, [112, 112], of a picture [H, W, 3] in [0, 1]."""
    pixels = Image.fromarray(np.uint8(np.rint(255 * image)))
    # The filter it was trained with; another one costs a little agreement.
    small = pixels.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    depth = _depth(params, np.asarray(small, np.float32)[None] / 255)
    return 1 / np.maximum(np.asarray(depth)[0, ..., 0], LEAST_DEPTH)


def depth_error(result: np.ndarray, content: np.ndarray, style: np.ndarray) -> float:
    """Mean absolute difference of the disparities of result and content.

    Each map is divided by its mean, as in `nstjax.losses.depth.depth_loss`.

    Args:
        result, content: pictures [H, W, 3] in [0, 1].
        style: not looked at.
    """
    del style
    params = _params(os.environ["FAST_DEPTH"])
    maps = [disparity(params, image)[None, ..., None] for image in (result, content)]
    return float(depth_loss(*maps, norm="l1"))


_params = functools.cache(load)


@jax.jit
def _depth(params, image):
    return see(params, image).depth
