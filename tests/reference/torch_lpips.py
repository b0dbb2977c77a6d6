"""LPIPS in plain PyTorch, for comparison in tests.

As lpips/lpips.py of richzhang/PerceptualSimilarity computes it, version 0.1.
"""

import torch
from torch.nn import functional

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
VGG16_BLOCKS = (2, 2, 3, 3, 3)


def _convolve(params, name, x, **options):
    kernel = torch.tensor(params[name]["kernel"]).permute(3, 2, 0, 1)
    bias = torch.tensor(params[name]["bias"])
    return functional.relu(functional.conv2d(x, kernel, bias, **options))


def vgg16(params, x):
    found = {}
    for block, count in enumerate(VGG16_BLOCKS, 1):
        x = functional.max_pool2d(x, 2, 2) if block > 1 else x
        for index in range(1, count + 1):
            x = _convolve(params, f"conv{block}_{index}", x, padding=1)
        found[f"relu{block}_{count}"] = x
    return found


def alexnet(params, x):
    x = _convolve(params, "conv1", x, stride=4, padding=2)
    found = {"relu1": x}
    found["relu2"] = x = _convolve(
        params, "conv2", functional.max_pool2d(x, 3, 2), padding=2
    )
    x = functional.max_pool2d(x, 3, 2)
    for index in (3, 4, 5):
        found[f"relu{index}"] = x = _convolve(params, f"conv{index}", x, padding=1)
    return found


def lpips(params, first, second, *, trunk):
    """Distances [B] of NHWC pictures in [0, 1]."""
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in (SHIFT, SCALE))
    network = {"vgg16": vgg16, "alexnet": alexnet}[trunk]

    def features(image):
        x = torch.tensor(image).permute(0, 3, 1, 2)
        return network(params["trunk"], (2 * x - 1 - shift) / scale)

    def unit(x):
        return x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)

    first, second = features(first), features(second)
    total = 0
    for layer, weights in params["linear"].items():
        difference = (unit(first[layer]) - unit(second[layer])).square()
        weighted = difference * torch.tensor(weights["weight"]).view(1, -1, 1, 1)
        total = total + weighted.sum(dim=1).mean(dim=(1, 2))
    return total.numpy()
