"""Distils the slim VGG-19 in PyTorch, on a CPU that multiplies in bfloat16.

    python tools/distill_in_torch.py --config configs/distill_vgg_slim.py \\
        --workdir runs/vgg_slim --minutes 80 \\
        --config.content=PHOTOS --config.style=PAINTINGS

With AMX, oneDNN's convolutions in bfloat16 take a quarter of the time; XLA has none on
a CPU. So teacher and student run in PyTorch here, three times as fast as `train.py`,
whose config, pictures, least-squares initialisation and export are used. Departures
from it: activations are rounded to bfloat16; each layer's error is divided by the
teacher's variance in the first batches instead of its own batch; Adam's second moments
decay by 0.99; nothing is validated; and --minutes, instead of the config's steps, ends
the schedule. The same command continues a training that was stopped.

`GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:\
glibc.malloc.trim_threshold=17179869184` in front saves a quarter of the time: memory is
kept instead of given back after every step.
"""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from flax.traverse_util import flatten_dict
from torch_training import Training, as_tensor, from_tensors, run

import nstjax

nstjax.set_flags()
import jax  # noqa: E402

from nstjax.configuration import config_to_dict, load_config  # noqa: E402
from nstjax.io.datasets import make_batches  # noqa: E402
from nstjax.io.weights import save_weights  # noqa: E402
from nstjax.models.vgg import VGGSpec  # noqa: E402
from nstjax.ops.preprocess import input_map  # noqa: E402
from nstjax.training.recipes.distill import make_task, weights_of_layers  # noqa: E402
from nstjax.weights.pretrained import load_encoder  # noqa: E402

# The number of batches for the variances that each layer's error is divided by.
VARIANCE_BATCHES = 6


def features(weights, image, spec, *, dtype=torch.bfloat16):
    """Every layer's features [B, C, H, W] of pictures [B, H, W, 3], padded with zeros.

    Args:
        weights: ``{"conv1_1/kernel": ..., "conv1_1/bias": ..., ...}``.
        image: RGB in [0, 1].
        spec: the network's spec; its padding is ignored.
        dtype: the dtype to compute in.
    """
    matrix, offset = (torch.tensor(np.array(x)) for x in input_map(spec.input_map))
    x = (image @ matrix + offset).permute(0, 3, 1, 2).to(dtype)
    found, block = {}, "1"
    for name, layer in zip(spec.convolutions, spec.layers, strict=True):
        if name[len("conv")] != block:
            x, block = F.max_pool2d(x, 2), name[len("conv")]
        kernel, bias = (
            weights[f"{name}/{key}"].to(dtype) for key in ("kernel", "bias")
        )
        x = F.conv2d(x, kernel, bias, padding=1).relu_()
        found[layer] = x
    return found


def by_positions(x):
    """[B, C, H, W] to [B * H * W, C]."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


class HintError(torch.autograd.Function):
    """The sum of squared errors of a linear map from a feature to its target.

    Written out because the gradient only needs the differences: the sum itself is
    computed only if `told`, for display.
    """

    told = True

    @staticmethod
    def forward(ctx, feature, kernel, bias, target):
        flat, kernel = by_positions(feature), kernel.to(feature.dtype)
        error = torch.addmm(bias.to(feature.dtype), flat, kernel)
        error.sub_(by_positions(target))
        ctx.save_for_backward(flat, kernel, error)
        ctx.shape = feature.permute(0, 2, 3, 1).shape
        if not HintError.told:
            return torch.zeros(())
        return torch.linalg.vector_norm(error, dtype=torch.float32) ** 2

    @staticmethod
    def backward(ctx, of_sum):
        flat, kernel, error = ctx.saved_tensors
        factor = 2 * float(of_sum)
        of_feature = torch.mm(error, kernel.t()).mul_(factor).view(ctx.shape)
        of_kernel = torch.mm(flat.t(), error).float() * factor
        ones = torch.ones(1, len(error), dtype=error.dtype)
        of_bias = torch.mm(ones, error).float()[0] * factor
        return of_feature.permute(0, 3, 1, 2), of_kernel, of_bias, None


def hint_errors(weights, mine, wanted, variances):
    """1 - R^2 by layer, as in `nstjax.losses.hints`, for given variances.

    Args:
        weights: has ``"maps/LAYER/kernel"`` and ``"maps/LAYER/bias"``.
        mine, wanted: the features of student and teacher, by layer.
        variances: those of the teacher's features by layer, summed over channels.
    """
    return {
        layer: HintError.apply(
            mine[layer],
            weights[f"maps/{layer}/kernel"],
            weights[f"maps/{layer}/bias"],
            wanted[layer],
        )
        / (variance * mine[layer][:, 0].numel())
        for layer, variance in variances.items()
    }


def variance_of(parts):
    """The channels' variances over positions of all parts [N, C], summed up."""
    flat = torch.cat(parts).float()
    return float(flat.var(0, unbiased=False).sum())


