"""The painter in JAX and in onnxruntime, taking turns on the same pictures.

    pip install ".[export]"
    python benchmarks/onnx_speed.py [--sizes 256 512 1024] [--pairs 9]

Both paint a square photograph in a previously encoded style, with all cores.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from nstjax.ops.cpu import xla

xla.set_flags()

import jax  # noqa: E402
import onnxruntime  # noqa: E402

from nstjax.examples import content_image  # noqa: E402
from nstjax.export.models import make_models  # noqa: E402
from nstjax.io.resizing import resize_image  # noqa: E402
from nstjax.methods import feedforward  # noqa: E402
from nstjax.methods.networks import load_networks  # noqa: E402
from nstjax.methods.styles import encode_style  # noqa: E402


def seconds(function: Callable[[], object]) -> float:
    """The seconds that one call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--decoder", default="adain-slim")
    options = parser.parse_args()
    networks = load_networks("", options.decoder)
    models = {model.name: model for model in make_models(networks)}
    session = onnxruntime.InferenceSession(
        models["painter"].to_onnx(), providers=["CPUExecutionProvider"]
    )
    paint = jax.jit(
        lambda content, style: feedforward.adain_transfer(
            networks.params, content, [style], weights=(1.0,), spec=networks.spec
        )
    )
    style = encode_style(content_image("coffee"), networks=networks)
    numbers = [x[:, 0, 0] for level in style.values() for x in map(np.asarray, level)]
    print("| size | onnxruntime, ms | jax, ms | ratio | range | difference |")
    print("|---|---|---|---|---|---|")
    for size in options.sizes:
        content = resize_image(content_image("astronaut"), (size, size))[None]
        arrays = (content, np.float32([1]), *numbers)
        inputs = {
            tensor.name: array
            for tensor, array in zip(models["painter"].inputs, arrays, strict=True)
        }

        def by_onnx(inputs=inputs):
            return session.run(None, inputs)[0]

        def by_jax(content=content):
            return np.asarray(paint(content, style))

        difference = np.abs(by_onnx() - by_jax()).max()  # and warms both
        pairs = [(seconds(by_onnx), seconds(by_jax)) for _ in range(options.pairs)]
        ratios = [one / other for one, other in pairs]
        one, other = (
            1e3 * statistics.median(times) for times in zip(*pairs, strict=True)
        )
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        ratio = f"{statistics.median(ratios):.2f} | {spread}"
        print(f"| {size} | {one:.0f} | {other:.0f} | {ratio} | {difference:.0e} |")


if __name__ == "__main__":
    main()
