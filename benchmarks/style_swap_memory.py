"""How much memory and time does style_swap take?

    python benchmarks/style_swap_memory.py
    python benchmarks/style_swap_memory.py --sizes 1024 --channels 256 --patch-size 5

Swaps random features of relu3_1's shape for a content and a style picture of
the same size, each size in a process of its own. Printed are the peak resident
memory before and after the swap, which includes compilation, and the seconds
of a second swap. "features" is the size of both inputs and the result.
"""

import argparse
import resource
import subprocess
import sys
import time

# Pixels of a side that one cell of relu3_1 stands for.
CELL = 4


def peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)


def measure(size: int, options: argparse.Namespace) -> None:
    """Prints one row of the table."""
    import jax
    import numpy as np

    from nstjax.transforms.style_swap import style_swap

    shape = (1, size // CELL, size // CELL, options.channels)
    content, style = (
        np.random.default_rng(seed).standard_normal(shape, np.float32)
        for seed in (0, 1)
    )
    before = peak_megabytes()
    swap = jax.jit(
        lambda content, style: style_swap(
            content, style, patch_size=options.patch_size, stride=options.stride
        )
    )
    jax.block_until_ready(swap(content, style))
    begin = time.perf_counter()
    jax.block_until_ready(swap(content, style))
    seconds = time.perf_counter() - begin
    features = 3 * content.nbytes / 2**20
    after = peak_megabytes()
    print(f"{size:6d} {features:9.0f} {before:8.0f} {after:8.0f} {seconds:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--patch-size", type=int, default=3)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        measure(options.sizes[0], options)
        return
    print("pixels  features   before    after  seconds   (MB)", flush=True)
    for size in options.sizes:
        command = [sys.executable, __file__, "--alone", "--sizes", str(size)]
        for name in ("channels", "patch_size", "stride"):
            value = getattr(options, name)
            command += [f"--{name.replace('_', '-')}", str(value)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
