"""Trains a painter in PyTorch, on a CPU that multiplies in bfloat16.

    python tools/train_painter_in_torch.py --config configs/painter.py --minutes 600 \\
        --workdir runs/adain --config.content=PHOTOS --config.style=PAINTINGS \\
        --config.crop_size=192 --config.style_crop_size=192 --config.batch_size=4

goes from random weights through all stages of the config, and

        --config.stages="('refine',)" --config.initial=FILE

goes on from a painter in one of them.

With AMX, oneDNN's convolutions in bfloat16 take a quarter of the time; XLA has none on
a CPU. So painter and loss networks run in PyTorch here, and the gradient of the latter
is written out: six times as many crops as by `train.py`. Terms, their weights and the
files are those of the config's stages. Departures from `train.py`:

- Each step compares by one of the loss networks, in turn, which have pictures of
  their own.
- Every picture has one crop, whose targets are kept.
- Adam has no Nesterov's momentum, and its second moments decay by .99; nothing is
  validated; each stage's share of --minutes, by its steps, ends its schedule.
- Convolutions of the decoder that --config.initial has not begin as the identity.

The same command goes on with a training that was stopped, in the stage that it had
reached; with more --minutes, with one that had ended.

`GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:\
glibc.malloc.trim_threshold=17179869184` in front saves a quarter of the time: memory is
kept instead of given back after every step.
"""

import argparse
import dataclasses
import math
import shlex
import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from flax.traverse_util import flatten_dict
from PIL import Image
from torch_training import Training, as_tensor, from_tensors, run

import nstjax

nstjax.set_flags()
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from nstjax.configuration import config_to_dict, load_config  # noqa: E402
from nstjax.io.crops import cut  # noqa: E402
from nstjax.io.datasets import find_pictures  # noqa: E402
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights  # noqa: E402
from nstjax.losses import table  # noqa: E402
from nstjax.losses.base import Picture  # noqa: E402
from nstjax.models.depth import disparity  # noqa: E402
from nstjax.models.painter import (  # noqa: E402
    EPS,
    LARGEST_SCALE,
    LARGEST_STATISTIC,
    PainterSpec,
    init_params,
)
from nstjax.models.vgg import check_layers  # noqa: E402
from nstjax.ops.preprocess import input_map  # noqa: E402
from nstjax.training.recipes.initial import teacher_notes  # noqa: E402
from nstjax.training.recipes.painter import by_features, make_terms  # noqa: E402
from nstjax.training.sources import likelihood, make_crop, texture  # noqa: E402
from nstjax.training.stages import stages_of  # noqa: E402
from nstjax.weights.pretrained import load_depth, load_encoder  # noqa: E402

# Steps of which one paints pictures in their own style.
IDENTITY_EVERY = 3
# Compared by features, in PyTorch; what other terms compare, JAX computes.
FEATURE_TERMS = ("content", "gram", "moments")
# What targets are kept in: five gigabytes for some thousands of pictures.
KEPT = torch.bfloat16
# As `nstjax.losses.gatys.NormalisedContent` and `nstjax.losses.adain.Moments`.
LEAST_DEVIATION, VARIANCE_EPS, MOMENTS_FLOOR = 0.1, 1e-5, 1e-4


def begin(config, spec):
    """A painter to begin with: what `config.initial` names, or random weights.

    Returns:
        Params, their spec, and what a file says of them.
    """
    if config.initial:
        params, metadata = load_weights(config.initial)
        return params, PainterSpec.from_dict(metadata.spec), metadata
    params = jax.device_get(init_params(jax.random.key(config.seed), spec))
    metadata = WeightsMetadata(
        kind="painter",
        name=config.name,
        spec=spec.to_dict(),
        source="trained by nstjax",
        licence="Apache-2.0",
        notes={"transform": "adain", "eps": EPS},
    )
    return params, spec, metadata


def to_torch(params):
    """A painter's weights by path."""
    flat = flatten_dict(params, sep="/")
    return {name: as_tensor(x) for name, x in flat.items()}


