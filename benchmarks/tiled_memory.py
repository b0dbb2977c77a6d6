"""How much memory and time does a large picture take, at once and in tiles?

    python benchmarks/tiled_memory.py
    python benchmarks/tiled_memory.py --sizes 4096 8192 --ways 1.5GB 3GB
    python benchmarks/tiled_memory.py --gradient --sizes 512 1024

Paints a picture of noise with AdaIN and the bundled networks, each size and way in a
separate process. A way is "whole" or an amount for --max-memory. Prints the tiles that
the planner chose (0 for the whole picture), the expected and the measured peak resident
memory, and the seconds of painting, including compilation. With --gradient, it measures
the gradient of Gatys' objective instead of AdaIN, in a loop like that of optimisers,
and XLA's own figure for scratch memory.
"""

import argparse
import resource
import subprocess
import sys
import time

MEGABYTE = 10**6


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def measure(size: int, way: str) -> None:
    """Prints one row of the table."""
    import numpy as np

    from nstjax.methods import plan as planning
    from nstjax.methods.memory.planner import tiled_bytes, whole_bytes
    from nstjax.methods.options import method_options

    generator = np.random.default_rng(0)
    plan = planning.make_plan(
        generator.random((size, size, 3), np.float32),
        ["night"],
        options=method_options("adain"),
        max_memory="1TB" if way == "whole" else way,
    )
    spec, shape = plan.networks.spec, plan.output_size
    tiling = plan.tiling
    if tiling is None:
        expected, tiles = whole_bytes(shape, spec), "0"
    else:
        expected = tiled_bytes(shape, spec, tiling)
        tiles = f"{tiling.side}{'' if tiling.keep_features else ' twice'}"
    begin = time.perf_counter()
    planning.run(plan)
    seconds = time.perf_counter() - begin
    print(
        f"{size:6d} {way:>8s} {tiles:>10s} {expected / MEGABYTE:9.0f} "
        f"{peak_bytes() / MEGABYTE:9.0f} {seconds:8.1f}",
        flush=True,
    )


def measure_gradient(size: int) -> None:
    """The same for the gradient of Gatys' objective."""
    import jax
    import jax.numpy as jnp

    from nstjax.methods import objectives
    from nstjax.methods.memory.costs import gradient_bytes
    from nstjax.methods.objectives import ObjectiveSpec
    from nstjax.weights.pretrained import load_encoder

    encoder = load_encoder("vgg19-slim")
    specs = {"spec": ObjectiveSpec.from_options({}), "encoder_spec": encoder.spec}
    params = {"encoder": encoder.params}
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    targets = jax.eval_shape(
        lambda p, x: objectives.make_targets(p, x, x, **specs), params, image
    )

    def descend(x, params, targets):
        def loss(x):
            return objectives.objective(x, params, targets, **specs)[0]

        return jax.lax.fori_loop(0, 10, lambda _, x: x - jax.grad(loss)(x), x)

    compiled = jax.jit(descend).lower(image, params, targets).compile()
    found = compiled.memory_analysis().temp_size_in_bytes
    expected = gradient_bytes(encoder.spec, solver_pictures=0) * size**2
    print(f"{size:6d} {expected / MEGABYTE:9.0f} {found / MEGABYTE:9.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--ways", nargs="+", default=["whole", "800MB"])
    parser.add_argument("--gradient", action="store_true")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone and options.gradient:
        measure_gradient(options.sizes[0])
        return
    if options.alone:
        measure(options.sizes[0], options.ways[0])
        return
    if options.gradient:
        print("pixels  expected     found   (MB)", flush=True)
    else:
        print("pixels      way      tiles  expected      peak  seconds   (MB)")
    sys.stdout.flush()
    for size in options.sizes:
        for way in ["none"] if options.gradient else options.ways:
            command = [sys.executable, __file__, "--alone"]
            command += ["--sizes", str(size), "--ways", way]
            command += ["--gradient"] if options.gradient else []
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
