"""Measures the flicker, sharpness and speed of painted clips.

    python benchmarks/video.py --frames 48
    python benchmarks/video.py --clip clip.mp4 --method gatys --frames 6 --size 256
    python benchmarks/video.py --frames 16 --strip docs/images/video.jpg

Without ``--clip``, it measures two clips with known motion: a camera that pans over a
photograph, and a figure that moves in front of a still background. It prints a table in
Markdown, with a line for each of ``--temporal``:

- warping error: the root mean square difference between a frame and the last one,
  warped along the content's true motion (or its estimated flow), without occlusions; in
  thousandths of the range. Lai et al., 2018, section 4.3.
- of content: the same divided by the content's own, which need not be undercut.
- of off: the same divided by that of frames painted one by one.
- sharpness: the variance of the Laplacian, divided by that of frames painted one by
  one.
- SSIM: structural similarity to the frames painted one by one.
- frames/s: the speed after the first frames, without loading and compiling.

With ``--strip``, it also draws eight frames of the pan, every second one: the content,
and below it the results of each of ``--temporal``, cropped to the same part of the
photograph.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from nstjax.ops.cpu import xla

PAN = (3, 1)
FIGURE = 4
# The number of frames that include compiling.
WARM_UP = 3
# The strip's pieces: how many, from which frames, where, and how large.
PIECES, STEP, CORNER, SIDE = 8, 2, (125, 310), 160


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", nargs="*", default=[], help="instead of made ones")
    parser.add_argument("--method", nargs="+", default=["adain"])
    # The reference for the others comes first.
    parser.add_argument("--temporal", nargs="+", default=["off", "statistics", "flow"])
    parser.add_argument("--style", default="night")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size", type=int, default=512, help="the longer side")
    parser.add_argument("--strip", help="a picture to draw, of the pan")
    parser.add_argument("--iterations", type=int, help="of methods that optimise")
    options = parser.parse_args()
    xla.set_flags()
    print(
        "| clip | method | temporal | warping error | of content | of off "
        "| sharpness | SSIM | frames/s |\n|" + "---|" * 9
    )
    for name, frames, motions in _clips(options):
        for method in options.method:
            rows = _measure(name, method, frames, motions, options)
            if options.strip and name == "pan":
                Image.fromarray(_strip(rows)).save(options.strip, quality=88)


def _clips(options) -> Iterator[tuple]:
    """Names, frames, and the motion from each frame to the next."""
    if not options.clip:
        frames = list(itertools.islice(pan(), options.frames))
        yield "pan", frames, [_uniform(frames[0].shape[:2], PAN)] * (len(frames) - 1)
        frames = list(itertools.islice(figure(), options.frames))
        yield "figure", frames, [figure_motion(i) for i in range(1, len(frames))]
        return
    from nstjax.io.resizing import fit_size
    from nstjax.video.clips import open_clip, read_frames
    from nstjax.video.flow import find_motion
    from nstjax.video.painters import fit_frame

    for path in options.clip:
        clip = open_clip(path)
        size = fit_size(*clip.size, long_side=options.size)
        read = itertools.islice(read_frames(clip), options.frames)
        frames = [fit_frame(frame.image, size) for frame in read]
        motions = [find_motion(a, b) for a, b in itertools.pairwise(frames)]
        yield Path(path).stem, frames, [(m.flow, m.holds) for m in motions]


def pan() -> Iterator[np.ndarray]:
    """A camera that moves 3 pixels right and 1 down per frame, 512 x 288."""
    photograph = _photograph()
    for i in itertools.count():
        down, right = 20 + PAN[1] * i, 20 + PAN[0] * i
        yield photograph[down : down + 288, right : right + 512]


def figure() -> Iterator[np.ndarray]:
    """A square of 120 pixels that moves 4 pixels right per frame, 512 x 288."""
    photograph = _photograph()
    for i in itertools.count():
        frame = photograph[100:388, 100:612].copy()
        left = 20 + FIGURE * i
        frame[90:210, left : left + 120] = photograph[300:420, 500:620]
        yield frame


def figure_motion(number: int) -> tuple[np.ndarray, np.ndarray]:
    """The flow of frame `number` of `figure`, and where it is reliable."""
    flow = np.zeros((288, 512, 2), np.float32)
    holds = np.ones((288, 512), np.float32)
    left = 20 + FIGURE * number
    flow[90:210, left : left + 120, 0] = -FIGURE
    holds[90:210, left - FIGURE : left] = 0
    return flow, holds


def _photograph() -> np.ndarray:
    from nstjax import examples

    image = Image.fromarray(
        np.rint(examples.content_image("chelsea") * 255).astype("u1")
    )
    return np.asarray(image.resize((1024, 681), Image.Resampling.LANCZOS))


def _uniform(size, motion) -> tuple[np.ndarray, np.ndarray]:
    height, width = size
    holds = np.zeros(size, np.float32)
    holds[: height - motion[1] - 1, : width - motion[0] - 1] = 1
    return np.broadcast_to(np.array(motion, np.float32), (*size, 2)).copy(), holds


def _strip(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Pieces of frames [H, W, 3] in [0, 1], side by side; rows below one another."""
    height = SIDE + 2
    picture = np.full((len(rows) * height, PIECES * height, 3), 255, np.uint8)
    for row, frames in enumerate(rows):
        for column, frame in enumerate(frames[: PIECES * STEP : STEP]):
            # The photograph moves in the opposite direction to the camera.
            top, left = (
                c - STEP * column * p for c, p in zip(CORNER, PAN[::-1], strict=True)
            )
            piece = np.rint(frame[top : top + SIDE, left : left + SIDE] * 255)
            down, right = row * height, column * height
            picture[down : down + SIDE, right : right + SIDE] = piece
    return picture


