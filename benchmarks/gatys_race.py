"""Loss over wall time: Gatys et al. with PyTorch's L-BFGS and with nstjax.

    nstjax weights get vgg19; pip install torch
    python benchmarks/gatys_race.py --size 256 --evaluations 300

Both minimise the loss of `benchmarks/side_by_side` from the same start (the content),
with the same weights and pictures. Prints how long each took to reach PyTorch's loss
after 100 evaluations and after all. nstjax runs from coarse to fine: first at half the
sides; only its loss at full size counts, and compiling counts, too.
"""

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


# Sizes are halved as long as they are not smaller than this.
LEAST_SIDE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument(
        "--coarse", type=int, default=100, help="evaluations at each smaller size"
    )
    parser.add_argument("--child", choices=("torch", "nstjax"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run = run_torch if options.child == "torch" else run_nstjax
        print(json.dumps(run(options)))
        return
    curves = {}
    for name in ("torch", "nstjax"):
        command = [sys.executable, *sys.argv, f"--child={name}"]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        curves[name] = json.loads(result.stdout)
    torch_losses = [loss for _, loss in curves["torch"]]
    print(f"{options.size} px, {options.evaluations} evaluations\n")
    print("| torch's loss after | torch, s | nstjax, s | nstjax / torch |")
    print("|---|---|---|---|")
    for count in (100, options.evaluations):
        goal = min(torch_losses[:count])
        times = [first_below(curves[name], goal) for name in ("torch", "nstjax")]
        shown = ["never" if t is None else f"{t:.1f}" for t in times]
        ratio = "-" if None in times else f"{times[1] / times[0]:.2f}"
        print(f"| {count} | {' | '.join(shown)} | {ratio} |")


def first_below(curve: list[list[float]], goal: float) -> float | None:
    return next((seconds for seconds, loss in curve if loss <= goal), None)


def weights() -> dict:
    """The real VGG-19's weights, in the form of the benchmark's networks."""
    from side_by_side.inputs import CONVOLUTIONS

    from nstjax.weights.pretrained import load_encoder

    encoder = load_encoder("vgg19")
    # For the benchmark's pixels: Caffe's are BGR * 255 minus a mean, whereas this first
    # layer gets pixels divided by ImageNet's deviations.
    params = {name: dict(encoder.params[name]) for name in CONVOLUTIONS}
    if encoder.spec.input_map == "caffe":
        from side_by_side.inputs import MEAN, STD

        from nstjax.ops.preprocess import to_network

        ends = np.asarray(to_network(np.eye(3)[None, None], "caffe", {}))[0, 0]
        zero = np.asarray(to_network(np.zeros((1, 1, 1, 3)), "caffe", {}))[0, 0, 0]
        linear = (ends - zero) * np.array(STD)[:, None]
        shift = zero + np.array(MEAN) @ (ends - zero)
        kernel = params["conv1_1"]["kernel"]
        bias = params["conv1_1"]["bias"] + np.einsum("hwcd,c->d", kernel, shift)
        params["conv1_1"] = {
            "kernel": np.einsum("ic,hwcd->hwid", linear, kernel).astype(np.float32),
            "bias": bias.astype(np.float32),
        }
        # Activations as for normalised input; a scale passes through ReLUs.
        scale = np.float32(1 / 57)
        params["conv1_1"]["kernel"] = params["conv1_1"]["kernel"] * scale
        for name in CONVOLUTIONS:
            params[name]["bias"] = params[name]["bias"] * scale
    return params


def prepare(options):
    from side_by_side import inputs
    from side_by_side.cases import parse

    from nstjax.io.resizing import resize_image
    from nstjax.methods.images import read_picture

    size, params = options.size, weights()
    side = (size, size)
    pictures = {
        "content": resize_image(read_picture("astronaut"), side)[None],
        "style": resize_image(read_picture("night"), side)[None],
    }
    pictures["start"] = pictures["content"]
    inputs.encoder = lambda widths: params
    inputs.picture = lambda name, *shape: pictures[name]
    return parse(f"gatys-{size}", widths="full", precision="float32")


def run_torch(options) -> list[tuple[float, float]]:
    import torch
    from side_by_side import run_torch as bench

    case = prepare(options)
    begin, curve = time.perf_counter(), []
    loss = bench._loss(case)
    x = bench._picture(case, "start").contiguous().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], max_iter=options.evaluations, history_size=100, tolerance_change=0.0
    )

    def closure():
        optimizer.zero_grad()
        total = loss(x.contiguous(memory_format=torch.channels_last))
        total.backward()
        curve.append((time.perf_counter() - begin, float(total.detach())))
        return total

    optimizer.step(closure)
    return curve


def run_nstjax(options) -> list[tuple[float, float]]:
    from nstjax.ops.cpu import xla

    xla.set_flags()
    import jax
    from side_by_side import inputs
    from side_by_side import run_nstjax as bench

    from nstjax.io.resizing import resize_image
    from nstjax.methods import objectives
    from nstjax.optimize import engine
    from nstjax.optimize.minimise import minimise
    from nstjax.optimize.torch_lbfgs import torch_lbfgs

    case = prepare(options)
    full = {name: inputs.picture(name) for name in ("content", "style")}
    spec = objectives.ObjectiveSpec.from_options({"style_weight": 1e3})
    specs = {"spec": spec, "encoder_spec": bench._encoder_spec(case)}
    params = jax.device_put({"encoder": inputs.encoder("full")})

    def objective(x, params, targets):
        return objectives.objective(x, params, targets, **specs)

    begin, curve = time.perf_counter(), []
    make_targets = jax.jit(partial(objectives.make_targets, **specs))
    # A single call of PyTorch's that never stops early, as in `run_torch`.
    solver = torch_lbfgs(updates_per_call=options.evaluations, tolerance_change=0.0)
    x, sizes = None, [options.size]
    while sizes[0] >= 2 * LEAST_SIDE:
        sizes.insert(0, sizes[0] // 2)
    for size in sizes:
        side, counts = (size, size), size == options.size
        small = {
            name: resize_image(image[0], side)[None] for name, image in full.items()
        }
        targets = make_targets(params, small["content"], small["style"])
        x = (
            small["content"]
            if x is None
            else jax.image.resize(x, (1, *side, 3), "cubic")
        )

        def tell(progress, counts=counts):
            if counts:
                curve.append((time.perf_counter() - begin, float(progress.total)))

        result = minimise(
            objective,
            engine.start(x, solver=solver),
            shared=params,
            targets=targets,
            solver=solver,
            evaluations=options.evaluations if counts else options.coarse,
            chunk_size=5,
            on_chunk=tell,
        )
        x = result.x
    return curve


if __name__ == "__main__":
    main()
