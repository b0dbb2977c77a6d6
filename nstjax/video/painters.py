"""Painters of a clip's frames, for feed-forward and optimisation-based methods.

A painter first makes drafts of a batch of frames, then each frame from its draft and
the warped last frame, where that is reliable.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.levels import to_float, to_uint8
from nstjax.io.resizing import resize_image
from nstjax.methods import one_pass
from nstjax.methods import plan as planning
from nstjax.methods.base import LEAST_SIDE, Plan
from nstjax.methods.optimization_methods import stroke_side
from nstjax.methods.per_image import optimise_picture
from nstjax.optimize import driver
from nstjax.video.blending import blend
from nstjax.video.statistics import RunningAverage

TEMPORAL = ("flow", "statistics", "off")
# The fraction of evaluations for frames after the first: they start from the last
# frame, and little has changed.
_LATER = 1 / 3


class Stopped(Exception):
    """Raised if a frame is abandoned because the run should stop."""


class Step(NamedTuple):
    """A frame to paint.

    Attributes:
        content: uint8 [H, W, 3], at the working size.
        elapsed: seconds since the frame before.
        begins: whether a scene begins with this frame.
    """

    content: np.ndarray
    elapsed: float
    begins: bool


class Last(NamedTuple):
    """The last painted frame, warped to the next one.

    Attributes:
        warped: float32 [H, W, 3] in [0, 1].
        holds: where it is reliable, [H, W] in [0, 1].
    """

    warped: np.ndarray
    holds: np.ndarray


class Painter(Protocol):
    """Paints frames of one size, in order."""

    batch: int

    def drafts(self, steps: Sequence[Step]) -> Sequence[Any]:
        """Starts at most `batch` frames; `painted` is given each result, in order."""

    def painted(self, step: Step, draft: Any, last: Last | None) -> np.ndarray:
        """Finishes a frame, float32 [H, W, 3] in [0, 1], similar to the last one."""

    def state(self) -> dict[str, np.ndarray]:
        """The state for `restore`, to continue after the frames so far."""

    def restore(self, state: dict[str, np.ndarray], content: np.ndarray) -> None:
        """Continues after a frame with this content, at which `state` was called."""


def make_painter(
    plan: Plan,
    *,
    temporal: str,
    batch: int = 1,
    stops: Callable[[], bool] = lambda: False,
) -> Painter:
    """The painter for a plan, whose content can be any of the clip's frames.

    Args:
        plan: from `nstjax.methods.plan.make_plan`.
        temporal: one of `TEMPORAL`.
        batch: how many frames to paint together, if the method can.
        stops: called regularly; if it returns True, a long-running frame is abandoned
            by raising `Stopped`.

    Raises:
        NstjaxError: if `temporal` is unknown or not supported by the method.
    """
    if temporal not in TEMPORAL:
        raise NstjaxError(
            f"temporal must be one of {', '.join(TEMPORAL)}, not {temporal!r}"
        )
    # Larger strokes take two passes, with separate statistics.
    adain = plan.method.paints_batches and (plan.options["stroke_scale"] or 0) <= 1
    if temporal == "statistics" and not adain:
        raise NstjaxError(
            f"the method {plan.options['method']} has no content statistics to "
            "average, nor has any method with a stroke scale above 1; choose flow or "
            "off"
        )
    if not plan.method.in_one_pass:
        return _Optimising(plan, stops)
    averaged = adain and temporal != "off" and min(plan.working_size) >= LEAST_SIDE
    if averaged or (adain and planning.can_share(plan)):
        return _ByStatistics(plan, average=averaged, batch=batch)
    return _OneByOne(plan)


class _OneByOne:
    """Feed-forward methods that paint each frame separately."""

    batch = 1

    def __init__(self, plan: Plan):
        self._plan = plan

    def drafts(self, steps: Sequence[Step]) -> list[np.ndarray]:
        plans = [
            dataclasses.replace(self._plan, content=to_float(step.content))
            for step in steps
        ]
        return [planning.run(plan).image for plan in plans]

    def painted(self, step: Step, draft: np.ndarray, last: Last | None) -> np.ndarray:
        del step
        return draft if last is None else blend(draft, last.warped, last.holds)

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: dict[str, np.ndarray], content: np.ndarray) -> None:
        del state, content


class _ByStatistics(_OneByOne):
    """AdaIN, with content statistics averaged over time."""

    def __init__(self, plan: Plan, *, average: bool, batch: int):
        super().__init__(plan)
        self.batch = 1 if plan.tiling is not None else batch
        self._styles = planning.encode_styles(plan)
        self._average = RunningAverage() if average else None

    def drafts(self, steps: Sequence[Step]) -> list[np.ndarray]:
        contents = np.stack([to_float(step.content) for step in steps])
        # The last batch is filled up, since another size would need compiling.
        spare = self.batch - len(steps)
        contents = np.concatenate([contents, *[contents[-1:]] * spare])
        return list(self._paint(contents, steps))[: len(steps)]

    def restore(self, state: dict[str, np.ndarray], content: np.ndarray) -> None:
        if self._average is None:
            return
        found: list[Any] = []

        def look(own: Any) -> Any:
            found.append(own)
            return own

        self._transfer(to_float(content)[None], look)
        self._average.restore(state, found[0])

    def state(self) -> dict[str, np.ndarray]:
        return {} if self._average is None else self._average.state()

    def _paint(self, contents: np.ndarray, steps: Sequence[Step]) -> np.ndarray:
        def averaged(own: Any) -> Any:
            if self._average is None:
                return own
            found = [
                self._average.update(
                    jax.tree.map(lambda a, i=i: a[i : i + 1], own),
                    step=step.elapsed,
                    restart=step.begins,
                )
                for i, step in enumerate(steps)
            ]
            found += [found[-1]] * (len(contents) - len(steps))
            return jax.tree.map(lambda *parts: np.concatenate(parts), *found)

        return self._transfer(contents, averaged)

    def _transfer(self, contents: np.ndarray, on_statistics: Any) -> np.ndarray:
        plan = self._plan
        return one_pass.transfer_frames(
            contents,
            self._styles,
            networks=plan.networks,
            on_statistics=on_statistics,
            alpha=plan.options["alpha"],
            blend=plan.blend,
            masks=plan.masks,
            tiling=plan.tiling,
        )


class _Optimising:
    """Methods that optimise, starting from the last frame, with a temporal loss.

    References:
        Ruder, Dosovitskiy & Brox, 2016, https://arxiv.org/abs/1604.08610, whose
        multi-pass and long-term terms are left out.
    """

    batch = 1

    def __init__(self, plan: Plan, stops: Callable[[], bool]):
        self._plan = plan
        self._stops = stops
        evaluations = max(1, round(plan.options["iterations"] * _LATER))
        self._later = {**plan.options, "iterations": evaluations}

    def drafts(self, steps: Sequence[Step]) -> list[None]:
        return [None] * len(steps)

    def painted(self, step: Step, draft: None, last: Last | None) -> np.ndarray:
        plan = self._plan
        content = resize_image(to_float(step.content), plan.working_size)
        options, begin, kept = plan.options, plan.init_image, None
        if last is not None:
            # Areas that have just come into view start as the content.
            begin = content + last.holds[..., None] * (last.warped - content)
            options, kept = self._later, (last.warped, last.holds)
        outcome = optimise_picture(
            content,
            plan.style_pictures,
            options=options,
            encoder=plan.networks,
            size=plan.working_size,
            depth=plan.depth,
            seed=plan.seed,
            style_blend=plan.blend,
            stroke_side=stroke_side(plan),
            init_image=begin,
            last=kept,
            on_progress=lambda progress: self._stops(),
        )
        if outcome.reason == driver.INTERRUPTED:
            raise Stopped
        return outcome.image

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: dict[str, np.ndarray], content: np.ndarray) -> None:
        del state, content


def fit_frame(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales a uint8 frame to another (height, width)."""
    if image.shape[:2] == tuple(size):
        return image
    return to_uint8(resize_image(to_float(image), size))