def lengthened(weights, given, wanted):
    """A painter with more convolutions at the end of levels, which change nothing yet.

    The identity leaves what a ReLU gave as it is.

    Args:
        weights: by path, as `to_torch` gives them.
        given, wanted: the spec that they have, and the one to give them.

    Returns:
        The weights of `wanted`.
    """
    longer = tuple(
        old + old[-1:] * (len(new) - len(old))
        for old, new in zip_longest(
            given.decoder_widths, wanted.decoder_widths, fillvalue=()
        )
    )
    same_encoder = given.encoder_widths == wanted.encoder_widths
    same_style = given.style_width == wanted.style_width
    if not same_encoder or not same_style or longer != wanted.decoder_widths:
        raise SystemExit(
            "--config.initial has another shape than the config's, which may only "
            "repeat the last width of the decoder's levels"
        )
    weights = dict(weights)
    for level, old, new in zip(
        given.levels[::-1], given.decoder_widths, longer, strict=True
    ):
        for number in range(len(old), len(new)):
            width, name = old[-1], f"{level}_{number}"
            kernel = np.zeros((3, 3, width, width), np.float32)
            kernel[1, 1] = np.eye(width)
            weights[f"decoder/{name}/kernel"] = as_tensor(kernel)
            weights[f"decoder/{name}/bias"] = torch.zeros(width)
            shape = given.style_width, 2 * width
            weights[f"style/{name}/kernel"] = torch.zeros(shape)
            weights[f"style/{name}/bias"] = torch.zeros(2 * width)
    return weights


def convolve(weights, name, x, *, upsample=False, dtype=torch.bfloat16):
    x, kernel = x.to(dtype), weights[f"{name}/kernel"].to(dtype)
    bias = weights.get(f"{name}/bias")
    if upsample:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(x, kernel, None if bias is None else bias.to(dtype))


def encode(weights, image, *, spec, dtype):
    batch, _, height, width = image.shape
    x = (2 * image - 1).view(batch, 3, height // 2, 2, width // 2, 2)
    x = x.permute(0, 3, 5, 1, 2, 4).reshape(batch, 12, height // 2, width // 2)
    found = {}
    for level, widths in zip(spec.levels, spec.encoder_widths, strict=True):
        if found:
            x = F.max_pool2d(x, 2)
        for number in range(len(widths)):
            # Eight bits of mantissa would round the picture itself.
            precise = dtype if found or number else torch.float32
            x = F.relu(convolve(weights, f"encoder/{level}_{number}", x, dtype=precise))
        found[level] = x
    return found


def paint(weights, content, style, *, spec, dtype=torch.bfloat16):
    """`nstjax.models.painter` with AdaIN; pictures are [B, 3, H, W] here."""
    seen = encode(weights, style, spec=spec, dtype=dtype)
    wanted = {level: mean_std(x, EPS) for level, x in seen.items()}
    restyled = {}
    for level, x in encode(weights, content, spec=spec, dtype=dtype).items():
        mean, std = mean_std(x, EPS)
        scale = wanted[level][1] / std
        shift = wanted[level][0] - mean * scale
        restyled[level] = torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype))
    numbers = [value[:, :, 0, 0] for level in spec.levels for value in wanted[level]]
    told = torch.cat(numbers, 1) @ weights["style/condense/kernel"]
    told = (told + weights["style/condense/bias"]) / LARGEST_STATISTIC
    told = LARGEST_STATISTIC * torch.tanh(told)

    def styled(name, x):
        change = told @ weights[f"style/{name}/kernel"] + weights[f"style/{name}/bias"]
        scale, shift = change[:, :, None, None].chunk(2, 1)
        scale = 1 + LARGEST_SCALE * torch.tanh(scale)
        return torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype))

    def decode(name, x, **options):
        return convolve(weights, f"decoder/{name}", x, **{"dtype": dtype} | options)

    coarsest = spec.levels[-1]
    x = restyled[coarsest]
    for level, widths in zip(spec.levels[::-1], spec.decoder_widths, strict=True):
        for number in range(len(widths)):
            name = f"{level}_{number}"
            if number > 0 or level == coarsest:
                y = decode(name, x)
            else:
                skip = decode(f"{level}_skip", restyled[level])
                y = skip + decode(name, x, upsample=True)
            x = F.relu(styled(name, y))
    y = decode("pixels", x, dtype=torch.float32) + 0.5
    batch, _, height, width = y.shape
    y = y.view(batch, 2, 2, 3, height, width).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(batch, 3, 2 * height, 2 * width)


