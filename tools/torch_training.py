"""Shared parts of the trainings in PyTorch: arrays, the optimiser and the loop."""

import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from flax.traverse_util import unflatten_dict


def as_tensor(x, dtype=torch.float32):
    """Kernels [H, W, C, D] in torch's order, [D, C, H, W]; others unchanged."""
    tensor = torch.tensor(np.asarray(x)).to(dtype)
    if tensor.ndim != 4:
        return tensor
    # In the memory layout that oneDNN needs.
    return tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)


def from_tensors(tensors):
    """A tree of arrays: the inverse of `as_tensor` on leaves named by their paths."""
    leaves = {
        name: (x.permute(2, 3, 1, 0) if x.ndim == 4 else x).detach().numpy().copy()
        for name, x in tensors.items()
    }
    return unflatten_dict(leaves, sep="/")


class KernelMuon(torch.optim.Muon):
    """Muon for kernels [D, C, H, W] as for the matrices [D, H * W * C] of their rows.

    As in `nstjax.training.schedules`, except that torch computes in bfloat16.
    """

    def __init__(self, kernels):
        self._kernels = kernels
        matrices = [self._as_matrix(x.detach()) for x in kernels]
        super().__init__(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")

    @staticmethod
    def _as_matrix(kernel):
        # A view of the same memory (see `as_tensor`), so changes affect both.
        if kernel.ndim == 4:
            kernel = kernel.permute(0, 2, 3, 1)
        return kernel.view(len(kernel), -1)

    @torch.no_grad()
    def step(self):
        for matrix, kernel in zip(
            self.param_groups[0]["params"], self._kernels, strict=True
        ):
            # Gradients may have another memory layout than their kernels.
            gradient = torch.empty_like(kernel).copy_(kernel.grad)
            matrix.grad = self._as_matrix(gradient)
        super().step()


def make_optimizers(name, weights):
    """As `nstjax.training.schedules.make_optimizer`, but with plain Adam, b2 = 0.99."""
    if name not in ("adam", "muon"):
        raise SystemExit(f"--config.optimizer must be adam or muon, not {name!r}")
    kernels = [x for x in weights if x.ndim > 1] if name == "muon" else []
    others = [x for x in weights if x.ndim == 1] if name == "muon" else weights
    adam = torch.optim.Adam(others, betas=(0.9, 0.99), fused=True)
    return [adam, KernelMuon(kernels)] if kernels else [adam]


class Training:
    """Weights by path, their mean and the optimiser's state, step by step.

    Args:
        config: has ``optimizer``, ``learning_rate``, ``schedule`` ("cosine", or else
            constant), ``warmup_steps``, ``clip_norm``, ``average_decay``,
            ``log_every`` and ``checkpoint_every``.
    """

    def __init__(self, config):
        self.config = config
        self.step, self.seconds = 0, 0.0

    def set_weights(self, weights):
        """Starts with weights by path, which are also the initial mean."""
        self.weights = {name: x.requires_grad_() for name, x in weights.items()}
        self.mean = {name: x.detach().clone() for name, x in weights.items()}
        self._optimizers = make_optimizers(
            self.config.optimizer, list(self.weights.values())
        )

    def advance(self, rate):
        """One step at a learning rate; returns values to show, by name."""
        raise NotImplementedError

    def export(self, file, recipe):
        """Writes the mean of the weights as a weight file."""
        raise NotImplementedError

    def descend(self, rate, ends, gradients):
        """One step of the optimiser.

        Args:
            rate: the learning rate.
            ends, gradients: the computed values, and the loss's gradients with respect
                to them; None if the value is the loss itself.
        """
        for weight in self.weights.values():
            weight.grad = None
        torch.autograd.backward(ends, gradients)
        norm = torch.nn.utils.clip_grad_norm_(
            self.weights.values(), self.config.clip_norm
        )
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            if torch.isfinite(norm):
                optimizer.step()
        self.step += 1
        decay = min(self.config.average_decay, self.step / (9 + self.step))
        with torch.no_grad():
            for name, mean in self.mean.items():
                mean.lerp_(self.weights[name], 1 - decay)

    def state(self):
        """Everything that a training needs to continue."""
        return {
            "weights": self.weights,
            "mean": self.mean,
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "step": self.step,
            "seconds": self.seconds,
        }

    def set_state(self, state):
        """Continues from the result of `state`."""
        self.set_weights({name: x.detach() for name, x in state["weights"].items()})
        self.mean = state["mean"]
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, file):
        """Writes `state` atomically."""
        torch.save(self.state(), f"{file}.new")
        os.replace(f"{file}.new", file)


def run(training: Training, *, minutes, state: Path, file: Path, recipe):
    """Trains for a number of minutes in all, or until a signal.

    Args:
        training: a new or stopped training.
        minutes: the time in which the learning rate falls to zero, by half a cosine, or
            is constant.
        state: the file from which the training can continue.
        file: the file to export to at the end.
        recipe: the recipe for the export's metadata.

    Returns:
        The exit status.
    """
    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopped.append(number))
    config = training.config
    begun, seen = time.monotonic() - training.seconds, []
    while not stopped:
        training.seconds = time.monotonic() - begun
        done = training.seconds / 60 / minutes
        if done >= 1:
            break
        falling = (1 + math.cos(math.pi * done)) / 2
        rate = config.learning_rate * (falling if config.schedule == "cosine" else 1)
        rise = (training.step + 1) / max(config.warmup_steps, 1)
        seen.append(training.advance(rate * min(1, rise)))
        if training.step % config.log_every == 0:
            names = dict.fromkeys(name for row in seen for name in row)
            means = {n: np.mean([row[n] for row in seen if n in row]) for n in names}
            text = "  ".join(f"{name} {mean:.4g}" for name, mean in means.items())
            print(f"step {training.step}, {done:.1%}: {text}", file=sys.stderr)
            seen = []
        if training.step % config.checkpoint_every == 0:
            training.save(state)
    training.save(state)
    training.export(file, recipe)
    print(f"wrote {file}, after {training.step} steps")
    return 128 + stopped[0] if stopped else 0
