"""AdaIN, its losses and its decoder in plain PyTorch, for comparison in tests.

Written after the formulas of the repositories named; feature maps are NCHW.
"""

import torch
from torch import nn


def mean_std(features: torch.Tensor, *, unbiased: bool, eps: float):
    """Per-channel statistics, [B, C, 1, 1]; `eps` joins the variance."""
    mean = features.mean((2, 3), keepdim=True)
    variance = features.var((2, 3), keepdim=True, unbiased=unbiased)
    return mean, (variance + eps).sqrt()


def adain(content, style, *, unbiased: bool, eps: float):
    """naoto0804's adaptive_instance_normalization (unbiased)."""
    mean, std = mean_std(content, unbiased=unbiased, eps=eps)
    style_mean, style_std = mean_std(style, unbiased=unbiased, eps=eps)
    return (content - mean) / std * style_std + style_mean


def style_loss_mean(features, target, *, unbiased: bool, eps: float):
    """naoto0804's: MSE of means plus MSE of deviations."""
    mse = nn.functional.mse_loss
    total = 0.0
    for one, other in zip(features, target, strict=True):
        mean, std = mean_std(one, unbiased=unbiased, eps=eps)
        wanted_mean, wanted_std = mean_std(other, unbiased=unbiased, eps=eps)
        total = total + mse(mean, wanted_mean) + mse(std, wanted_std)
    return total


def irasin_statistics(features):
    """irasin's calc_mean_std: unbiased deviations, epsilon added to them."""
    batch, channels = features.shape[:2]
    mean = (
        features.reshape(batch, channels, -1).mean(dim=2).reshape(batch, channels, 1, 1)
    )
    std = (
        features.reshape(batch, channels, -1).std(dim=2).reshape(batch, channels, 1, 1)
    )
    return mean, std + 1e-6


def style_loss_irasin(features, target):
    """irasin's: as naoto0804's, of those statistics."""
    total = 0.0
    for one, other in zip(features, target, strict=True):
        for mine, theirs in zip(
            irasin_statistics(one), irasin_statistics(other), strict=True
        ):
            total = total + nn.functional.mse_loss(mine, theirs)
    return total


def style_loss_sum(features, target, *, eps: float):
    """xunhuang1995's: squares summed over channels, averaged over the batch."""
    total = 0.0
    for one, other in zip(features, target, strict=True):
        pairs = zip(
            mean_std(one, unbiased=False, eps=eps),
            mean_std(other, unbiased=False, eps=eps),
            strict=True,
        )
        total = total + sum(((a - b) ** 2).sum() for a, b in pairs) / len(one)
    return total


class Decoder(nn.Module):
    """naoto0804's decoder: reflect padding, nearest upsampling, last linear."""

    def __init__(self, kernels, biases, upsample_before):
        super().__init__()
        self.upsample_before = upsample_before
        self.kernels = nn.ParameterList([nn.Parameter(k) for k in kernels])
        self.biases = nn.ParameterList([nn.Parameter(b) for b in biases])

    def forward(self, x):
        last = len(self.kernels) - 1
        pairs = zip(self.kernels, self.biases, strict=True)
        for index, (kernel, bias) in enumerate(pairs):
            if index in self.upsample_before:
                x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
            x = nn.functional.conv2d(x, kernel, bias)
            x = x if index == last else torch.relu(x)
        return x
