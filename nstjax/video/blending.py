"""Blends a painted frame with the warped last one."""

import numpy as np
from scipy.ndimage import gaussian_filter

from nstjax.video.needs import opencv

# The last frame's share where it is reliable: strokes are renewed in about five frames.
SHARE = 0.8
# Standard deviations, in pixels: those that separate bands of detail, and that of the
# neighbourhoods whose detail is kept equal.
_BANDS, _PLACE = (0.8, 2.0), 8.0
# The largest factor by which detail is strengthened.
_MOST = 2.0
# Half an 8-bit level, so that rounding errors are not amplified.
_LEAST = (0.5 / 255) ** 2


def blend(
    painted: np.ndarray, warped: np.ndarray, holds: np.ndarray, *, share: float = SHARE
) -> np.ndarray:
    """Blends the new painting with the last one.

    The mean of two different pictures has less detail than either, and warping loses
    some more every time. In each frequency band, the remaining detail is strengthened
    to the energy of the new painting, so that reducing flicker does not cause blur.

    Args:
        painted: float32 [H, W, 3] in [0, 1].
        warped: the last frame, warped to the current one, in the same form.
        holds: where that is reliable, [H, W] in [0, 1].
        share: the share of `warped` where it is reliable.

    Returns:
        float32 [H, W, 3] in [0, 1]; unchanged where both are equal.

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
    """The local mean square, summed over channels, [H, W]."""
    return np.maximum(_smooth(np.square(detail).sum(axis=2), _PLACE), 0)


def _smooth(image: np.ndarray, deviation: float) -> np.ndarray:
    cv2 = opencv()
    image = np.ascontiguousarray(image, np.float32)
    if cv2 is not None:
        border = cv2.BORDER_REFLECT_101
        return cv2.GaussianBlur(image, (0, 0), deviation, borderType=border)
    axes = (0, 1)
    return gaussian_filter(image, deviation, mode="mirror", axes=axes)