def _measure(name, method, frames, motions, options) -> list[list[np.ndarray]]:
    """Prints the rows of a clip; returns the content and the results."""
    content = [frame / np.float32(255) for frame in frames]
    own = _error(content, motions)
    alone, rows = None, [content]
    for temporal in options.temporal:
        if temporal == "statistics" and not method.startswith("adain"):
            continue
        painted, rate = _paint(frames, method, temporal, options)
        alone = alone or painted
        rows.append(painted)
        error = _error(painted, motions)
        sharp = _sharpness(painted) / _sharpness(alone)
        alike = np.mean(
            [
                structural_similarity(a, b, channel_axis=2, data_range=1)
                for a, b in zip(painted, alone, strict=True)
            ]
        )
        # The pan's own is 0: it moves by whole pixels.
        relative = f"{error / own:.2f}" if own > 1e-6 else ""
        print(
            f"| {name} | {method} | {temporal} | {1000 * error:.1f} "
            f"| {relative} | {error / _error(alone, motions):.2f} "
            f"| {sharp:.2f} | {alike:.2f} | {rate:.2f} |",
            flush=True,
        )
    return rows


def _paint(frames, method, temporal, options) -> tuple[list[np.ndarray], float]:
    import nstjax
    from nstjax.video.clips import open_clip, read_frames

    more = {} if options.iterations is None else {"iterations": options.iterations}
    times = []
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "source"), Path(folder, "painted")
        source.mkdir()
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(source / f"{i:06}.png")
        nstjax.stylize_video(
            source,
            options.style,
            output,
            method=method,
            temporal=temporal,
            fps=25,
            on_progress=lambda progress: times.append(time.perf_counter()),
            **more,
        )
        read = read_frames(open_clip(output, fps=25))
        painted = [frame.image / np.float32(255) for frame in read]
    warm = min(WARM_UP, len(times) - 2)
    return painted, (len(times) - 1 - warm) / (times[-1] - times[warm])


def _error(images, motions) -> float:
    from nstjax.video.measures import warping_error

    pairs = zip(itertools.pairwise(images), motions, strict=True)
    return float(np.mean([warping_error(a, b, *motion) for (a, b), motion in pairs]))


def _sharpness(images) -> float:
    from nstjax.video.measures import sharpness

    return float(np.mean([sharpness(image) for image in images]))


if __name__ == "__main__":
    main()
