"""Pictures in [0, 1] as 8-bit levels, and back."""

import numpy as np

# The Y of YIQ and YUV (ITU-R BT.601), of red, green and blue.
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds floats, clipped to [0, 1], to 256 levels; for any shape."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def to_float(levels: np.ndarray) -> np.ndarray:
    """Converts uint8 levels to float32 in [0, 1]; for any shape."""
    return levels / np.float32(255)