class Distillation(Training):
    """The student and the linear maps of its layers."""

    def __init__(self, config):
        super().__init__(config)
        self.task = make_task(config)
        self.spec = VGGSpec(widths=tuple(config.widths), input_map="imagenet")
        teacher = load_encoder(config.teacher)
        if (teacher.spec.padding, teacher.spec.pooling) != ("zero", "max"):
            raise SystemExit(
                f"{config.teacher} pads or pools otherwise than VGG-19 does"
            )
        self._teacher_spec = dataclasses.replace(
            teacher.spec, widths=teacher.spec.widths[: len(config.widths)]
        )
        self._teacher = {
            name: as_tensor(x).to(torch.bfloat16)
            for name, x in flatten_dict(self.task.frozen["teacher"], sep="/").items()
            if name.split("/")[0] in self.spec.convolutions
        }
        self.layer_weights = weights_of_layers(config, self.spec)
        self.variances, self._batches = {}, None

    def begin(self):
        """Initialises by least squares, like `train.py`; takes minutes."""
        params = self.task.begin(self.task.init(jax.random.key(self.config.seed)))
        flat = flatten_dict(params, sep="/")
        self.set_weights({name: as_tensor(x) for name, x in flat.items()})
        batches = self.batches()
        seen = [self._taught(next(batches)) for _ in range(VARIANCE_BATCHES)]
        self.variances = {
            layer: variance_of([by_positions(found[layer]) for found in seen])
            for layer, weight in self.layer_weights.items()
            if weight > 0
        }

    def batches(self):
        """Batches of pictures, from the current step on."""
        read = make_batches(
            self.task.training,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            start=self.step,
            threads=self.config.threads,
        )
        for batch in read:
            yield torch.tensor(batch["content"].astype(np.float32) / 255)

    @torch.no_grad()
    def _taught(self, image):
        return features(self._teacher, image, self._teacher_spec)

    def advance(self, rate):
        """One step; returns the unexplained part by layer, at steps that are logged."""
        if self._batches is None:
            self._batches = self.batches()
        image = next(self._batches)
        HintError.told = (self.step + 1) % self.config.log_every == 0
        student = {
            name.removeprefix("student/"): x
            for name, x in self.weights.items()
            if name.startswith("student/")
        }
        errors = hint_errors(
            self.weights,
            features(student, image, self.spec),
            self._taught(image),
            self.variances,
        )
        loss = sum(self.layer_weights[layer] * error for layer, error in errors.items())
        self.descend(rate, [loss / sum(self.layer_weights.values())], [None])
        if not HintError.told:
            return {}
        return {layer: float(error.detach()) for layer, error in errors.items()}

    def state(self):
        return super().state() | {"variances": self.variances}

    def set_state(self, state):
        super().set_state(state)
        self.variances = state["variances"]

    def export(self, file, recipe):
        params, metadata = self.task.export(from_tensors(self.mean), recipe)
        notes = dict(metadata.notes) | {
            "config": config_to_dict(self.config),
            "step": self.step,
        }
        metadata = dataclasses.replace(metadata, notes=notes)
        save_weights(file, params, metadata, dtype="float16", overwrite=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    options, rest = parser.parse_known_args()
    config = load_config(options.config, rest)
    options.workdir.mkdir(parents=True, exist_ok=True)
    state = options.workdir / "state.pt"
    training = Distillation(config)
    if state.is_file():
        training.set_state(torch.load(state, weights_only=True))
    else:
        training.begin()
        training.save(state)
    return run(
        training,
        minutes=options.minutes,
        state=state,
        file=options.workdir / f"{config.name}.safetensors",
        recipe=shlex.join(["python", "tools/distill_in_torch.py", *sys.argv[1:]]),
    )


if __name__ == "__main__":
    sys.exit(main())
