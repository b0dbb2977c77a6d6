"""VGG-19 and Gatys' losses in plain PyTorch, for comparison in tests.

Pictures enter as NHWC NumPy arrays of RGB in [0, 1] and leave the same way;
inside, everything is torch's own layers in torch's own layout.
"""

import numpy as np
import torch
from torch import nn

# torchvision's configuration E: channels of each convolution, M for a pooling.
CONFIGURATION = (
    *(64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M"),
    *(512, 512, 512, 512, "M", 512),
)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LAYERS = (*STYLE_LAYERS, "relu4_2")
# The notebook's style weights, 1e3 / n^2 for full width's channels.
NOTEBOOK_STYLE_WEIGHTS = tuple(1e3 / n**2 for n in (64, 128, 256, 512, 512))


def he_weights(
    seed: int = 0, shrink: int = 1
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Random kernels [D, C, 3, 3] and biases to relu5_1.

    He-initialised, so that activations keep their size from layer to layer.
    Widths are VGG-19's, divided by `shrink`.
    """
    generator = torch.Generator().manual_seed(seed)
    weights, channels, block, index = {}, 3, 1, 1
    for entry in CONFIGURATION:
        if entry == "M":
            block, index = block + 1, 1
            continue
        width = entry // shrink
        kernel = torch.empty(width, channels, 3, 3)
        nn.init.kaiming_normal_(kernel, generator=generator)
        bias = torch.empty(width).uniform_(-0.1, 0.1, generator=generator)
        weights[f"conv{block}_{index}"] = (kernel, bias)
        channels, index = width, index + 1
    return weights


def to_params(weights: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> dict:
    """The same weights as HWIO arrays in a params tree."""
    return {
        name: {
            "kernel": kernel.permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": bias.numpy(),
        }
        for name, (kernel, bias) in weights.items()
    }


class InputMap(nn.Module):
    """[0, 1] RGB to the pixels of a variant, as its publisher does it."""

    def __init__(self, name: str, conv0: nn.Conv2d | None = None):
        super().__init__()
        self.name, self.conv0 = name, conv0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.name == "imagenet":
            mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
            std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
            return (image - mean) / std
        if self.name == "caffe":
            mean = torch.tensor([0.40760392, 0.45795686, 0.48501961])
            return (image[:, [2, 1, 0]] - mean.view(1, 3, 1, 1)) * 255
        return self.conv0(image)


def random_conv0(seed: int = 1) -> nn.Conv2d:
    """A learned 1x1 input map, near BGR and not diagonal."""
    conv0 = nn.Conv2d(3, 3, 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        swap = torch.eye(3)[[2, 1, 0]] * 4
        conv0.weight.copy_(
            (swap + 0.5 * torch.randn(3, 3, generator=generator))[..., None, None]
        )
        conv0.bias.copy_(torch.tensor([-1.5, -1.75, -2.0]))
    return conv0


class VGG19(nn.Module):
    """VGG-19 to relu5_1 out of torch's layers, with a variant's options."""

    def __init__(self, weights, *, padding, pooling, rounding, input_map):
        super().__init__()
        self.input_map = input_map
        pool = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[pooling]
        self.layers = nn.ModuleDict()
        previous_block = "1"
        for name, (kernel, bias) in weights.items():
            block = name[4]
            if block != previous_block:
                self.layers[f"pool{previous_block}"] = pool(
                    2, 2, ceil_mode=rounding == "ceil"
                )
                previous_block = block
            convolution = nn.Conv2d(
                kernel.shape[1],
                kernel.shape[0],
                3,
                padding=1,
                padding_mode={"zero": "zeros", "reflect": "reflect"}[padding],
            )
            convolution.weight, convolution.bias = (
                nn.Parameter(kernel, requires_grad=False),
                nn.Parameter(bias, requires_grad=False),
            )
            self.layers[name] = convolution
            self.layers[name.replace("conv", "relu")] = nn.ReLU()

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        x, features = self.input_map(image), {}
        for name, layer in self.layers.items():
            x = layer(x)
            if name in LAYERS:
                features[name] = x
        return features


def gram(features: torch.Tensor) -> torch.Tensor:
    """The notebook's GramMatrix: bmm over positions, divided by H * W."""
    batch, channels, height, width = features.shape
    flat = features.reshape(batch, channels, height * width)
    return torch.bmm(flat, flat.transpose(1, 2)) / (height * width)


def notebook_losses(
    features: dict[str, torch.Tensor],
    content: torch.Tensor,
    style: dict[str, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Content and style loss of leongatys/PytorchNeuralStyleTransfer.

    Args:
        features: the picture's at all of `LAYERS`.
        content: the content's at relu4_2.
        style: the style's at all style layers.
    """
    mse = nn.functional.mse_loss
    style_loss = sum(
        weight * mse(gram(features[layer]), gram(style[layer]))
        for layer, weight in zip(STYLE_LAYERS, NOTEBOOK_STYLE_WEIGHTS, strict=True)
    )
    return mse(features["relu4_2"], content), style_loss


def neural_style_losses(
    features: dict[str, torch.Tensor],
    content: torch.Tensor,
    style: dict[str, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Content and style loss of jcjohnson/neural-style, unweighted.

    Its Gram matrices are divided by the number of elements, C * H * W.
    """
    mse = nn.functional.mse_loss
    style_loss = sum(
        mse(
            gram(features[layer]) / features[layer].shape[1],
            gram(style[layer]) / style[layer].shape[1],
        )
        for layer in STYLE_LAYERS
    )
    return mse(features["relu4_2"], content), style_loss


def lapstyle_response(pixels: torch.Tensor, pool: int) -> torch.Tensor:
    """Lapstyle's branch: average pool, then one valid 3-to-1 convolution."""
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]).expand(1, 3, 3, 3)
    pooled = nn.functional.avg_pool2d(pixels, pool)
    return nn.functional.conv2d(pooled, kernel)


def neural_style_variation(pixels: torch.Tensor) -> torch.Tensor:
    """The value whose gradient jcjohnson/neural-style's TVLoss writes down."""
    corner = pixels[:, :, :-1, :-1]
    right, down = pixels[:, :, :-1, 1:], pixels[:, :, 1:, :-1]
    return ((corner - right).square() + (corner - down).square()).sum() / 2


def from_numpy(image: np.ndarray) -> torch.Tensor:
    """NHWC to NCHW."""
    return torch.from_numpy(image.transpose(0, 3, 1, 2).copy())


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """NCHW to NHWC."""
    return tensor.detach().numpy().transpose(0, 2, 3, 1)
