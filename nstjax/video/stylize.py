"""Style transfer of a clip: frame by frame, without flicker, and with its sound."""

import dataclasses
import hashlib
import itertools
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from nstjax.api import as_list
from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.interrupts import StopRequest
from nstjax.io.differences import as_json
from nstjax.io.images import list_images
from nstjax.io.levels import to_float, to_uint8
from nstjax.methods import plan as plans
from nstjax.methods.base import Plan
from nstjax.methods.images import Mask, Picture, Style, is_depth_mask
from nstjax.methods.memory.amounts import parse_amount
from nstjax.methods.memory.planner import largest_batch
from nstjax.methods.options import method_options
from nstjax.methods.styles import SavedStyle
from nstjax.methods.values import number, whole_number
from nstjax.video.clips import Clip, Cut, Frame, open_clip, read_frames
from nstjax.video.cuts import CutDetector
from nstjax.video.encoding import QUALITY, Coding, check_coding, choose_coding
from nstjax.video.flow import Motion, find_motion, warp_image
from nstjax.video.painters import (
    Last,
    Painter,
    Step,
    Stopped,
    fit_frame,
    make_painter,
)
from nstjax.video.store import ClipStore

# How many frames each device paints together, by its kind.
_EACH = {"cpu": 1}
_EACH_ELSEWHERE = 8
# How many bytes at each end of a clip identify it.
_ENDS = 2**20
# The most seconds that fit the 64 bits of a time, in any clip's unit.
_LATEST = 10**9


