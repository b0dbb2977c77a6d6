"""Does reading pictures slow down training?

    python benchmarks/input_pipeline.py --config configs/adain.py \\
        --config.content=PHOTOS --config.style=PAINTINGS

Takes train.py's configs and overrides. Prints examples per second (a batch's
rows; each holds one picture of every stream) of the reading pipeline alone,
of the training step alone on one batch that is already on the device, and of
both together as train.py runs them.
"""

import argparse
import contextlib
import json
import os
import time
from collections.abc import Callable

from nstjax.cli.errors import reports_errors
from nstjax.configuration import load_config
from nstjax.ops.cpu import xla


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True)
    parser.add_argument("--seconds", type=float, default=10, help="per measurement")
    parser.add_argument("--threads", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument(
        "--workers",
        type=int,
        nargs="*",
        default=[],
        help="processes with config.threads threads each",
    )
    parser.add_argument("--json", help="write the figures here, too")
    return parser.parse_known_args()


def rate(work: Callable[[], object], rows: int, *, seconds: float) -> float:
    """Examples per second of repeated work, without the first two calls."""
    for _ in range(2):
        work()
    start, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        work()
        count += 1
    return count * rows / elapsed


@reports_errors
def main() -> int:
    options, overrides = parse()
    config = load_config(options.config, overrides)
    xla.set_flags()
    import jax

    from nstjax.io.datasets import make_batches
    from nstjax.sharding import batch_sharded, make_data_mesh, replicated
    from nstjax.training.recipes.table import make_task
    from nstjax.training.schedules import make_optimizer
    from nstjax.training.step import init_state, make_train_step

    task = make_task(config)
    rows, mesh = config.batch_size, make_data_mesh()

    def read(threads: int, workers: int = 0):
        return make_batches(
            task.training,
            batch_size=rows,
            seed=config.seed,
            threads=threads,
            workers=workers,
        )

    def read_rate(batches) -> float:
        with contextlib.closing(batches):
            return rate(lambda: next(batches), rows, seconds=options.seconds)

    figures: dict[str, float] = {}
    for threads in options.threads:
        figures[f"reading, {threads} threads"] = read_rate(read(threads))
    for workers in options.workers:
        figures[f"reading, {workers} processes"] = read_rate(
            read(config.threads, workers)
        )

    optimizer = make_optimizer(lambda step: 1e-6, clip_norm=config.clip_norm)
    step = make_train_step(task.loss, optimizer, mesh=mesh, seed=0)
    frozen = jax.device_put(task.frozen, replicated(mesh))
    params = jax.jit(task.init)(jax.random.key(0))
    state = jax.device_put(init_state(params, optimizer), replicated(mesh))
    batches = read(config.threads, config.workers)
    batch = jax.device_put(next(batches), batch_sharded(mesh))

    def compute(given) -> None:
        nonlocal state
        state, report = step(state, frozen, given)
        jax.block_until_ready(report)

    figures["training step"] = rate(
        lambda: compute(batch), rows, seconds=options.seconds
    )
    figures["both, as configured"] = rate(
        lambda: compute(jax.device_put(next(batches), batch_sharded(mesh))),
        rows,
        seconds=options.seconds,
    )
    batches.close()
    print(f"{jax.devices()[0].device_kind} x {mesh.size}, {os.cpu_count()} CPU cores")
    for name, value in figures.items():
        print(f"{name:24} {value:8.1f} examples/s")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