def by_positions(x):
    """[B, C, H, W] to [B, H * W, C]."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def mean_over_positions(flat):
    """[B, N, C] to [B, 1, C]."""
    # As a product: torch's own sums over channels that lie innermost are slow.
    count = flat.shape[1]
    share = torch.full((len(flat), 1, count), 1 / count, dtype=flat.dtype)
    return torch.bmm(share, flat)


def mean_std(x, eps):
    """Each channel's mean and deviation in float32, [B, C, 1, 1]."""
    flat = by_positions(x).float()
    mean = mean_over_positions(flat)
    # The mean's own gradient through the squares is zero.
    variance = mean_over_positions(torch.square(flat - mean.detach()))
    shape = (len(x), -1, 1, 1)
    return mean.view(shape), torch.sqrt(variance.view(shape) + eps)


def instance_normalised(x):
    """As `nstjax.losses.gatys.NormalisedContent` has it: [B, H * W, C].

    And what channels were multiplied by, [B, 1, C].
    """
    flat = by_positions(x).float()
    centred = flat - mean_over_positions(flat)
    variance = mean_over_positions(torch.square(centred)) + VARIANCE_EPS
    floor = LEAST_DEVIATION * torch.sqrt(variance).mean(2, keepdim=True)
    scale = torch.rsqrt(variance + floor**2)
    return centred * scale, scale


def content_error(x, target):
    """Mean square of what differs after instance normalisation, and its gradient."""
    normalised, scale = instance_normalised(x)
    error = normalised - target
    along = mean_over_positions(error * normalised)
    gradient = torch.addcmul(
        error - mean_over_positions(error), normalised, along, value=-1
    )
    return torch.square(error).mean(), gradient * (scale * (2 / error.numel()))


def gram_and_moments(flat):
    """Gram matrix [B, C, C]; means and deviations [B, 2 C], by its diagonal."""
    gram = torch.bmm(flat.transpose(1, 2), flat).float() / flat.shape[1]
    mean = mean_over_positions(flat).float()[:, 0]
    variance = F.relu(gram.diagonal(dim1=1, dim2=2) - mean**2)
    return gram, torch.cat([mean, torch.sqrt(variance + VARIANCE_EPS)], 1)


def relative_error(value, wanted, floor=0.0):
    """The mean relative error, of which one above 1 counts as 1, and its gradient."""
    axes = tuple(range(1, value.ndim))
    energy = torch.square(wanted).sum(axes, keepdim=True) + floor
    errors = torch.square(value - wanted).sum(axes, keepdim=True) / energy
    bound = errors.clamp(min=1)
    gradient = (value - wanted) * (2 / (len(value) * energy * bound))
    return (errors / bound).mean(), gradient


def style_errors(flat, wanted_gram, wanted_moments, *, gram_weight, moments_weight):
    """Both errors of a layer [B, N, C], and what gives the gradient of their sum.

    Returns:
        The errors, and a matrix [B, C, C] and a row [B, 1, C]: the gradient is
        ``flat @ matrix + row``.
    """
    gram, moments = gram_and_moments(flat)
    error, of_gram = relative_error(gram, wanted_gram)
    difference, of_moments = relative_error(moments, wanted_moments, MOMENTS_FLOOR)
    mean, deviation = moments.chunk(2, 1)
    of_mean, of_deviation = (moments_weight * of_moments).chunk(2, 1)
    matrix = gram_weight * (of_gram + of_gram.transpose(1, 2))
    # Where the variance came out negative, it is held at zero.
    positive = deviation > math.sqrt(VARIANCE_EPS)
    of_variance = of_deviation / (2 * deviation) * positive
    matrix.diagonal(dim1=1, dim2=2).add_(2 * of_variance)
    row = (of_mean - 2 * mean * of_variance)[:, None]
    return error, difference, matrix / flat.shape[1], row / flat.shape[1]


