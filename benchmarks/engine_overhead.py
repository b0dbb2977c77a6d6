"""What does the per-image engine add to an evaluation of the objective?

    python benchmarks/engine_overhead.py

Times a Gatys-like loss with its gradient on a slim VGG-19 of random weights:
called bare, under jit, from a Python loop; in the engine with Adam; and there
with torch's L-BFGS, from an empty history and with a full one. The ways take
turns. Printed are the medians over the rounds, and that of the ratio to the
same round's bare calls.

L-BFGS has work of its own, whatever the objective: with P pixel values and
full history it reads 5 x 100 x P numbers. The last rows show that alone, with
an objective that costs next to nothing.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.models import vgg
from nstjax.ops.stats import gram_matrix
from nstjax.optimize.adam import adam
from nstjax.optimize.engine import Objective, RunState, start
from nstjax.optimize.minimise import Result, minimise
from nstjax.optimize.solver import Solver
from nstjax.optimize.torch_lbfgs import torch_lbfgs

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
HISTORY = 100


def describe(params, image, *, spec: vgg.VGGSpec) -> dict[str, Any]:
    """The content features and Gram matrices of a picture."""
    layers = (*STYLE_LAYERS, CONTENT_LAYER)
    features = vgg.features(params, image, layers, spec=spec)
    grams = {name: gram_matrix(features[name], normalisation="hw") for name in layers}
    return {"content": features[CONTENT_LAYER], "style": grams}


def make_objective(spec: vgg.VGGSpec) -> Objective:
    def objective(x, params, targets):
        found = describe(params, x, spec=spec)
        content = jnp.mean((found["content"] - targets["content"]) ** 2)
        style = sum(
            jnp.mean((found["style"][name] - targets["style"][name]) ** 2)
            for name in STYLE_LAYERS
        )
        # Large enough for L-BFGS to keep its pairs.
        return 1e4 * (content + style), {"content": content, "style": style}

    return objective


def free_objective(x, shared, targets):
    return jnp.sum(jnp.cosh(x)), {}


def go_on(
    objective: Objective,
    state: RunState,
    shared: Any,
    targets: Any,
    *,
    solver: Solver,
    evaluations: int,
) -> Result:
    result = minimise(
        objective,
        state,
        shared=shared,
        targets=targets,
        solver=solver,
        evaluations=int(state.evaluations) + evaluations,
    )
    if result.reason != "finished":
        raise SystemExit(f"a run was {result.reason}: nothing was measured")
    return result


def make_ways(options: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """The functions to time by name; each makes `options.evaluations`."""
    widths = [width // options.slimmer for width in vgg.FULL_WIDTHS[:13]]
    spec = vgg.VGGSpec(widths=tuple(widths))
    params = vgg.init_params(jax.random.key(0), spec)
    shape = (1, options.size, options.size, 3)
    x, picture = (jax.random.uniform(jax.random.key(seed), shape) for seed in (1, 2))
    targets = jax.jit(partial(describe, spec=spec))(params, picture)
    objective = make_objective(spec)
    value_and_grad = jax.jit(jax.value_and_grad(objective, has_aux=True))

    def bare() -> None:
        for _ in range(options.evaluations):
            jax.block_until_ready(value_and_grad(x, params, targets))

    first_order = adam(learning_rate=0.01)
    # Short steps, so that the run neither ends nor leaves reason.
    second_order = torch_lbfgs(
        learning_rate=0.01, history=HISTORY, tolerance_change=0.0
    )
    measured = partial(go_on, evaluations=options.evaluations)
    ways = {
        "bare": bare,
        "Adam": lambda: measured(
            objective,
            start(x, solver=first_order),
            params,
            targets,
            solver=first_order,
        ),
    }
    for label, arguments in (
        ("", (objective, params, targets)),
        (", free objective", (free_objective, (), ())),
    ):
        function, *rest = arguments
        empty = start(x, solver=second_order)
        full = go_on(
            function, empty, *rest, solver=second_order, evaluations=HISTORY + 5
        ).state
        if int(full.solver.history.pairs) < HISTORY:
            raise SystemExit("L-BFGS kept too few pairs: nothing was measured")
        for age, state in (("empty", empty), ("full", full)):
            ways[f"L-BFGS, {age} history{label}"] = partial(
                measured, function, state, *rest, solver=second_order
            )
    return ways


def seconds(way: Callable[[], object]) -> float:
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--slimmer", type=int, default=4, help="divides VGG's widths")
    parser.add_argument("--evaluations", type=int, default=20, help="per measurement")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()

    ways = make_ways(options)
    for way in ways.values():
        way()  # compiles
    rounds = [
        [seconds(way) / options.evaluations for way in ways.values()]
        for _ in range(options.rounds)
    ]
    times = np.array(rounds)
    ratios = times / times[:, :1]
    print("ms per evaluation, ratio to bare")
    for column, name in enumerate(ways):
        typical, ratio = np.median(times[:, column]), np.median(ratios[:, column])
        print(f"{1e3 * typical:8.1f} {ratio:6.2f}  {name}")


if __name__ == "__main__":
    main()
