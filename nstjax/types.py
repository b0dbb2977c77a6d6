"""Shared type names, and the glossary of axes used in every docstring.

Axes:
    B: pictures in a batch.
    H, W: height and width, in pixels or in positions of a feature map.
    C: channels.
    N, K: patches; elements of one patch.

A picture is a float32 array ``[B, H, W, 3]``, RGB, sRGB-encoded, values in
[0, 1]. Only `nstjax.ops.preprocess` knows other channel orders and scales.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

Array = jax.Array
# Where NumPy arrays are accepted, too.
AnyArray = jax.Array | np.ndarray
# A network's weights: nested dicts of arrays, layer name first.
Params = Mapping[str, Any]
# What an encoder returns: layer name, such as "relu4_1", to [B, H, W, C].
Features = Mapping[str, Array]
# The separate parts of a loss by name, each a scalar, unweighted.
Terms = Mapping[str, Array]