class LossNetwork:
    """A VGG whose losses' gradient by the picture is written out.

    Torch's own keeps more, and passes through memory more often: twice the time.
    """

    def __init__(self, network, content_layer, style_layers, dtype=torch.bfloat16):
        if (network.spec.padding, network.spec.pooling) != ("zero", "max"):
            raise SystemExit(
                f"{network.metadata.name} pads or pools otherwise than published VGGs"
            )
        check_layers([content_layer, *style_layers], network.spec)
        matrix, bias = input_map(network.spec.input_map)
        self._matrix, self._bias = (torch.tensor(np.asarray(x)) for x in (matrix, bias))
        self._content_layer, self._style_layers = content_layer, style_layers
        self._dtype = dtype
        self._convolutions = {}
        last = max(content_layer, *style_layers)
        for convolution in network.spec.convolutions:
            layer = network.params[convolution]
            kernel = as_tensor(layer["kernel"], dtype)
            turned = kernel.permute(1, 0, 2, 3).flip(2, 3)
            name = convolution.replace("conv", "relu")
            self._convolutions[name] = (
                kernel,
                torch.tensor(np.asarray(layer["bias"]), dtype=dtype),
                turned.contiguous(memory_format=torch.channels_last),
            )
            if name == last:
                break

    def features(self, image):
        """Activations in order of computation, and where pools took them from."""
        pixels = image.permute(0, 2, 3, 1) @ self._matrix + self._bias
        x = pixels.permute(0, 3, 1, 2).to(self._dtype)
        found, pooled, block = {}, {}, "1"
        for layer, (kernel, bias, _) in self._convolutions.items():
            if layer[len("relu")] != block:
                block = layer[len("relu")]
                x, pooled[layer] = F.max_pool2d(x, 2, return_indices=True)
            x = F.conv2d(x, kernel, bias, padding=1).relu_()
            found[layer] = x
        return found, pooled

    @torch.no_grad()
    def describe_content(self, image):
        found, _ = self.features(image)
        return {"content": instance_normalised(found[self._content_layer])[:1]}

    @torch.no_grad()
    def describe_style(self, image):
        found, _ = self.features(image)
        return {n: gram_and_moments(by_positions(found[n])) for n in self._style_layers}

    @torch.no_grad()
    def losses(self, image, content, style, weights):
        """What `weights` name of `FEATURE_TERMS`, relative as configs/painter.py.

        Args:
            image: results [B, 3, H, W].
            content, style: from `describe_content` and `describe_style`.
            weights: by term.

        Returns:
            The terms' values, and the gradient of their weighted sum by `image`.
        """
        found, pooled = self.features(image)
        (wanted,) = content["content"]
        value, gradient = content_error(found[self._content_layer], wanted)
        values = {"content": value, "gram": 0.0, "moments": 0.0}
        of_content = (weights["content"] * gradient).to(self._dtype)
        g = None
        for layer, (_, _, turned) in reversed(self._convolutions.items()):
            x = found[layer]
            flat = by_positions(x)
            parts = []
            if layer in style:
                share = self._style_layers[layer]
                error, difference, matrix, row = style_errors(
                    flat,
                    *style[layer],
                    gram_weight=share * weights["gram"],
                    moments_weight=share * weights["moments"],
                )
                values["gram"] += share * error
                values["moments"] += share * difference
                part = torch.bmm(flat, matrix.to(self._dtype))
                parts.append(part.add_(row.to(self._dtype)))
            if layer == self._content_layer:
                parts.append(of_content)
            for part in parts:
                part = part.view(x.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)
                g = part if g is None else g.add_(part)
            g = torch.ops.aten.threshold_backward.grad_input(g, x, 0, grad_input=g)
            g = F.conv2d(g, turned, padding=1)
            if layer in pooled:
                before = list(found)[list(found).index(layer) - 1]
                g = torch.ops.aten.max_pool2d_with_indices_backward(
                    g,
                    found[before],
                    *([2, 2], [2, 2], [0, 0], [1, 1]),
                    False,
                    pooled[layer],
                )
        of_pixels = g.permute(0, 2, 3, 1).float() @ self._matrix.T
        return values, of_pixels.permute(0, 3, 1, 2)


