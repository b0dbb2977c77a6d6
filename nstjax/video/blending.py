"""A painted frame joined with the last one, brought to its place."""

import numpy as np
from scipy.ndimage import gaussian_filter

from nstjax.video.needs import opencv

# The last frame's share where it holds: strokes are renewed within about five frames.
SHARE = 0.8
# Deviations, in pixels: between bands of detail, and of the places whose detail is
# kept alike.
_BANDS, _PLACE = (0.8, 2.0), 8.0
# How far detail is strengthened at most.
_MOST = 2.0
# Half a level of 8 bits: no detail is made of rounding.
_LEAST = (0.5 / 255) ** 2


def blend(
    painted: np.ndarray, warped: np.ndarray, holds: np.ndarray, *, share: float = SHARE
) -> np.ndarray:
    """Joins what was painted anew with what was painted last.

    The mean of two unlike pictures has less detail than either, and warping takes
    some more every time. What there is of it is strengthened, in each band of
    frequencies, to the energy of what was painted anew, so that calm is not bought
    with blur.

    Args:
        painted: float32 [H, W, 3] in [0, 1].
        warped: the last frame, brought to where it is now, the same.
        holds: where that can be trusted, [H, W] in [0, 1].
        share: of `warped` where it can.

    Returns:
        float32 [H, W, 3] in [0, 1]; where both are equal, they.

    References:
        Heitz & Neyret, 2018, "High-Performance By-Example Noise using a
        Histogram-Preserving Blending Operator", equation 2 (for noise that is
        independent; here energies are measured, by bands and places).
    """
    weight = share * holds
    mean = painted + weight[..., None] * (warped - painted)
    result = mean
    pictures = [mean, painted]
    for deviation in _BANDS:
        lower = [_smooth(picture, deviation) for picture in pictures]
        detail = [high - low for high, low in zip(pictures, lower, strict=True)]
        found, wanted = map(_energy, detail)
        gain = np.clip(np.sqrt((wanted + _LEAST) / (found + _LEAST)), 1, _MOST)
        result = result + (gain - 1)[..., None] * detail[0]
        pictures = lower
    return np.clip(result, 0, 1).astype(np.float32)


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
