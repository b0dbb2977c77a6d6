"""What paints a clip's frames: methods of one pass, and those that optimise.

A painter first makes drafts of a batch of frames, then each frame of its draft and
of what it is to be like: the last one, where it holds.
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
# The part of a picture's evaluations that later frames get: they begin from the
# last one, and little has changed.
_LATER = 1 / 3


class Stopped(Exception):
    """A frame was given up because the run is to stop."""


class Step(NamedTuple):
    """A frame to be painted.

    Attributes:
        content: uint8 [H, W, 3], of the size that is worked at.
        elapsed: seconds since the frame before.
        begins: whether a scene begins with it.
    """

    content: np.ndarray
    elapsed: float
    begins: bool


class Last(NamedTuple):
    """The last painted frame, brought to where the next one shows it.

    Attributes:
        warped: float32 [H, W, 3] in [0, 1].
        holds: where it can be trusted, [H, W] in [0, 1].
    """

    warped: np.ndarray
    holds: np.ndarray


class Painter(Protocol):
    """Paints frames of one size, in order."""

    batch: int

    def drafts(self, steps: Sequence[Step]) -> Sequence[Any]:
        """Begins frames, at most `batch`; `painted` takes each result, in order."""

    def painted(self, step: Step, draft: Any, last: Last | None) -> np.ndarray:
        """A frame, float32 [H, W, 3] in [0, 1], like the last one where it holds."""

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs to go on after the frames so far."""

    def restore(self, state: dict[str, np.ndarray], content: np.ndarray) -> None:
        """Goes on after a frame of this content, at which `state` was taken."""


def make_painter(
    plan: Plan,
    *,
    temporal: str,
    batch: int = 1,
    stops: Callable[[], bool] = lambda: False,
) -> Painter:
    """The painter of a plan whose content is any of the clip's frames.

    Args:
        plan: from `nstjax.methods.plan.make_plan`.
        temporal: one of `TEMPORAL`.
        batch: how many frames to paint together, where the method can.
        stops: asked now and then whether to give up a frame that takes long, which
            then raises `Stopped`.

    Raises:
        NstjaxError: for an unknown kind, or one that the method does not have.
    """
    if temporal not in TEMPORAL:
        raise NstjaxError(
            f"temporal must be one of {', '.join(TEMPORAL)}, not {temporal!r}"
        )
    # Strokes larger than decoders have seen take two passes, with statistics of each.
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
    """Methods of one pass, each frame as a picture by itself."""

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
    """AdaIN, whose content statistics can be averaged over time."""

    def __init__(self, plan: Plan, *, average: bool, batch: int):
        super().__init__(plan)
        self.batch = 1 if plan.tiling is not None else batch
        self._styles = planning.encode_styles(plan)
        self._average = RunningAverage() if average else None

    def drafts(self, steps: Sequence[Step]) -> list[np.ndarray]:
        contents = np.stack([to_float(step.content) for step in steps])
        # The last batch is filled up, since another size would be compiled for itself.
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
    """Methods that optimise: from the last frame on, and held to it.

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
            # What has just come into view begins as the content.
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
    """A uint8 frame of another (height, width)."""
    if image.shape[:2] == tuple(size):
        return image
    return to_uint8(resize_image(to_float(image), size))
