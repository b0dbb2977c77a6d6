"""FastDepth out of torch's functions, from its folded layers in order.

Written from the publication (MobileNet, and the decoder NNConv5 with added skips)
and the shapes of the published weights. Pictures enter as NHWC NumPy arrays of RGB
in [0, 1], of 224 pixels.
"""

import numpy as np
import torch
from torch.nn import functional

# Strides of MobileNet's thirteen separable convolutions.
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


def run(layers: list[tuple[np.ndarray, np.ndarray]], image: np.ndarray) -> np.ndarray:
    """Depth [B, 224, 224, 1] from (kernel, bias) pairs, kernels HWIO."""
    rest = iter(layers)

    def convolve(x, stride=1):
        kernel, bias = next(rest)
        weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        groups = x.shape[1] // weight.shape[1]
        y = functional.conv2d(
            x, weight, torch.from_numpy(bias), stride, weight.shape[2] // 2, 1, groups
        )
        return functional.relu(y)

    x = convolve(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()), 2)
    # Skips leave where the size is 112, 56 and 28, before it is halved.
    kept = {}
    for stride in STRIDES:
        x = convolve(convolve(x, stride))
        kept.setdefault(x.shape[2], []).append(x)
    for side in (14, 28, 56, 112, 224):
        x = convolve(convolve(x))
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        if side in (28, 56, 112):
            x = x + kept[side][-1]
    return convolve(x).numpy().transpose(0, 2, 3, 1)
