"""What ``stylize.py`` does by default, in as little PyTorch as it takes.

    python -m side_by_side.torch_stylize CONTENT STYLE OUTPUT ENCODER DECODER

The last two are the bundled safetensors files.
"""

import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DECODER = ("4_1", "3_4", "3_3", "3_2", "3_1", "2_2", "2_1", "1_2", "1_1")


def load(path: str) -> dict[str, torch.Tensor]:
    weights = {}
    for name, value in load_file(path).items():
        value = value.float()
        if value.ndim == 4:
            value = value.permute(3, 2, 0, 1)
            value = value.contiguous(memory_format=torch.channels_last)
        weights[name] = value
    return weights


def convolve(weights, name, x):
    x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(x, weights[f"conv{name}/kernel"], weights[f"conv{name}/bias"])


def encode(weights, x):
    x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    for name in reversed(DECODER):
        if name in ("2_1", "3_1", "4_1"):
            x = F.max_pool2d(x, 2)
        x = F.relu(convolve(weights, name, x), inplace=True)
    return x


def decode(weights, x):
    for name in DECODER:
        if name in ("3_4", "2_2", "1_2"):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = convolve(weights, name, x)
        if name != "1_1":
            x = F.relu(x, inplace=True)
    return x


def read(path: str, side: int | None = None) -> torch.Tensor:
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    if side is not None:
        scale = side / min(pixels.shape[:2])
        height, width = (round(scale * length) for length in pixels.shape[:2])
        # Channel by channel in float32, as nstjax does.
        channels = [
            Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS)
            for channel in np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
        ]
        pixels = np.clip(np.stack([np.asarray(c) for c in channels], axis=2), 0, 1)
    return torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)


def main() -> None:
    content_path, style_path, output, encoder_path, decoder_path = sys.argv[1:]
    encoder, decoder = load(encoder_path), load(decoder_path)
    content = read(content_path)
    style = read(style_path, min(512, *content.shape[2:]))
    with torch.inference_mode():
        x, y = encode(encoder, content), encode(encoder, style)
        variance, mean = torch.var_mean(x, (2, 3), keepdim=True, correction=0)
        wanted, wanted_mean = torch.var_mean(y, (2, 3), keepdim=True, correction=0)
        x = (x - mean) / (variance + 1e-5).sqrt() * (wanted + 1e-5).sqrt() + wanted_mean
        image = decode(decoder, x).clamp(0, 1)[0].permute(1, 2, 0)
    Image.fromarray(np.rint(255 * image.numpy()).astype(np.uint8)).save(output)


if __name__ == "__main__":
    main()