def make_picture_losses(terms, depth):
    """Value and gradient of all other terms by a result's pixels [B, H, W, 3]."""

    def seen(image, key=None):
        found = None
        if depth is not None:
            found = disparity(depth.params, image, spec=depth.spec)
        return Picture(image, {}, found, key)

    def total(image, content, style, key):
        values = table.evaluate(terms, seen(image), seen(content), seen(style, key))
        weights = {term.name: term.weight for term in terms}
        return sum(weights[name] * value for name, value in values.items()), values

    return jax.jit(jax.value_and_grad(total, has_aux=True))


class Crops:
    """One crop of every picture, cut when it is first asked for."""

    def __init__(self, paths, crop, *, seed, config=None):
        self._paths, self._crop = paths, crop
        self._seed, self._config = seed, config
        self._cut, self._queue = {}, []
        self._order = np.random.default_rng(seed)
        self._targets = {}

    def __len__(self):
        return len(self._paths)

    def draw(self, count, shares=None):
        """Numbers of pictures: in shuffled rounds, or by their shares."""
        if shares is not None:
            return self._order.choice(len(self), count, p=shares).tolist()
        while len(self._queue) < count:
            self._queue += self._order.permutation(len(self)).tolist()
        drawn, self._queue = self._queue[:count], self._queue[count:]
        return drawn

    def crops(self, numbers):
        """Crops of pictures, [B, 3, H, W]."""
        found = np.stack([self[number] for number in numbers])
        return channels_first(found.astype(np.float32) / 255)

    def __getitem__(self, number):
        if number == len(self):
            raise IndexError(number)
        if number not in self._cut:
            random = np.random.default_rng((self._seed, number))
            with Image.open(self._paths[number]) as picture:
                crop = cut(picture, self._crop, random)
            if self._config is not None:
                chance = random.random()
                if chance < self._config.exchanged_share:
                    crop = crop[..., random.permutation(3)]
                elif chance > 1 - self._config.grey_share:
                    grey = np.rint(crop.mean(axis=2, keepdims=True))
                    crop = np.broadcast_to(grey, crop.shape)
            self._cut[number] = np.uint8(crop)
        return self._cut[number]

    @torch.no_grad()
    def targets(self, numbers, images, describe):
        """What `describe` makes of pictures, by layer, each picture's kept."""
        new = [i for i, number in enumerate(numbers) if number not in self._targets]
        if new:
            described = describe(images[new])
            for place, i in enumerate(new):
                self._targets[numbers[i]] = {
                    layer: [x[place].to(KEPT) for x in values]
                    for layer, values in described.items()
                }
        kept = [self._targets[number] for number in numbers]
        return {
            layer: [
                torch.stack(x).float()
                for x in zip(*(k[layer] for k in kept), strict=True)
            ]
            for layer in kept[0]
        }


def channels_first(pictures):
    return torch.tensor(pictures).permute(0, 3, 1, 2)


class Judge:
    """A loss network, and the pictures that it compares."""

    def __init__(self, network, config, part):
        self.notes = teacher_notes(network.metadata)
        layers = config[network.metadata.kind]
        (content_layer,) = layers.content_layers
        self._network = LossNetwork(network, content_layer, dict(layers.style_layers))
        contents, styles = find_pictures(config.content), find_pictures(config.style)
        self._content = Crops(contents[part], make_crop(config), seed=config.seed)
        style_crop = make_crop(config, prefix="style_")
        self._style = Crops(
            styles[part], style_crop, seed=config.seed + 1, config=config
        )
        textures = np.array([texture(crop) for crop in self._style])
        drawn = likelihood(textures, config.style_texture_bounds)
        self._likelihood = drawn / drawn.sum()

    def _describe_styles(self, numbers):
        styles = self._style.crops(numbers)
        describe = self._network.describe_style
        return styles, self._style.targets(numbers, styles, describe)

    def draw(self, count):
        """Contents and styles, and what `losses` needs of them."""
        numbers = self._content.draw(count)
        contents = self._content.crops(numbers)
        describe = self._network.describe_content
        wanted = self._content.targets(numbers, contents, describe)
        numbers = self._style.draw(count, self._likelihood)
        styles, told = self._describe_styles(numbers)
        return contents, styles, (wanted, told)

    def losses(self, image, targets, weights):
        """The terms' values, and the gradient of their weighted sum by the pixels."""
        return self._network.losses(image, *targets, weights)


