"""The networks in PyTorch, made of plain functions, with channels_last weights."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from side_by_side import inputs


def to_torch(image: np.ndarray, device: torch.device) -> torch.Tensor:
    """Converts NHWC to NCHW in channels_last, which has the same memory layout."""
    return torch.from_numpy(image).to(device).permute(0, 3, 1, 2)


class Convolution(nn.Module):
    """A convolution with the weights of a layer of `side_by_side.inputs`.

    torch's Conv2d pads by reflection in the same two steps.
    """

    def __init__(self, layer, *, padding="zero", stride=1, train=False):
        super().__init__()
        kernel = torch.from_numpy(np.array(layer["kernel"])).permute(3, 2, 0, 1)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        self.kernel = nn.Parameter(kernel, requires_grad=train)
        bias = torch.from_numpy(np.array(layer["bias"]))
        self.bias = nn.Parameter(bias, requires_grad=train)
        self.padding, self.stride = padding, stride

    def forward(self, x):
        margin = self.kernel.shape[-1] // 2
        if self.padding == "reflect":
            x = F.pad(x, (margin,) * 4, mode="reflect")
            margin = 0
        return F.conv2d(x, self.kernel, self.bias, self.stride, margin)


class VGG19(nn.Module):
    """For RGB in [0, 1]; returns activations by their convolution's name."""

    def __init__(self, widths, *, padding="zero", device):
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {
                name: Convolution(layer, padding=padding)
                for name, layer in inputs.encoder(widths).items()
            }
        )
        for name in ("MEAN", "STD"):
            values = torch.tensor(getattr(inputs, name)).view(1, 3, 1, 1)
            self.register_buffer(name, values)
        self.to(device)

    def forward(self, image, layers):
        x, features, block = (image - self.MEAN) / self.STD, {}, "1"
        for name, convolution in self.convolutions.items():
            if name[4] != block:
                x, block = F.max_pool2d(x, 2), name[4]
            x = F.relu(convolution(x), inplace=True)
            if name in layers:
                features[name] = x
                if len(features) == len(layers):
                    break
        return features


class Decoder(nn.Module):
    """AdaIN's decoder."""

    def __init__(self, widths, *, device, train=False):
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {
                name: Convolution(layer, padding="reflect", train=train)
                for name, layer in inputs.decoder(widths).items()
            }
        )
        self.to(device)

    def forward(self, x):
        for name, convolution in self.convolutions.items():
            if name in inputs.UPSAMPLED:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = convolution(x)
            if name != "conv1_1":
                x = F.relu(x, inplace=True)
        return x


class Unit(nn.Module):
    """A ResNet's basic block."""

    def __init__(self, layers, stride):
        super().__init__()
        self.conv1 = Convolution(layers["conv1"], stride=stride)
        self.conv2 = Convolution(layers["conv2"])
        self.downsample = nn.Identity()
        if "downsample" in layers:
            self.downsample = Convolution(layers["downsample"], stride=stride)

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x), inplace=True))
        return F.relu(y + self.downsample(x), inplace=True)


class Depth(nn.Module):
    """monodepth2 with a ResNet-18, with normalisation folded into convolutions."""

    def __init__(self, widths, *, device):
        super().__init__()
        params = inputs.depth(widths)
        encoder = params["encoder"]
        self.conv1 = Convolution(encoder["conv1"], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    Unit(
                        encoder[f"layer{stage}_{index}"],
                        2 if stage > 1 and index == 0 else 1,
                    )
                    for index in range(count)
                )
            )
            for stage, count in enumerate(inputs.DEPTH_UNITS, start=1)
        )
        self.decoder = nn.ModuleDict(
            {
                name: Convolution(layer, padding="reflect")
                for name, layer in params["decoder"].items()
            }
        )
        self.to(device)

    def forward(self, image):
        features = [F.relu(self.conv1((image - 0.45) / 0.225), inplace=True)]
        x = F.max_pool2d(features[0], 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        disparities = {}
        for level in range(4, -1, -1):
            x = F.elu(self.decoder[f"upconv{level}_0"](x))
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            if level:
                x = torch.cat([x, features[level - 1]], 1)
            x = F.elu(self.decoder[f"upconv{level}_1"](x))
            if level < 4:
                disparities[level] = torch.sigmoid(self.decoder[f"dispconv{level}"](x))
        return disparities


def mean_std(features, *, unbiased=False, eps=1e-5):
    """Per-channel statistics, [B, C, 1, 1]."""
    variance, mean = torch.var_mean(
        features, (2, 3), keepdim=True, correction=int(unbiased)
    )
    return mean, (variance + eps).sqrt()


def adain(content, style, *, unbiased=False):
    """Content features with a style's statistics."""
    mean, std = mean_std(content, unbiased=unbiased)
    style_mean, style_std = mean_std(style, unbiased=unbiased)
    return (content - mean) / std * style_std + style_mean
