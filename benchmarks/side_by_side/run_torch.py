"""The same cases in PyTorch: channels_last, with only the gradients needed."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch.nn import functional as F

from side_by_side import inputs
from side_by_side.cases import Case
from side_by_side.flops import depth_widths
from side_by_side.torch_networks import VGG19, Decoder, Depth, adain, mean_std, to_torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
_STYLE_LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))
_CONTENT_LAYER = "conv4_2"


def version() -> str:
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"
    return f"torch {torch.__version__} on {name}"


def set_precision(precision: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True


def synchronise(result: object) -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def device_megabytes() -> float | None:
    """The most memory used on an accelerator so far."""
    return torch.cuda.max_memory_allocated() / 2**20 if DEVICE.type == "cuda" else None


def matmul(side: int, precision: str) -> Callable[[], object]:
    """A product of two square matrices, for measuring the machine's peak."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = torch.randn(2, side, side, device=DEVICE, dtype=dtype)
    return lambda: a @ b


def prepare(case: Case) -> Callable[[], object]:
    """Makes the function to time; it returns tensors to compare, NHWC."""
    return globals()[f"_{case.kind.replace('-', '_')}"](case)


def _autocast(case: Case):
    if case.precision != "bfloat16":
        return nullcontext()
    return torch.autocast(DEVICE.type, torch.bfloat16)


def _picture(case: Case, name: str) -> torch.Tensor:
    image = inputs.picture(name, case.batch, case.size, case.size)
    return to_torch(image, DEVICE)


def _nhwc(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def _inference(case: Case, function: Callable[[], torch.Tensor]):
    def run():
        with torch.inference_mode(), _autocast(case):
            return _nhwc(function())

    return run


def _encode(case: Case):
    encoder = VGG19(case.widths, device=DEVICE)
    image = _picture(case, "content")
    return _inference(case, lambda: encoder(image, ("conv4_1",))["conv4_1"])


def _adain(case: Case):
    encode, paint = _transfer(case)
    content, style = _picture(case, "content"), _picture(case, "style")
    return _inference(case, lambda: paint(content, encode(style)))


def _paint(case: Case):
    encode, paint = _transfer(case)
    content, style = _picture(case, "content"), _picture(case, "style")
    with torch.inference_mode(), _autocast(case):
        features = encode(style)
    return _inference(case, lambda: paint(content, features))


def _transfer(case: Case):
    """Functions that encode a picture and paint a content in a style's features."""
    encoder = VGG19(case.widths, padding="reflect", device=DEVICE)
    decoder = Decoder(case.widths, device=DEVICE)

    def encode(image):
        return encoder(image, ("conv4_1",))["conv4_1"]

    def paint(content, style_features):
        return decoder(adain(encode(content), style_features)).clamp(0, 1)

    return encode, paint


def _gram(features: torch.Tensor) -> torch.Tensor:
    flat = features.flatten(2).float()
    return torch.bmm(flat, flat.transpose(1, 2)) / flat.shape[2]


def _loss(case: Case) -> Callable[[torch.Tensor], torch.Tensor]:
    encoder = VGG19(case.widths, device=DEVICE)
    layers = (*_STYLE_LAYERS, _CONTENT_LAYER)
    with torch.no_grad(), _autocast(case):
        wanted = encoder(_picture(case, "content"), layers)[_CONTENT_LAYER].float()
        style = encoder(_picture(case, "style"), layers)
        grams = {layer: _gram(style[layer]) for layer in _STYLE_LAYERS}

    def loss(x):
        with _autocast(case):
            features = encoder(x, layers)
        content = F.mse_loss(features[_CONTENT_LAYER].float(), wanted)
        style = sum(F.mse_loss(_gram(features[n]), grams[n]) for n in _STYLE_LAYERS)
        return content + 1e3 * style

    return loss


def _gatys(case: Case):
    loss = _loss(case)
    x = _picture(case, "start").requires_grad_()

    def run():
        total = loss(x)
        (gradient,) = torch.autograd.grad(total, x)
        return total.detach(), _nhwc(gradient)

    return run


def _minimise(case: Case, make_optimizer: Callable, steps: int):
    loss, start = _loss(case), _picture(case, "start")

    def run():
        # torch's L-BFGS needs views of gradients: NCHW outside the network.
        x = start.clone(memory_format=torch.contiguous_format).requires_grad_()
        optimizer, totals = make_optimizer([x]), []

        def closure():
            optimizer.zero_grad()
            total = loss(x.contiguous(memory_format=torch.channels_last))
            total.backward()
            totals.append(total.detach())
            return total

        for _ in range(steps):
            optimizer.step(closure)
        if len(totals) != case.evaluations:
            raise SystemExit("torch's optimiser stopped early: nothing was measured")
        return torch.stack(totals)

    return run


def _gatys_adam(case: Case):
    def make(params):
        return torch.optim.Adam(params, lr=0.02)

    return _minimise(case, make, case.evaluations)


def _gatys_lbfgs(case: Case):
    def make(params):
        return torch.optim.LBFGS(
            params,
            max_iter=case.evaluations,
            history_size=100,
            tolerance_change=0.0,
        )

    return _minimise(case, make, 1)


def _train(case: Case):
    encoder = VGG19(case.widths, padding="reflect", device=DEVICE)
    decoder = Decoder(case.widths, device=DEVICE, train=True)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-4)
    layers = _STYLE_LAYERS[:4]
    pictures = [
        torch.round(255 * _picture(case, name)).to(torch.uint8)
        for name in ("content", "style")
    ]

    def run():
        content, style = (image.float() / 255 for image in pictures)
        with _autocast(case):
            with torch.no_grad():
                wanted = encoder(style, layers)
                features = encoder(content, ("conv4_1",))["conv4_1"]
                target = adain(features, wanted["conv4_1"], unbiased=True)
            found = encoder(decoder(target), layers)
        total = F.mse_loss(found["conv4_1"].float(), target.float())
        for layer in layers:
            pairs = zip(
                mean_std(found[layer].float(), unbiased=True),
                mean_std(wanted[layer].float(), unbiased=True),
                strict=True,
            )
            total = total + 10 * sum(F.mse_loss(a, b) for a, b in pairs)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.detach()

    return run


def _swap(case: Case):
    """Pytorch_Style_Swap's form: correlate, one-hot, convolve transposed."""
    content, style = (
        to_torch(inputs.swap_features(name, case.size, case.widths), DEVICE)
        for name in ("content", "style")
    )

    def swap():
        channels = style.shape[1]
        patches = F.unfold(style, 3)[0].T.reshape(-1, channels, 3, 3)
        norms = patches.flatten(1).norm(dim=1).clamp(min=1e-8)
        kernels = patches / norms[:, None, None, None]
        scores = F.conv2d(content, kernels)
        best = scores.argmax(dim=1, keepdim=True)
        one_hot = torch.zeros_like(scores).scatter_(1, best, 1)
        total = F.conv_transpose2d(one_hot, patches)
        ones = torch.ones_like(one_hot[:, :1])
        overlaps = F.conv_transpose2d(ones, torch.ones_like(patches[:1, :1]))
        return total / overlaps

    return _inference(case, swap)


def _monodepth(case: Case):
    widths = depth_widths(case)
    network = Depth(widths, device=DEVICE)
    image = to_torch(
        inputs.picture("content", case.batch, *inputs.DEPTH_SIZES[widths]), DEVICE
    )
    return _inference(case, lambda: network(image)[0])
