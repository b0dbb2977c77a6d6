"""Painting for the page: one job at a time, with progress and a stop flag."""

import dataclasses
import functools
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nstjax.io.images import read_image, write_image
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods.base import Progress
from nstjax.web.settings import Settings, is_example

# Modules that import jax are imported where they are used, so the page opens first.
if TYPE_CHECKING:
    from nstjax.painter import Painter

# The most pixels that a dropped picture may have.
MOST_PIXELS = 2**26
# The longer side of pictures on the page; downloads have the full size.
SHOWN_SIDE = 1280
# Networks take some MB each.
_PAINTERS = 3


@dataclasses.dataclass(frozen=True)
class Step:
    """The progress of a painting.

    Attributes:
        done: evaluations or frames so far.
        total: how many there will be, or None if unknown.
        picture: the picture so far, [H, W, 3] in [0, 1], or None.
        result: the file once it is written, else None.
        stopped: whether it was stopped early.
        last: whether this is the last step.
    """

    done: int = 0
    total: int | None = None
    picture: np.ndarray | None = None
    result: Path | None = None
    stopped: bool = False
    last: bool = False


class Studio:
    """Paints one picture or clip at a time, and keeps networks for the next."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._painter = functools.lru_cache(_PAINTERS)(_make_painter)

    def prepare(self) -> None:
        """Loads the networks of the default method."""
        with self._turn:
            self._painter("adain", "best", "")

    def paint(
        self, settings: Settings, folder: Path, stop: threading.Event
    ) -> Iterator[Step]:
        """Paints a picture at full size into a PNG file, with the content's opacity.

        Args:
            settings: what to paint.
            folder: where the file goes.
            stop: if set, a method that optimises stops with the picture so far.

        Yields:
            Steps; the last one has the result.

        Raises:
            NstjaxError: with a one-sentence explanation, if anything cannot be used.
        """
        from nstjax.methods.images import add_opacity, read_content

        def work(tell: Callable[[Step], None]) -> Step:
            done, total = 0, None

            def on_progress(progress: Progress) -> bool:
                nonlocal done, total
                done, total = progress.evaluations, progress.requested
                tell(Step(done, total, progress.image()))
                return stop.is_set()

            options = dict(settings.options)
            painter = self._painter(
                settings.method, settings.preset, options.pop("encoder", "")
            )
            content, opacity = read_content(settings.content)
            image = painter.paint(
                content,
                style=settings.styles,
                size=settings.size,
                style_blend=settings.blend,
                on_progress=on_progress,
                **options,
            )
            path = folder / settings.result_name(".png")
            write_image(path, image if opacity is None else add_opacity(image, opacity))
            # A stop at the very end has no effect.
            stopped = stop.is_set() and total is not None and done < total
            return Step(done, total, image, path, stopped, last=True)

        yield from self._watched(work, stop)

    def paint_clip(
        self, settings: Settings, folder: Path, stop: threading.Event
    ) -> Iterator[Step]:
        """Paints a clip into an MP4 file; see `paint`."""
        from nstjax.video.stylize import Progress, stylize_video

        def work(tell: Callable[[Step], None]) -> Step:
            def on_progress(progress: Progress) -> bool:
                tell(Step(progress.frames, progress.total))
                return stop.is_set()

            result = stylize_video(
                settings.content,
                settings.styles,
                folder / settings.result_name(".mp4"),
                method=settings.method,
                preset=settings.preset,
                size=settings.size,
                style_blend=settings.blend,
                on_progress=on_progress,
                **settings.options,
            )
            return Step(
                result.frames,
                result=result.output if result.frames else None,
                stopped=not result.complete,
                last=True,
            )

        yield from self._watched(work, stop)

    def _watched(
        self, work: Callable[[Callable[[Step], None]], Step], stop: threading.Event
    ) -> Iterator[Step]:
        """Does the work in a separate thread, and yields its progress."""
        told: queue.Queue[Step | Exception] = queue.Queue()

        def run() -> None:
            try:
                with self._turn:
                    told.put(work(told.put))
            except Exception as error:  # raised again by the waiting thread
                told.put(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while True:
                step = told.get()
                if isinstance(step, Exception):
                    raise step
                # Of the steps that queued up while the page was updated, only the
                # newest counts.
                if step.last or told.empty():
                    yield step
                if step.last:
                    return
        finally:
            stop.set()
            thread.join()


def _make_painter(method: str, preset: str, encoder: str) -> "Painter":
    from nstjax.painter import Painter

    return Painter(method, preset=preset, at_once=1, encoder=encoder or None)


def check_upload(path: str) -> np.ndarray | None:
    """Reads a dropped file.

    Args:
        path: a picture's file, a saved style's, or an example's name.

    Returns:
        The picture, [H, W, 3] in [0, 1]; None for a saved style, which is read when it
        is used.

    Raises:
        NstjaxError: naming the file, if it cannot be used.
    """
    from nstjax.methods.images import read_picture
    from nstjax.methods.styles import names_saved_style

    if is_example(path):
        return read_picture(path)
    if names_saved_style(path):
        return None
    return read_image(path, max_pixels=MOST_PIXELS)


def shown(image: np.ndarray, side: int = SHOWN_SIDE) -> Image.Image:
    """A picture for the page: at most `side` pixels on the longer side."""
    from nstjax.methods.images import to_pil

    if max(image.shape[:2]) > side:
        image = resize_image(image, fit_size(*image.shape[:2], long_side=side))
    return to_pil(image)
