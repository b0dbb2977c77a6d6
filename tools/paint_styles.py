"""Paints the example style pictures of nstjax/assets/styles, stroke by stroke.

    python tools/paint_styles.py --overwrite
    python tools/paint_styles.py --only night --only wave --output out/styles

Every picture is painted on a simulated canvas by some thousands of brush
strokes, with a fixed seed: the same versions of NumPy, scikit-image and Pillow
give the same bytes. Other versions of Pillow may encode them differently. One
picture takes some ten seconds.
"""

import argparse
import importlib
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.files import refuse_to_overwrite, write_atomically

PICTURES = (
    "birches", "dancers", "guitar", "head", "mountains", "night", "peacock", "river",
    "sunflowers", "wave",
)  # fmt: skip
_FOLDER = Path(__file__).resolve().parents[1] / "nstjax" / "assets" / "styles"
_SEED = 7
_QUALITY = 88


def paint(name: str, size: int | None = None) -> np.ndarray:
    """Paints one picture.

    Args:
        name: one of `PICTURES`.
        size: pixels on the long side; the picture's own size without it.

    Returns:
        [H, W, 3] uint8, sRGB.
    """
    picture = importlib.import_module(f"painting.pictures.{name}")
    scale = 1.0 if size is None else size / max(picture.WIDTH, picture.HEIGHT)
    return picture.paint(scale, np.random.default_rng(_SEED))


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only",
        action="append",
        choices=PICTURES,
        metavar="NAME",
        help=f"paint this picture (repeatable): {', '.join(PICTURES)}",
    )
    parser.add_argument("--output", type=Path, default=_FOLDER, metavar="DIR")
    parser.add_argument(
        "--size",
        type=int,
        help="pixels on the long side, at least 32; about 560 if unset",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace pictures that exist"
    )
    options = parser.parse_args(arguments)
    if options.size is not None and options.size < 32:
        parser.error("--size must be at least 32")
    names = options.only or PICTURES
    try:
        # Before any work: painting takes minutes.
        for name in names:
            refuse_to_overwrite(
                options.output / f"{name}.jpg", overwrite=options.overwrite
            )
        for name in names:
            path = options.output / f"{name}.jpg"
            buffer = io.BytesIO()
            picture = Image.fromarray(paint(name, options.size))
            picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
            write_atomically(path, buffer.getvalue(), overwrite=options.overwrite)
            print(f"{path}: {picture.width}x{picture.height}")
    except NstjaxError as error:
        print(f"paint_styles: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