class Progress(NamedTuple):
    """The progress of a clip.

    Attributes:
        frames: the number of painted frames.
        total: about how many there will be; None if unknown.
        earlier: how many of them an earlier run painted.
    """

    frames: int
    total: int | None
    earlier: int


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of painting a clip.

    Attributes:
        output: the file or folder.
        frames: the number of its frames.
        signal: the number of the signal that stopped the run, or 0 if it is complete.
        seconds: the time that painting took.
        painted: how many of the frames this run painted.
        size: (height, width) of the written frames.
    """

    output: Path
    frames: int
    signal: int
    seconds: float
    painted: int
    size: tuple[int, int]

    @property
    def complete(self) -> bool:
        """Whether every frame is painted."""
        return not self.signal


def stylize_video(
    content: str | os.PathLike,
    style: Picture | Sequence[Picture],
    output: str | os.PathLike,
    *,
    method: str = "adain",
    preset: str = "best",
    temporal: str | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    style_blend: Sequence[float] | None = None,
    mask: Mask | Sequence[Mask] | None = None,
    max_memory: int | str | None = None,
    start: float | None = None,
    end: float | None = None,
    every: int = 1,
    fps: float | None = None,
    codec: str | None = None,
    quality: int = QUALITY,
    batch_size: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    on_progress: Callable[[Progress], bool | None] | None = None,
    tell: Callable[[str], None] = lambda message: None,
    **options: Any,
) -> Result:
    """Paints a clip in the style of a picture.

    Frame times, rotation, pixel aspect and sound are kept. The first Ctrl-C or
    SIGTERM leaves a playable clip of the frames so far; the same call with `resume`
    continues at the next frame, with the same result as an uninterrupted run.

    Args:
        content: a video, an animated GIF, WebP or APNG, or a folder of numbered
            frames.
        style: the style, see `nstjax.stylize`.
        output: the file to write, .mp4 .mov .mkv .webm .gif .apng or .webp; or a
            folder for numbered frames, a name without a suffix.
        method, preset, size, seed, style_blend, mask, max_memory, options: see
            `nstjax.stylize`. Masks apply to all frames.
        temporal: how to avoid flicker: "flow" (default) blends each frame with the
            warped last one, and averages AdaIN's statistics of the content over time;
            "statistics" does only the latter; "off" paints every frame separately.
        start, end: the part to paint, in seconds.
        every: paint every Nth frame.
        fps: frames per second of a folder.
        codec: "h264" (default; "vp9" in .webm), "hevc", "av1" or another of FFmpeg's
            encoders.
        quality: the quality of the encoded clip, 1 to 100.
        batch_size: how many frames AdaIN paints together; by default 1, or 8 for each
            accelerator.
        overwrite: whether an existing output may be replaced.
        resume: whether to continue a stopped run.
        on_progress: called after every few frames; returning True stops the run, like
            Ctrl-C.
        tell: called with a sentence about anything notable, such as damaged frames.

    Returns:
        The result.

    Raises:
        NstjaxError: with a one-sentence explanation, if an argument cannot be used.
    """
    for name, path in (("content", content), ("output", output)):
        if not isinstance(path, (str, os.PathLike)):
            raise NstjaxError(
                f"the {name} of a clip must be a file or a folder, not "
                f"{type(path).__name__}"
            )
        if not os.fspath(path):
            raise NstjaxError(f"the {name} of a clip has an empty name")
    if batch_size is not None and whole_number("batch_size", batch_size) < 1:
        raise NstjaxError(f"batch_size must be 1 or more, not {batch_size}")
    clip = open_clip(content, fps=fps)
    masks = None if mask is None else as_list(mask)
    return paint_clip(
        clip,
        as_list(style),
        Path(output),
        options=method_options(method, preset, options=options),
        temporal=temporal or "flow",
        cut=make_cut(start, end, every),
        planning={
            "size": size,
            "seed": seed,
            "blend": style_blend,
            "masks": masks,
            "max_memory": max_memory,
        },
        codec=codec,
        quality=quality,
        batch_size=batch_size,
        overwrite=overwrite,
        resume=resume,
        on_progress=on_progress,
        tell=tell,
    )


def make_cut(start: float | None, end: float | None, every: int) -> Cut:
    """A part of a clip, from seconds.

    Raises:
        NstjaxError: if the part is not valid.
    """

    def exact(name: str, seconds: float | None) -> Fraction | None:
        if seconds is None:
            return None
        if not abs(number(name, seconds)) <= _LATEST:
            raise NstjaxError(
                f"{name} must be at most {_LATEST} seconds, not {seconds}"
            )
        return Fraction(seconds).limit_denominator(10**6)

    first, last = exact("start", start), exact("end", end)
    return Cut(first, last, whole_number("every", every))


def paint_clip(
    clip: Clip,
    styles: Sequence[Style],
    output: Path,
    *,
    options: Mapping[str, Any],
    temporal: str,
    cut: Cut,
    planning: Mapping[str, Any],
    codec: str | None = None,
    quality: int = QUALITY,
    batch_size: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    on_progress: Callable[[Progress], bool | None] | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Result:
    """Like `stylize_video`, for an opened clip and checked options.

    Args:
        clip: from `nstjax.video.clips.open_clip`.
        styles, output, temporal, codec, quality, batch_size, overwrite, resume,
            on_progress, tell: see `stylize_video`.
        options: from `nstjax.methods.options.method_options`.
        cut: from `make_cut`.
        planning: further arguments of `nstjax.methods.plan.make_plan`.
    """
    check_coding(codec, quality)
    if any(is_depth_mask(mask) for mask in planning.get("masks") or ()):
        raise NstjaxError(
            "a depth mask is for pictures only: a clip has one mask for all frames, "
            "but its depth changes; give the mask as a picture"
        )
    if output.exists() and output.samefile(clip.path):
        raise NstjaxError(
            f"{output} would overwrite the clip itself; choose another output"
        )
    frames = read_frames(clip, cut, tell=tell)
    first = next(frames, None)
    if first is None:
        raise NstjaxError(
            f"{clip.path} has no frames in the requested part; check --start and --end"
        )
    plan = plans.make_plan(to_float(first.image), styles, options=options, **planning)
    coding = _coding(output, clip, plan.output_size, cut, codec, quality)
    batch = _batch_size(plan, batch_size, planning.get("max_memory"))
    fingerprint = _fingerprint(plan, clip) | {
        "temporal": temporal,
        "part": [str(cut.start), str(cut.end), cut.every],
        "coding": str(coding),
        "batch": batch,
    }
    with StopRequest() as stop:
        painter = make_painter(
            plan, temporal=temporal, batch=batch, stops=lambda: bool(stop.requested)
        )
        store = ClipStore(
            output,
            clip=clip,
            coding=coding,
            fingerprint=as_json(fingerprint),
            overwrite=overwrite,
            resume=resume,
            cut_sound=cut.end is not None,
        )
        if not len(store) and (cut.start is not None or not clip.sound):
            store.shift = first.time
        work = _Work(plan, painter, store, temporal)
        earlier, begin = len(store), time.perf_counter()
        complete = False
        try:
            all_frames = itertools.chain([first], frames)
            for _ in work.paint(all_frames, lambda: bool(stop.requested)):
                if on_progress is not None:
                    total = _expected(clip, cut, len(store))
                    if on_progress(Progress(len(store), total, earlier)):
                        stop.requested = stop.requested or signal.SIGINT
            complete = not stop.requested
        except Stopped:
            pass
        except BaseException:
            store.abandon()
            raise
        seconds = time.perf_counter() - begin
        if len(store):
            note = store.finish(complete=complete)
            if note:
                tell(note)
        else:
            store.abandon()
    number = 0 if complete else stop.requested
    written = plan.output_size if coding is None else coding.coded_size
    return Result(output, len(store), number, seconds, len(store) - earlier, written)


class _Work:
    """A clip being painted: passes frames from the reader to the store."""

    def __init__(self, plan: Plan, painter: Painter, store: ClipStore, temporal: str):
        self._plan = plan
        self._painter = painter
        self._store = store
        self._temporal = temporal
        self._cuts = CutDetector()
        # The last frame: its content, its painting and its time.
        self._content: np.ndarray | None = None
        self._painted: np.ndarray | None = None
        self._time: Fraction | None = None

    def paint(
        self, frames: Iterator[Frame], stops: Callable[[], bool]
    ) -> Iterator[None]:
        """Paints the frames that the store does not have yet, in batches."""
        done = len(self._store)
        if done:
            self._restore(next(itertools.islice(frames, done - 1, None), None))
        with ThreadPoolExecutor(1) as looker:
            while batch := list(itertools.islice(frames, self._painter.batch)):
                self._paint_batch(batch, looker)
                yield
                if stops():
                    return

    def _paint_batch(self, frames: list[Frame], looker: ThreadPoolExecutor) -> None:
        steps: list[Step] = []
        motions: list[Future[Motion] | None] = []
        for frame in frames:
            content = fit_frame(frame.image, self._plan.working_size)
            begins = self._temporal != "off" and self._cuts.is_cut(content)
            elapsed = 0.0 if self._time is None else float(frame.time - self._time)
            follows = self._temporal == "flow" and not begins
            # Computed while frames are painted.
            motions.append(
                looker.submit(find_motion, self._content, content)
                if follows and self._content is not None
                else None
            )
            steps.append(Step(content, elapsed, begins))
            self._content, self._time = content, frame.time
        drafts = self._painter.drafts(steps)
        for frame, step, motion, draft in zip(
            frames, steps, motions, drafts, strict=True
        ):
            last = None if motion is None else self._last(motion.result())
            painted = to_uint8(self._painter.painted(step, draft, last))
            self._painted = painted
            self._store.add(self._finished(step, painted), *self._marks(frame))
        assert self._painted is not None  # no batch is empty
        state = self._painter.state() | self._cuts.state()
        self._store.save(state | {"painted": self._painted})

    def _last(self, motion: Motion) -> Last:
        assert self._painted is not None  # motion needs a previous frame
        warped = warp_image(to_float(self._painted), motion.flow, sharp=True)
        return Last(np.clip(warped, 0, 1), motion.holds)

    def _finished(self, step: Step, painted: np.ndarray) -> np.ndarray:
        plan = self._plan
        if plan.options["preserve_color"] == "luminance":
            plan = dataclasses.replace(plan, content=to_float(step.content))
        elif plan.output_size == painted.shape[:2]:
            return painted
        return to_uint8(plans.finish(plan, to_float(painted)))

    def _marks(self, frame: Frame) -> tuple[int, int]:
        """When a frame appears and disappears, in units of the time base."""
        base = self._store.time_base
        begin = frame.time - self._store.shift
        first = round(begin / base)
        # Units are as fine as the clip's own, but rounding may still give equal times.
        if self._store.times:
            first = max(first, self._store.times[-1] + 1)
        return first, max(first + 1, round((begin + frame.duration) / base))

    def _restore(self, frame: Frame | None) -> None:
        """Continues after a frame that has already been painted."""
        if frame is None:
            return
        state = self._store.state
        self._content = fit_frame(frame.image, self._plan.working_size)
        self._painted, self._time = state["painted"], frame.time
        if self._temporal != "off":
            self._cuts.restore(state, self._content)
        self._painter.restore(state, self._content)


def _coding(
    output: Path,
    clip: Clip,
    size: tuple[int, int],
    cut: Cut,
    codec: str | None,
    quality: int,
) -> Coding | None:
    """How to encode the clip; None for a folder."""
    if output.is_dir() or not output.suffix:
        if codec is not None:
            raise NstjaxError(f"{output} is a folder of pictures; leave out --codec")
        return None
    coding = choose_coding(output, clip, size, codec=codec, quality=quality)
    return dataclasses.replace(coding, rate=coding.rate / cut.every)


def _batch_size(plan: Plan, wanted: int | None, max_memory: Any) -> int:
    # Other methods may have networks of any kind, or none.
    if not plan.method.paints_batches or plan.tiling is not None:
        return 1
    each = _EACH.get(jax.default_backend(), _EACH_ELSEWHERE)
    return largest_batch(
        plan.working_size,
        plan.networks.spec,
        wanted=wanted or each,
        max_memory=None if max_memory is None else parse_amount(max_memory),
    )


def _expected(clip: Clip, cut: Cut, done: int) -> int | None:
    """About how many frames there will be."""
    if clip.duration is None:
        return None
    end = clip.duration if cut.end is None else min(cut.end, clip.duration)
    seconds = max(end - (cut.start or 0), Fraction(0))
    return max(done, round(seconds * clip.rate / cut.every))


def _fingerprint(plan: Plan, clip: Clip) -> dict[str, Any]:
    """Everything that a clip's frames depend on, as JSON data."""
    pictures = [*plan.styles, *(plan.masks or ())]
    if plan.init_image is not None:
        pictures.append(plan.init_image)
    return {
        "content": _digest_of_clip(clip.path),
        "rate": str(clip.rate),
        "options": dict(plan.options),
        "seed": plan.seed,
        "blend": plan.blend,
        "size": [plan.working_size, plan.output_size],
        "networks": [network.sha256 for network in plan.method.networks_used(plan)],
        "depth": plan.depth and plan.depth.sha256,
        "pictures": [_digest(picture) for picture in pictures],
    }


def _digest(picture: np.ndarray | SavedStyle) -> str:
    arrays = picture.statistics if isinstance(picture, SavedStyle) else [picture]
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(arrays):
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()


def _digest_of_clip(path: Path) -> str:
    """A hash of a clip's size and both ends, since the whole file may take minutes."""
    with warnings.catch_warnings(action="ignore", category=NstjaxWarning):
        files = list_images(path)
    found = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        found.update(f"{file.name} {size}\n".encode())
        with open(file, "rb") as data:
            found.update(data.read(_ENDS))
            data.seek(max(0, size - _ENDS))
            found.update(data.read(_ENDS))
    return found.hexdigest()
