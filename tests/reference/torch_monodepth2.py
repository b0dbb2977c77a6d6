"""monodepth2's depth network out of torch's layers, with its state-dict names.

Written from the publication and the names and shapes of the published files;
weights are random, and so are the statistics of batch normalisation. Pictures
enter as NHWC NumPy arrays of RGB in [0, 1].
"""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

LAYERS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
DECODER_WIDTHS = (16, 32, 64, 128, 256)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, before, width, stride, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, before, width, stride, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = downsample

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depth, widths, classes):
        super().__init__()
        block = BasicBlock if depth < 50 else Bottleneck
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = widths[0]
        for stage, (count, width) in enumerate(
            zip(LAYERS[depth], widths, strict=True), start=1
        ):
            units = []
            for index in range(count):
                stride = 2 if stage > 1 and index == 0 else 1
                after = block.expansion * width
                downsample = None
                if stride == 2 or before != after:
                    downsample = nn.Sequential(
                        nn.Conv2d(before, after, 1, stride, bias=False),
                        nn.BatchNorm2d(after),
                    )
                units.append(block(before, width, stride, downsample))
                before = after
            setattr(self, f"layer{stage}", nn.Sequential(*units))
        self.fc = nn.Linear(before, classes)


class Encoder(nn.Module):
    def __init__(self, depth, widths=(64, 128, 256, 512), classes=10):
        super().__init__()
        self.encoder = ResNet(depth, widths, classes)
        expansion = 1 if depth < 50 else 4
        self.feature_widths = (widths[0], *(expansion * width for width in widths))

    def forward(self, image):
        net = self.encoder
        x = torch.relu(net.bn1(net.conv1((image - 0.45) / 0.225)))
        features = [x]
        x = net.maxpool(x)
        for stage in range(1, 5):
            x = getattr(net, f"layer{stage}")(x)
            features.append(x)
        return features


class Conv3x3(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(before, after, 3)

    def forward(self, x):
        return self.conv(self.pad(x))


class ConvBlock(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv = Conv3x3(before, after)

    def forward(self, x):
        return nn.functional.elu(self.conv(x))


class Decoder(nn.Module):
    def __init__(self, feature_widths, widths=DECODER_WIDTHS):
        super().__init__()
        convolutions = OrderedDict()
        for level in range(4, -1, -1):
            before = feature_widths[-1] if level == 4 else widths[level + 1]
            skip = feature_widths[level - 1] if level else 0
            convolutions["upconv", level, 0] = ConvBlock(before, widths[level])
            convolutions["upconv", level, 1] = ConvBlock(
                widths[level] + skip, widths[level]
            )
        for scale in range(4):
            convolutions["dispconv", scale] = Conv3x3(widths[scale], 1)
        self.index = {name: index for index, name in enumerate(convolutions)}
        self.decoder = nn.ModuleList(convolutions.values())

    def forward(self, features):
        def apply(*name):
            return self.decoder[self.index[name]](x)

        x, outputs = features[-1], {}
        for level in range(4, -1, -1):
            x = apply("upconv", level, 0)
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            if level:
                x = torch.cat([x, features[level - 1]], 1)
            x = apply("upconv", level, 1)
            if level < 4:
                outputs[level] = torch.sigmoid(apply("dispconv", level))
        return outputs


def make_networks(
    depth, *, seed=0, widths=(64, 128, 256, 512), decoder_widths=DECODER_WIDTHS
):
    """An encoder and a decoder with random weights and random statistics."""
    generator = torch.Generator().manual_seed(seed)
    encoder = Encoder(depth, widths)
    decoder = Decoder(encoder.feature_widths, decoder_widths)
    with torch.no_grad():
        for module in (*encoder.modules(), *decoder.modules()):
            if isinstance(module, nn.Conv2d):
                deviation = (2 / module.weight[0].numel()) ** 0.5
                module.weight.normal_(0, deviation, generator=generator)
                if module.bias is not None:
                    module.bias.normal_(0, 0.1, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.4, 0.9, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
    return encoder.eval(), decoder.eval()


def encoder_file(encoder, *, height=192, width=640):
    """What monodepth2 saves as encoder.pth: the state dict and three options."""
    state = dict(encoder.state_dict())
    return state | {"height": height, "width": width, "use_stereo": False}


def run(encoder, decoder, image):
    """Disparities [B, H, W, 1] by scale, as NumPy arrays."""
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))
        outputs = decoder(encoder(x))
    return {s: y.numpy().transpose(0, 2, 3, 1) for s, y in outputs.items()}


def to_params(encoder, decoder):
    """The same networks as HWIO arrays, normalisation folded in, in float64."""
    params = {"encoder": {}, "decoder": {}}
    net = encoder.encoder
    params["encoder"]["conv1"] = fold(net.conv1, net.bn1)
    for stage in range(1, 5):
        for index, unit in enumerate(getattr(net, f"layer{stage}")):
            node = params["encoder"][f"layer{stage}_{index}"] = {}
            for number in (1, 2, 3):
                if hasattr(unit, f"conv{number}"):
                    node[f"conv{number}"] = fold(
                        getattr(unit, f"conv{number}"), getattr(unit, f"bn{number}")
                    )
            if unit.downsample is not None:
                node["downsample"] = fold(*unit.downsample)
    for (kind, *place), index in decoder.index.items():
        convolution = decoder.decoder[index].conv
        if kind == "upconv":
            convolution = convolution.conv
        params["decoder"][kind + "_".join(map(str, place))] = {
            "kernel": to_hwio(convolution.weight),
            "bias": convolution.bias.detach().numpy(),
        }
    return params


def fold(convolution, norm):
    """What a convolution and batch normalisation compute, as one convolution."""
    deviation = torch.sqrt(norm.running_var.double() + norm.eps)
    factor = norm.weight.double() / deviation
    kernel = convolution.weight.double() * factor[:, None, None, None]
    bias = norm.bias.double() - norm.running_mean.double() * factor
    return {"kernel": to_hwio(kernel), "bias": bias.detach().float().numpy()}


def to_hwio(kernel):
    return kernel.detach().float().numpy().transpose(2, 3, 1, 0)
