"""Pictures in [0, 1] as 8-bit levels, and back."""

import numpy as np


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Floats, clipped to [0, 1], as the nearest of 256 levels; of any shape."""
    levels = np.clip(image, 0, 1)
    # In place, since a large picture's copies take the most memory of all.
    np.multiply(levels, 255, out=levels)
    return np.rint(levels, out=levels).astype(np.uint8)


def to_float(levels: np.ndarray) -> np.ndarray:
    """uint8 levels as float32 in [0, 1]; of any shape."""
    return levels / np.float32(255)
