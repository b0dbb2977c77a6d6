"""A painted frame joined with the last one, brought to its place."""

import numpy as np
from scipy.ndimage import gaussian_filter

from nstjax.video.needs import opencv

# The last frame's share where it holds: strokes are renewed within about five frames.
SHARE = 0.8
# Deviations, in pixels: of what counts as detail, and of the places whose detail is
# kept alike.
_DETAIL, _PLACE = 2.0, 8.0
# How far detail is strengthened at most.
_MOST = 1.5


def blend(
    painted: np.ndarray, warped: np.ndarray, holds: np.ndarray, *, share: float = SHARE
) -> np.ndarray:
    """Joins what was painted anew with what was painted last.

    The mean of two unlike pictures has less detail than either. What it has is
    strengthened to the mean energy of both, so that calm is not bought with blur.

    Args:
        painted: float32 [H, W, 3] in [0, 1].
        warped: the last frame, brought to where it is now, the same.
        holds: where that can be trusted, [H, W] in [0, 1].
        share: of `warped` where it can.

    Returns:
        float32 [H, W, 3] in [0, 1]; where both are equal, they.

    References:
        Heitz & Neyret, 2018, "High-Performance By-Example Noise using a
        Histogram-Preserving Blending Operator", equation 2 (for equal shares of
        unlike noise; here the energies are measured).
    """
    weight = share * holds
    mean = painted + weight[..., None] * (warped - painted)
    detail = _detail(mean)
    wanted = (1 - weight) * _energy(_detail(painted)) + weight * _energy(
        _detail(warped)
    )
    # Half a level of 8 bits: no detail is made of rounding.
    least = (0.5 / 255) ** 2
    gain = np.sqrt((wanted + least) / (_energy(detail) + least))
    gain = np.clip(gain, 1, _MOST)[..., None]
    return np.clip(mean + (gain - 1) * detail, 0, 1).astype(np.float32)


def _detail(image: np.ndarray) -> np.ndarray:
    return image - _smooth(image, _DETAIL)


def _energy(detail: np.ndarray) -> np.ndarray:
    """Mean square around each place, summed over channels, [H, W]."""
    return np.maximum(_smooth(np.square(detail).sum(axis=2), _PLACE), 0)


def _smooth(image: np.ndarray, deviation: float) -> np.ndarray:
    cv2 = opencv()
    image = np.ascontiguousarray(image, np.float32)
    if cv2 is not None:
        border = cv2.BORDER_REFLECT_101
        return cv2.GaussianBlur(image, (0, 0), deviation, borderType=border)
    axes = (0, 1)
    return gaussian_filter(image, deviation, mode="mirror", axes=axes)
