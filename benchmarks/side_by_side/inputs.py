"""Weights and pictures, the same for both libraries: NumPy and nothing else.

Kernels are HWIO and named as in nstjax's params trees. Each array's random numbers
depend only on its name and shape.
"""

import zlib

import numpy as np

Tree = dict[str, dict[str, np.ndarray]]

CONVOLUTIONS = tuple(
    f"conv{block}_{index}"
    for block, count in enumerate((2, 2, 4, 4, 4), start=1)
    for index in range(1, count + 1)
)[:13]
_FULL = (64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512)
# conv1_1 to conv5_1, and the decoder's conv4_1 to conv1_1.
ENCODER_WIDTHS = {
    "full": _FULL,
    "slim": (16, 24, 40, 88, 112, 80, 80, 96, 160, 144, 144, 144, 176),
    "tiny": tuple(width // 16 for width in _FULL),
}
DECODER_WIDTHS = {
    "full": (256, 256, 256, 256, 128, 128, 64, 64, 3),
    "slim": (128, 80, 80, 64, 48, 32, 24, 16, 3),
    "tiny": (16, 16, 16, 16, 8, 8, 4, 4, 3),
}
# The decoder's convolutions, and those of them that follow upsampling.
DECODER_CONVOLUTIONS = CONVOLUTIONS[8::-1]
UPSAMPLED = ("conv3_4", "conv2_2", "conv1_2")
# The ResNet's four stages, and the decoder's five levels from fine to coarse.
DEPTH_WIDTHS = {"full": (64, 128, 256, 512), "tiny": (8, 8, 16, 16)}
DEPTH_DECODER_WIDTHS = {"full": (16, 32, 64, 128, 256), "tiny": (4, 4, 8, 8, 8)}
DEPTH_SIZES = {"full": (192, 640), "tiny": (64, 64)}
DEPTH_UNITS = (2, 2, 2, 2)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture(name: str, batch: int, height: int, width: int) -> np.ndarray:
    """A random picture [B, H, W, 3] in [0, 1]: patches with noise."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    coarse = generator.random((batch, -(-height // 16), -(-width // 16), 3))
    patches = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    noise = generator.normal(0, 0.1, patches.shape)
    return np.clip(patches + noise, 0, 1).astype(np.float32)


def convolution(
    name: str, before: int, after: int, side: int = 3
) -> dict[str, np.ndarray]:
    """A convolution that keeps the scale of activations, on average."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    shape = (side, side, before, after)
    kernel = generator.standard_normal(shape, np.float32)
    kernel *= np.float32((2 / (side * side * before)) ** 0.5)
    bias = generator.uniform(-0.1, 0.1, after).astype(np.float32)
    return {"kernel": kernel, "bias": bias}


def encoder(widths: str) -> Tree:
    """A VGG-19 to conv5_1."""
    tree, before = {}, 3
    for name, width in zip(CONVOLUTIONS, ENCODER_WIDTHS[widths], strict=True):
        tree[name] = convolution(name, before, width)
        before = width
    return tree


def decoder(widths: str) -> Tree:
    """Its mirror image from conv4_1 down."""
    tree, before = {}, ENCODER_WIDTHS[widths][8]
    for name, width in zip(DECODER_CONVOLUTIONS, DECODER_WIDTHS[widths], strict=True):
        tree[name] = convolution(f"decoder/{name}", before, width)
        before = width
    return tree


def depth(widths: str) -> dict[str, dict]:
    """monodepth2's ResNet-18 and decoder, with folded normalisation."""
    stages, levels = DEPTH_WIDTHS[widths], DEPTH_DECODER_WIDTHS[widths]
    resnet = {"conv1": convolution("conv1", 3, stages[0], 7)}
    before = stages[0]
    for stage, (count, width) in enumerate(
        zip(DEPTH_UNITS, stages, strict=True), start=1
    ):
        for index in range(count):
            name = f"layer{stage}_{index}"
            unit = {
                "conv1": convolution(f"{name}/conv1", before, width),
                "conv2": convolution(f"{name}/conv2", width, width),
            }
            if index == 0 and (stage > 1 or before != width):
                unit["downsample"] = convolution(f"{name}/down", before, width, 1)
            # Otherwise, activations double from unit to unit.
            unit["conv2"]["kernel"] *= np.float32(0.3)
            resnet[name] = unit
            before = width
    skips = (stages[0], *stages[:3])
    tree, before = {}, stages[-1]
    for level in range(4, -1, -1):
        width = levels[level]
        name = f"upconv{level}"
        tree[f"{name}_0"] = convolution(f"{name}_0", before, width)
        skip = skips[level - 1] if level else 0
        tree[f"{name}_1"] = convolution(f"{name}_1", width + skip, width)
        before = width
    for scale in range(4):
        tree[f"dispconv{scale}"] = convolution(f"dispconv{scale}", levels[scale], 1)
    return {"encoder": resnet, "decoder": tree}


def swap_features(name: str, size: int, widths: str) -> np.ndarray:
    """Random activations of relu3_1 for a picture of a size, [1, H, W, C]."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    channels = ENCODER_WIDTHS[widths][CONVOLUTIONS.index("conv3_1")]
    shape = (1, size // 4, size // 4, channels)
    return np.maximum(generator.standard_normal(shape, np.float32), 0)
