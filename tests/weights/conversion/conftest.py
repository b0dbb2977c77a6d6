"""Networks as their publishers define them in PyTorch, and a photograph."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

BLOCKS = (2, 2, 4, 4, 4)
WIDTHS = (64, 128, 256, 512, 512)
VGG16_BLOCKS = (2, 2, 3, 3, 3)


@pytest.fixture(scope="session")
def networks():
    """Builders of the published networks; needs torch."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def randomise(network, seed=0):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    deviation = (2 / module.weight[0].numel()) ** 0.5
                    module.weight.normal_(0, deviation, generator=generator)
                    module.bias.normal_(0, 0.05, generator=generator)
        return network

    def torchvision_vgg(blocks=BLOCKS, batch_norm=False):
        """torchvision's VGG, its classifier cut down to a few numbers."""
        layers, channels = [], 3
        for count, width in zip(blocks, WIDTHS, strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width)] if batch_norm else []
                layers.append(nn.ReLU())
                channels = width
            layers.append(nn.MaxPool2d(2, 2))
        network = nn.Module()
        network.features = nn.Sequential(*layers)
        network.classifier = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
        return randomise(network)

    def gatys_names(state, blocks=BLOCKS):
        """A state dict with torchvision's names, renamed as in vgg_conv.pth."""
        names = [f"conv{b}_{i + 1}" for b, n in enumerate(blocks, 1) for i in range(n)]
        weights = [
            n for n in state if n.endswith("weight") and n.startswith("features")
        ]
        return {
            f"{ours}.{kind}": state[theirs.replace("weight", kind)]
            for ours, theirs in zip(names, weights, strict=True)
            for kind in ("weight", "bias")
        }

    def normalised_vgg(last=16):
        """naoto0804's encoder; `last` convolutions, the input map aside."""
        layers, channels, done = [nn.Conv2d(3, 3, 1)], 3, 0
        for block, (count, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True)):
            if block and done < last:
                layers.append(nn.MaxPool2d(2, 2, 0, ceil_mode=True))
            for _ in range(count):
                if done < last:
                    layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, width, 3)]
                    layers.append(nn.ReLU())
                    channels, done = width, done + 1
        return randomise(nn.Sequential(*layers))

    def sequential_decoder(widths, upsample_after, last_relu=False):
        """naoto0804's decoder and deep-transfer's invertors."""
        layers = []
        for index, (before, after) in enumerate(
            zip(widths[:-1], widths[1:], strict=True)
        ):
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(before, after, 3)]
            if last_relu or index < len(widths) - 2:
                layers.append(nn.ReLU())
            if index in upsample_after:
                layers.append(nn.UpsamplingNearest2d(scale_factor=2))
        return randomise(nn.Sequential(*layers))

    def rename_convolutions(network, names):
        """The state dict of a Sequential with other module names."""
        found = [m for m in network if isinstance(m, nn.Conv2d)]
        return {
            f"{name}.{kind}": getattr(module, kind).detach()
            for name, module in zip(names, found, strict=True)
            for kind in ("weight", "bias")
        }

    def save(state, path, *, zipped=True):
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
        return path

    def run(network, image):
        """A network applied to pixels [B, H, W, 3], the result likewise."""
        with torch.no_grad():
            x = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
            return network(x).numpy().transpose(0, 2, 3, 1)

    return SimpleNamespace(
        torchvision_vgg=torchvision_vgg,
        gatys_names=gatys_names,
        normalised_vgg=normalised_vgg,
        sequential_decoder=sequential_decoder,
        rename_convolutions=rename_convolutions,
        randomise=randomise,
        save=save,
        run=run,
        vgg16_blocks=VGG16_BLOCKS,
    )


@pytest.fixture(scope="session")
def eval_photo(shared):
    """The middle of a photograph, [1, 256, 256, 3] in [0, 1].

    How well a decoder does depends much on the photograph: the true relu3_1
    pair reconstructs this one at 32 dB, and very detailed ones at 19.
    """
    with Image.open(shared / "data/eval/content/npr_mountains.jpg") as picture:
        left, top = (picture.width - 256) // 2, (picture.height - 256) // 2
        middle = picture.convert("RGB").crop((left, top, left + 256, top + 256))
    return np.asarray(middle, np.float32)[None] / 255
