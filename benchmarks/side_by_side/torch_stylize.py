"""The default task of ``stylize.py`` in minimal PyTorch.

    python -m side_by_side.torch_stylize CONTENT STYLE OUTPUT PAINTER

PAINTER is the bundled safetensors file; see nstjax/models/painter.py. The content's
sides are multiples of 32, so it is not padded and the style's side is not rounded.
"""

import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

LEVELS = ("half", "quarter")
EPS, LARGEST_SCALE, LARGEST_STATISTIC = 1e-3, 0.8, 4.0


def load(path: str) -> dict[str, torch.Tensor]:
    weights = {}
    for name, value in load_file(path).items():
        value = value.float()
        if value.ndim == 4:
            value = value.permute(3, 2, 0, 1)
            value = value.contiguous(memory_format=torch.channels_last)
        weights[name] = value
    return weights


def convolve(weights, name, x, *, doubled=False):
    if doubled:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(x, weights[f"{name}/kernel"], weights.get(f"{name}/bias"))


def encode(weights, image):
    batch, _, height, width = image.shape
    x = (2 * image - 1).view(batch, 3, height // 2, 2, width // 2, 2)
    x = x.permute(0, 3, 5, 1, 2, 4).reshape(batch, 12, height // 2, width // 2)
    x = x.contiguous(memory_format=torch.channels_last)
    found = {}
    for level in LEVELS:
        x = F.max_pool2d(x, 2) if found else x
        for number in range(2):
            name = f"encoder/{level}_{number}"
            x = F.relu(convolve(weights, name, x), inplace=True)
        found[level] = x
    return found


def measure(x):
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True, correction=0)
    return mean, (variance + EPS).sqrt()


def decode(weights, features, style):
    numbers = [number[:, :, 0, 0] for level in LEVELS for number in style[level]]
    told = torch.cat(numbers, 1) @ weights["style/condense/kernel"]
    told = (told + weights["style/condense/bias"]) / LARGEST_STATISTIC
    told = LARGEST_STATISTIC * torch.tanh(told)

    def styled(name, x):
        change = told @ weights[f"style/{name}/kernel"] + weights[f"style/{name}/bias"]
        scale, shift = change[:, :, None, None].chunk(2, 1)
        return torch.addcmul(shift, x, 1 + LARGEST_SCALE * torch.tanh(scale))

    def rest_of(level, x, number):
        while f"decoder/{level}_{number}/kernel" in weights:
            name = f"{level}_{number}"
            x = F.relu(styled(name, convolve(weights, f"decoder/{name}", x)))
            number += 1
        return x

    x = rest_of("quarter", features["quarter"], 0)
    y = convolve(weights, "decoder/half_0", x, doubled=True)
    y += convolve(weights, "decoder/half_skip", features["half"])
    x = rest_of("half", F.relu(styled("half_0", y)), 1)
    y = convolve(weights, "decoder/pixels", x) + 0.5
    batch, _, height, width = y.shape
    y = y.reshape(batch, 2, 2, 3, height, width).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(batch, 3, 2 * height, 2 * width)


def read(path: str, side: int | None = None) -> torch.Tensor:
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    if side is not None:
        scale = side / min(pixels.shape[:2])
        height, width = (round(scale * length) for length in pixels.shape[:2])
        # Channel by channel in float32, as in nstjax.
        channels = [
            Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS)
            for channel in np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
        ]
        pixels = np.clip(np.stack([np.asarray(c) for c in channels], axis=2), 0, 1)
    return torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)


def main() -> None:
    content_path, style_path, output, painter_path = sys.argv[1:]
    weights = load(painter_path)
    content = read(content_path)
    style = read(style_path, min(512, *content.shape[2:]))
    height, width = style.shape[2:]
    style = F.pad(style, (0, -width % 4, 0, -height % 4), mode="reflect")
    with torch.inference_mode():
        wanted = {level: measure(x) for level, x in encode(weights, style).items()}
        features = {}
        for level, x in encode(weights, content).items():
            (mean, std), (wanted_mean, wanted_std) = measure(x), wanted[level]
            features[level] = (x - mean) / std * wanted_std + wanted_mean
        image = decode(weights, features, wanted)
    image = image.clamp(0, 1)[0].permute(1, 2, 0)
    Image.fromarray(np.rint(255 * image.numpy()).astype(np.uint8)).save(output)


if __name__ == "__main__":
    main()