class PainterTraining(Training):
    """A painter, compared by each of `judges` in turn."""

    def __init__(self, config, judges):
        super().__init__(config)
        widths = config.encoder_widths, config.decoder_widths
        self.spec = PainterSpec(*widths, config.style_width)
        params, given, self.metadata = begin(config, self.spec)
        self.set_weights(lengthened(to_torch(params), given, self.spec))
        _, others = by_features(make_terms(config))
        depth = load_depth(config.depth_model) if table.needs_depth(others) else None
        self.picture_losses = make_picture_losses(others, depth)
        self.notes = {"loss_encoders": [judge.notes for judge in judges]}
        if depth is not None:
            self.notes["depth_sha256"] = depth.sha256
        self.judges = judges
        self.feature_weights = {n: config[f"{n}_weight"] for n in FEATURE_TERMS}

    def advance(self, rate):
        config = self.config
        judge = self.judges[self.step % len(self.judges)]
        contents, styles, targets = judge.draw(config.batch_size)
        image = paint(self.weights, contents, styles, spec=self.spec)
        values, gradient = judge.losses(image.detach(), targets, self.feature_weights)
        pictures = [x.detach().permute(0, 2, 3, 1) for x in (image, contents, styles)]
        pictures = [jnp.asarray(x.numpy()) for x in pictures]
        (_, others), more = self.picture_losses(*pictures, jax.random.key(self.step))
        values |= others
        ends, gradients = [image], [gradient + channels_first(np.array(more))]
        if config.identity_pictures and self.step % IDENTITY_EVERY == 0:
            few = contents[: config.identity_pictures]
            again = paint(self.weights, few, few, spec=self.spec)
            values["identity"] = torch.square(again - few).mean()
            ends.append(config.identity_weight * values["identity"])
            gradients.append(None)
        self.descend(rate, ends, gradients)
        return {
            name: float(value.detach() if torch.is_tensor(value) else value)
            for name, value in values.items()
        }

    def export(self, file, recipe):
        notes = dict(self.metadata.notes) | {
            **self.notes,
            "config": config_to_dict(self.config),
            "step": self.step,
        }
        # What it began with may have been an average; this is not.
        notes.pop("average_of", None)
        metadata = dataclasses.replace(
            self.metadata,
            name=self.config.name,
            spec=self.spec.to_dict(),
            recipe=recipe,
            notes=notes,
        )
        save_weights(
            file, from_tensors(self.mean), metadata, dtype="float16", overwrite=True
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, metavar="FILE[:PRESET]")
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    options, rest = parser.parse_known_args()
    config = load_config(options.config, rest)
    recipe = shlex.join(["python", "tools/train_painter_in_torch.py", *sys.argv[1:]])
    stages = list(stages_of(config, options.workdir))
    steps = sum(stage.config.steps for stage in stages)
    # Their pictures and targets serve all stages.
    networks = [load_encoder(name) for name in config.loss_encoders]
    judges = [
        Judge(network, stages[0].config, slice(first, None, len(networks)))
        for first, network in enumerate(networks)
    ]
    states = [stage.workdir / "state.pt" for stage in stages]
    begun = [number for number, state in enumerate(states) if state.is_file()]
    reached = max(begun, default=0)
    for stage, state in zip(stages[reached:], states[reached:], strict=True):
        print(f"stage {stage.name}", file=sys.stderr)
        stage.workdir.mkdir(parents=True, exist_ok=True)
        training = PainterTraining(stage.config, judges)
        if state.is_file():
            training.set_state(torch.load(state, weights_only=True))
        if status := run(
            training,
            minutes=options.minutes * stage.config.steps / steps,
            state=state,
            file=stage.exported,
            recipe=recipe,
        ):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
