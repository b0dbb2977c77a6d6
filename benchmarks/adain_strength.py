"""What does AdaIN's strength do, and what do all the pictures look like?

    python benchmarks/adain_strength.py --content PHOTOS --style PAINTINGS \\
        --judge vgg19-slim --sheet runs/sheet.png

Paints every content in every style at every strength and prints, as means over
the pairs:

psnr: of the result against the content, in decibels. At alpha 0 it says how well
    encoder and decoder reconstruct; higher alphas are not meant to.
content, style: the judge's distances, see docs/evaluation.md, by its protocol.

and whether each step to a higher alpha brings the pictures nearer to the style.
With --sheet the pictures of the last alpha are written on one sheet, a row for
each content and a column for each style.
"""

import argparse
import itertools

import numpy as np
from adain_pairs import encode_styles, paint
from tqdm import tqdm

from nstjax import one_pass
from nstjax.evaluation.features import make_feature_gauge
from nstjax.evaluation.figures import comparison
from nstjax.evaluation.protocol import read_inputs
from nstjax.io.images import write_image
from nstjax.registry import load_encoder

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def psnr(result: np.ndarray, content: np.ndarray) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1], in decibels."""
    return float(-10 * np.log10(np.square(result - content).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--content", nargs="+", required=True)
    parser.add_argument("--style", nargs="+", required=True)
    parser.add_argument("--decoder", default="adain-slim", help="a name or a file")
    parser.add_argument("--judge", default="vgg19-slim", help="a name or a file")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--alpha", type=float, nargs="+", default=ALPHAS)
    parser.add_argument("--sheet", help="where to write the sheet, a .png or .jpg")
    options = parser.parse_args()
    contents, styles = (
        read_inputs(arguments, size=options.size, on_unreadable=print)
        for arguments in (options.content, options.style)
    )
    networks = one_pass.load_networks(load_encoder("vgg19-slim"), options.decoder)
    gauge = make_feature_gauge(load_encoder(options.judge), name="judge")
    seen = {style.label: gauge.of_style(style.image) for style in styles}
    saved = encode_styles(styles, networks=networks, size=options.size)
    figures = {alpha: [] for alpha in options.alpha}
    rows = [[None, *(style.image for style in styles)]]
    for content in tqdm(contents, unit="content"):
        of_content = gauge.of_content(content.image)
        rows.append([content.image])
        for style, encoded in zip(styles, saved, strict=True):
            for alpha in options.alpha:
                result = paint(content, encoded, networks=networks, alpha=alpha)
                distances = gauge.measure(result, of_content, seen[style.label])
                figures[alpha].append(
                    (
                        psnr(result, content.image),
                        distances["content@judge"],
                        distances["style@judge"],
                    )
                )
            rows[-1].append(result)
    print(
        f"{len(contents)} contents in {len(styles)} styles, {options.size} pixels, "
        f"judged by {options.judge}\n"
    )
    print(f"{'alpha':>6}{'psnr':>9}{'content':>9}{'style':>9}")
    means = {alpha: np.mean(rows, axis=0) for alpha, rows in figures.items()}
    for alpha, (decibels, content, style) in means.items():
        print(f"{alpha:6.2f}{decibels:9.2f}{content:9.3f}{style:9.4f}")
    order = itertools.pairwise(sorted(means))
    falls = all(means[b][2] < means[a][2] for a, b in order)
    print(f"\nthe style distance falls at every step: {'yes' if falls else 'no'}")
    if options.sheet:
        sheet = comparison(
            rows,
            columns=["", *(style.label for style in styles)],
            labels=["", *(content.label for content in contents)],
        )
        write_image(options.sheet, sheet)


if __name__ == "__main__":
    main()
