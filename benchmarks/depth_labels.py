"""How far do pseudo-labels of depth hold when the picture is shown otherwise?

    python benchmarks/depth_labels.py --network fast-depth.safetensors \\
        --photos PHOTOS --labels DISPARITIES

Prints the mean and median Spearman correlation, over photos, between the labels
and what the network that made them, such as a converted FastDepth, says of changed
photos, at 32 x 32 cells: of smaller copies, of parts (against the same part of the
label), mirrored, grey and darker. No student can be expected to do better on such
views than its teacher, so the figures say which augmentations and which input size
are worth training with. Of another network the line "as it is" says how far it agrees
with the labels; ``--every 10`` takes the photos that ``configs/depth_slim.py`` holds
out.
"""

import argparse
from functools import partial
from pathlib import Path

import jax
import numpy as np
from PIL import Image, ImageOps
from scipy.stats import spearmanr
from tqdm import tqdm

from nstjax.models.depth import disparity
from nstjax.registry import load_depth

# The side of the squares that the network is shown.
SIZE = 224
_CELLS = (32, 32)
_SQUARE = (SIZE, SIZE)


def cells(values: np.ndarray) -> np.ndarray:
    """A map's means over 32 x 32 cells, in a row."""
    image = Image.fromarray(np.float32(values))
    return np.asarray(image.resize(_CELLS, Image.Resampling.BOX)).ravel()


def views(photo: Image.Image):
    """(name, changed photo, part of the label that it shows) for every change."""
    whole = (0.0, 1.0)
    yield "as it is", photo, whole
    for side in (96, 128, 160, 192):
        yield (
            f"{side} pixels",
            photo.resize((side, side), Image.Resampling.BICUBIC),
            whole,
        )
    for share in (0.9, 0.75):
        margin = (1 - share) / 2
        box = [margin * side for side in photo.size] + [
            (1 - margin) * side for side in photo.size
        ]
        part = photo.resize(photo.size, Image.Resampling.BICUBIC, box=box)
        yield f"part of {share} of the sides", part, (margin, 1 - margin)
    yield "mirrored", ImageOps.mirror(photo), whole
    yield "grey", photo.convert("L").convert("RGB"), whole
    yield "darker by .7", photo.point(lambda level: 0.7 * level), whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", required=True, help="the labels' teacher, or another"
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--every", type=int, default=60, help="take every n-th photo")
    options = parser.parse_args()
    network = load_depth(options.network)
    look = jax.jit(partial(disparity, spec=network.spec))
    found: dict[str, list[float]] = {}
    for path in tqdm(sorted(options.photos.iterdir())[:: options.every]):
        with Image.open(path) as image:
            photo = image.convert("RGB")
        with Image.open(options.labels / path.name) as image:
            label = image.convert("L").resize(_SQUARE, Image.Resampling.BILINEAR)
        for name, view, (first, last) in views(photo):
            pixels = np.asarray(view.resize(_SQUARE), np.float32) / 255
            seen = np.asarray(look(network.params, pixels[None]))[0, ..., 0]
            if name == "mirrored":
                seen = seen[:, ::-1]
            rows = slice(round(first * SIZE), round(last * SIZE))
            wanted = np.asarray(label)[rows, rows]
            found.setdefault(name, []).append(spearmanr(cells(seen), cells(wanted))[0])
    for name, values in found.items():
        print(f"{name:26}{np.mean(values):7.3f}{np.median(values):7.3f}")


if __name__ == "__main__":
    main()
