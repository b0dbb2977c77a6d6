"""How close is Style-Swap's inverse network to its optimisation, and how fast?

    python benchmarks/style_swap_forms.py --content PHOTO ... --style PAINTING ...

Paints pairs (the first content in the first style, and so on) with Gatys' method,
with Style-Swap by optimisation and with its inverse network, each with its own
"best" preset, in turn. Printed, as medians over the pairs, are:

distance: ||f(x) - t||^2 / ||t||^2 at relu3_1 of the encoder, where t is the
    content's features swapped for the style's, what both forms aim at. That of
    the content itself is what there is to gain from.
seconds: of a picture, after a first one that compiled everything; and how many
    times faster than Gatys. Chen & Schmidt's claim, as the project's paper quotes
    it, is 10 and 50 times; it is one of seconds to converge, so the evaluations
    that each method was given are printed too.
"""

import argparse
import statistics
import time
from functools import partial

import jax
import numpy as np

from nstjax import api, objectives
from nstjax.io.images import write_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods import method_options
from nstjax.objectives import ObjectiveSpec
from nstjax.registry import load_encoder

METHODS = ("gatys", "style-swap", "style-swap-net")
_SWAP_ALONE = ObjectiveSpec(
    content_weight=0.0,
    style_weight=0.0,
    swap_weight=1.0,
    swap_normalisation="relative",
)


def square(picture: str, size: int) -> np.ndarray:
    """A picture's middle, size x size."""
    image = api.read_picture(picture)
    height, width = fit_size(*image.shape[:2], short_side=size)
    top, left = (height - size) // 2, (width - size) // 2
    return resize_image(image, (height, width))[top : top + size, left : left + size]


def paint(content: np.ndarray, style: np.ndarray, method: str, networks):
    """The picture, the seconds it took, and how many evaluations."""
    options = method_options(method)
    plan = api.make_plan(content, [style], options=options, networks=networks)
    begin = time.perf_counter()
    outcome = api.run(plan)
    seconds = time.perf_counter() - begin
    count = 1 if outcome.trace is None else int(outcome.trace.evaluations[-1])
    return outcome.image, seconds, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--content", nargs="+", required=True)
    parser.add_argument("--style", nargs="+", required=True)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--output", help="a folder for the pictures")
    options = parser.parse_args()
    encoder = load_encoder("vgg19-slim")
    networks = {m: api.load_networks(method_options(m)) for m in METHODS}
    targets_of = jax.jit(
        partial(objectives.make_targets, spec=_SWAP_ALONE, encoder_spec=encoder.spec)
    )
    compare = jax.jit(
        partial(objectives.objective, spec=_SWAP_ALONE, encoder_spec=encoder.spec)
    )
    params = {"encoder": encoder.params}
    pairs = [
        (square(content, options.size), square(style, options.size))
        for content, style in zip(options.content, options.style, strict=True)
    ]
    for method in METHODS:
        paint(*pairs[0], method, networks[method])
    rows: dict[str, list] = {name: [] for name in ("content", *METHODS)}
    for number, (content, style) in enumerate(pairs):
        targets = targets_of(params, content[None], style[None])
        distance = float(compare(content[None], params, targets)[0])
        rows["content"].append((distance, 0.0, 0))
        for method in METHODS:
            image, seconds, count = paint(content, style, method, networks[method])
            distance = float(compare(image[None], params, targets)[0])
            rows[method].append((distance, seconds, count))
            if options.output:
                write_image(f"{options.output}/{number}_{method}.png", image)
    print(f"{len(pairs)} pairs, {options.size} pixels\n")
    print(
        f"{'':16}{'distance':>10}{'seconds':>10}{'times faster':>14}{'evaluations':>13}"
    )
    gatys = [seconds for _, seconds, _ in rows["gatys"]]
    for name, results in rows.items():
        distance, seconds, count = (
            statistics.median(column) for column in zip(*results, strict=True)
        )
        line = f"{name:16}{distance:10.3f}"
        if name != "content":
            faster = [g / s for g, (_, s, _) in zip(gatys, results, strict=True)]
            line += f"{seconds:10.2f}{statistics.median(faster):14.1f}{count:13.0f}"
        print(line)


if __name__ == "__main__":
    main()
