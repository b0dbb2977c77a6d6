"""Measures how much a clip flickers and how sharp it is."""

import numpy as np
from scipy.ndimage import laplace

from nstjax.video.flow import warp_image


def warping_error(
    before: np.ndarray, after: np.ndarray, flow: np.ndarray, holds: np.ndarray
) -> float:
    """The difference between a frame and the warped frame before.

    Args:
        before, after: painted frames [H, W, 3], in [0, 1].
        flow: the flow of the content's later frame, see `nstjax.video.flow`.
        holds: where the flow is reliable, [H, W] in [0, 1].

    Returns:
        The root mean squared difference, 0 to 1; nan if the flow is not reliable
        anywhere.

    References:
        Lai et al., 2018, https://arxiv.org/abs/1808.00449, equation 12, of which
        this is the root.
    """
    difference = np.square(after - warp_image(before.astype(np.float32), flow))
    weight = float(holds.sum())
    if not weight:
        return float("nan")
    mean = (holds[..., None] * difference).sum(dtype=np.float64) / (3 * weight)
    return float(np.sqrt(mean))


def sharpness(image: np.ndarray) -> float:
    """The variance of the Laplacian of a picture's grey version."""
    return float(laplace(image.mean(axis=2, dtype=np.float64)).var())
