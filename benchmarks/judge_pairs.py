"""Judges painted pairs with LPIPS and its networks.

    python benchmarks/judge_pairs.py FOLDER --content DIR --style DIR \\
        --lpips lpips lpips-alexnet [--size 384]

FOLDER holds pictures named CONTENT_STYLE.png (or .jpg; "--", "-" or "__" between
the names also work), where CONTENT and STYLE are the stems of files in the two folders.
"content" or "style" instead of FOLDER judges those pictures themselves. Contents and
styles are cropped to squares as in evaluations; results of another size are scaled in
the same way. Prints the means over all pairs; chroma is the mean over pairs whose style
is grey. Run it after 'nstjax weights get lpips lpips-alexnet'. The painters were
trained against VGG-16, none of them against AlexNet.
"""

import argparse
import functools
from pathlib import Path

import jax
import numpy as np

import nstjax
from nstjax.cli.errors import reports_errors, run_command
from nstjax.errors import NstjaxError
from nstjax.evaluation import perceptual, pixels
from nstjax.evaluation.inputs import prepare_picture
from nstjax.weights.pretrained import load_lpips

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
_SEPARATORS = ("--", "__", "_", "-")
# Mean chroma in L*a*b* below which a style counts as grey.
_GREY = 3.0

_halo_loss = jax.jit(nstjax.halo_loss)


@reports_errors
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="+")
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--lpips", nargs="+", default=["lpips"])
    parser.add_argument("--size", type=int, default=384)
    options = parser.parse_args()
    contents, styles = _by_stem(options.content), _by_stem(options.style)
    networks = [load_lpips(name) for name in options.lpips]
    judge = _Judge(networks, options.size)
    for folder in options.folder:
        rows = [
            judge.measure(result, contents[content], styles[style])
            for result, content, style in _pairs(folder, contents, styles)
        ]
        if not rows:
            raise NstjaxError(f"{folder} holds no picture named CONTENT_STYLE")
        names = dict.fromkeys(name for row in rows for name in row)
        means = {
            name: np.mean([row[name] for row in rows if name in row]) for name in names
        }
        print(f"{folder}: {len(rows)} pairs")
        print("  " + "  ".join(f"{name} {mean:.3f}" for name, mean in means.items()))
    return 0


class _Judge:
    """Encodes every content and style once."""

    def __init__(self, networks, size):
        self.networks = networks
        self.picture = functools.cache(lambda path: prepare_picture(str(path), size))
        self.encoded = functools.cache(
            lambda path: [
                perceptual.encode(network, self.picture(path)) for network in networks
            ]
        )
        self.style = functools.cache(
            lambda path: [
                perceptual.describe_style(features) for features in self.encoded(path)
            ]
        )

    def measure(self, result, content, style):
        picture, wanted = self.picture(result), self.picture(style)
        values = {}
        for number, network in enumerate(self.networks):
            features = perceptual.encode(network, picture)
            compared = perceptual.compare_contents(
                network, features, self.encoded(content)[number]
            )
            values[f"lpips_{network.spec.trunk}"] = compared.pop("lpips")
            values |= compared
            if network.spec.trunk == "vgg16":
                target = self.style(style)[number]
                values |= perceptual.compare_styles(features, target)
        values["palette"] = pixels.palette(picture, wanted)
        if pixels.chroma(wanted) < _GREY:
            values["chroma"] = pixels.chroma(picture)
        values["fringe"] = pixels.fringe(picture)
        values["flat"] = pixels.flat(picture, self.picture(content))
        # The square root of a variance, in levels of 255.
        explained = _halo_loss(picture[None], self.picture(content)[None])
        values["halo"] = 255 * float(np.sqrt(explained))
        described = pixels.compare_detail(
            pixels.describe_detail(picture),
            pixels.describe_detail(self.picture(content)),
        )
        return values | {name: described[name] for name in ("lap4", "lap16", "ssim")}


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise NstjaxError(f"{folder} is not a folder; name a folder of pictures")
    return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix in _SUFFIXES}


def _pairs(folder, contents, styles):
    """(result, content, style) for every picture whose name is a pair."""
    if folder in ("content", "style"):
        for content in contents:
            for style in styles:
                itself = contents[content] if folder == "content" else styles[style]
                yield itself, content, style
        return
    names = {
        f"{content}{separator}{style}": (content, style)
        for content in contents
        for style in styles
        for separator in _SEPARATORS
    }
    for stem, path in _by_stem(Path(folder)).items():
        if stem in names:
            yield path, *names[stem]


if __name__ == "__main__":
    run_command(main)
