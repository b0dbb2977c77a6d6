"""Per-image methods from end to end: a picture in, an optimised picture out.

The options are the entries of configs such as ``configs/gatys.py``.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.resizing import fit_size, resize_image
from nstjax.methods import objectives
from nstjax.methods.base import Checkpoint, OnProgress, Outcome, Progress
from nstjax.methods.objectives import ObjectiveSpec
from nstjax.models import depth as depths
from nstjax.models.vgg import VGGSpec
from nstjax.ops.color import match_color
from nstjax.ops.cpu.xla import options_for_long_runs
from nstjax.optimize import driver, engine
from nstjax.optimize.minimise import minimise
from nstjax.optimize.trace import concatenate
from nstjax.types import AnyArray, Array, Params, Terms
from nstjax.weights.pretrained import Depth, Encoder

OPTIMIZERS = ("adam", "lbfgs", "torch_lbfgs")
INITS = ("content", "recoloured", "style", "noise", "adain")
STAGE_STARTS = ("pixels", "picture")
# Reasons why a run ended, in addition to those of `nstjax.optimize.driver`.
TIME_LIMIT = "time_limit"

# The number of evaluations between checks for Ctrl-C and the time limit.
_CHUNK = 10
# The shorter side below which relu5_1 has too few positions to be useful.
_LEAST_SIDE = 64
_LEAST_STYLE_SIDE = 16
# The product of evaluations and pixels from which a faster program is worth compiling:
# 40 evaluations at 512 x 512 pixels save as much time as compiling costs.
_LONG = 1e7
_CAFFE_SCALE = 57.0


def working_size(height: int, width: int, options: Mapping[str, Any]):
    """The size (height, width) at which a picture is optimised.

    Pictures that are too small for VGG-19 are enlarged.

    Raises:
        NstjaxError: for an unknown ``size_rule``.
    """
    rule, side = options["size_rule"], options["size"]
    if rule == "short_side":
        height, width = fit_size(height, width, short_side=side)
    elif rule == "long_side" or (rule == "at_most" and max(height, width) > side):
        height, width = fit_size(height, width, long_side=side)
    elif rule not in ("content", "at_most"):
        raise NstjaxError(
            f"size_rule must be content, short_side, long_side or at_most, not {rule!r}"
        )
    if min(height, width) < _LEAST_SIDE:
        return fit_size(height, width, short_side=_LEAST_SIDE)
    return height, width


def for_encoder(options: Mapping[str, Any], encoder: VGGSpec) -> Mapping[str, Any]:
    """The options, with the values that depend on the encoder filled in.

    A ``feature_scale`` of 0 becomes 1 for Caffe's pixels and 57 for all others:
    activations of torchvision's VGG-19, for normalised input, are smaller by 255 times
    a deviation of 0.225. For encoders with rescaled channels, the scale remains
    different.

    Raises:
        NstjaxError: for an unknown ``stage_start``.
    """
    if options["stage_start"] not in STAGE_STARTS:
        raise NstjaxError(
            f"stage_start must be {' or '.join(STAGE_STARTS)}, "
            f"not {options['stage_start']!r}"
        )
    if options["feature_scale"] != 0:
        return options
    scale = 1.0 if encoder.input_map == "caffe" else _CAFFE_SCALE
    return {**options, "feature_scale": scale}


def solver_state_images(options: Mapping[str, Any]) -> int:
    """The number of arrays of the picture's size that the solver keeps."""
    if options["optimizer"] == "adam":
        return 2
    # The differences of x and of gradients, and the last x and gradient.
    return 2 * options["history"] + 4


def optimise_picture(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    *,
    options: Mapping[str, Any],
    encoder: Encoder,
    size: tuple[int, int],
    depth: Depth | None = None,
    seed: int = 0,
    style_blend: Sequence[float] | None = None,
    stroke_side: float | None = None,
    init_image: np.ndarray | None = None,
    last: tuple[np.ndarray, np.ndarray] | None = None,
    time_limit: float | None = None,
    on_progress: OnProgress | None = None,
    tell_every: int = 0,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Optimises a picture, from coarse to fine if the options have stages.

    Args:
        content: picture [H, W, 3], RGB in [0, 1].
        styles: pictures of any size, blended if several.
        options: the entries of a per-image config.
        encoder: the network whose features are compared.
        size: (height, width) of the last stage.
        depth: the depth network, for options with a depth term.
        seed: the seed of the initial noise.
        style_blend: a weight for each style; equal by default.
        stroke_side: the shorter side of the styles in the last stage, in
            pixels; by default the content's times ``options["style_scale"]``.
        init_image: a picture to start from instead of ``options["init"]``.
        last: for a clip's frame: the last frame [H, W, 3], warped to the current one,
            and where that is reliable, [H, W] in [0, 1], both of `size`. Without it
            there is no temporal term, whatever its weight; with it there are no stages.
        time_limit: seconds from now, shared by the stages according to their costs;
            each makes at least one evaluation. None for no limit.
        on_progress: called after every few evaluations; returning True stops the run.
        tell_every: `on_progress` is also called at multiples of this number; 0 for
            none.
        checkpoint: from an interrupted run with the same arguments, to continue it.

    Returns:
        The outcome; "interrupted" after Ctrl-C.

    Raises:
        NstjaxError: if an option cannot be used.
    """
    options = for_encoder(options, encoder.spec)
    spec = ObjectiveSpec.from_options(options)
    if last is not None:
        options = {**options, "stages": ()}
        last = last[0][None], last[1][None, ..., None]
    params = {"encoder": encoder.params}
    if spec.needs_depth:
        if depth is None:
            raise ValueError("a depth term needs the depth network, depth=...")
        params["depth"] = depth.params
    solver = _make_solver(options)
    stages = make_stages(options, size)
    requested = sum(stage.evaluations for stage in stages)
    objective = _Objective(
        spec, encoder.spec, depth.spec if depth and spec.needs_depth else None
    )
    bounds = _bounds(options, objective, params)
    first = checkpoint.stage if checkpoint is not None else 0
    deadlines = _deadlines(stages[first:], time_limit)
    traces = [checkpoint.trace] if checkpoint is not None else []
    x: Array | None = None
    reasons: list[str] = []
    for number in range(first, len(stages)):
        stage = stages[number]
        done = sum(earlier.evaluations for earlier in stages[:number])
        resize = functools.partial(resize_image, resampling=options["resampling"])
        small_content = resize(content, stage.size)[None]
        if stroke_side is None:
            side = min(stage.size) * options["style_scale"]
        else:
            side = stroke_side * min(stage.size) / min(size)
        small_styles = [
            resize(style, _style_size(style.shape[:2], side))[None] for style in styles
        ]
        if checkpoint is not None and number == first:
            state = checkpoint.state
        else:
            if x is not None and options["stage_start"] == "picture":
                begin = resize(_to_levels(objective.picture(x, params)), stage.size)
                x = objective.from_unit(begin[None], params)
            elif x is not None:
                x = _resize_pixels(x, stage.size)
            elif init_image is not None or options["init"] != "noise":
                begin = _initial_picture(
                    options,
                    small_content,
                    small_styles,
                    style_blend,
                    init_image,
                    stage.size,
                )
                x = objective.from_unit(begin, params)
            else:
                x = objectives.noise_pixels(
                    jax.random.key(seed),
                    small_content.shape,
                    params,
                    deviation=options["noise_deviation"],
                    spec=spec,
                    encoder_spec=encoder.spec,
                )
            state = engine.start(x, solver=solver, bounds=bounds)

        expired = False

        def tell(
            progress: driver.Progress,
            done: int = done,
            deadline: float = deadlines[number - first],
        ) -> bool:
            nonlocal expired
            stops = on_progress is not None and on_progress(
                Progress(
                    evaluations=done + progress.evaluations,
                    requested=requested,
                    total=float(progress.total),
                    terms={n: float(term) for n, term in progress.terms.items()},
                    image=lambda: objective.picture(progress.current(), params),
                )
            )
            expired = not stops and time.monotonic() >= deadline
            return bool(stops) or expired

        result = minimise(
            objective,
            state,
            shared=params,
            targets=objective.targets(
                params,
                small_content,
                small_styles,
                None if style_blend is None else tuple(style_blend),
                last,
            ),
            solver=solver,
            evaluations=stage.evaluations,
            chunk_size=_CHUNK,
            bounds=bounds,
            on_chunk=tell,
            # The clock is checked after every evaluation.
            tell_every=tell_every if time_limit is None else 1,
            before=done,
            compiler_options=options_for_long_runs()
            if stage.evaluations * math.prod(stage.size) >= _LONG
            else None,
        )
        shifted = result.trace.evaluations + np.int32(done)
        traces.append(dataclasses.replace(result.trace, evaluations=shifted))
        x = result.x
        timed_out = expired and result.reason == driver.INTERRUPTED
        reasons.append(TIME_LIMIT if timed_out else result.reason)
        # A stage that diverged or ran out of time passes its picture to the next.
        if reasons[-1] == driver.INTERRUPTED:
            break
    assert x is not None  # there is always a last stage
    trace = concatenate(traces)
    reason, left = reasons[-1], None
    if reason in (driver.INTERRUPTED, TIME_LIMIT):
        left = Checkpoint(number, result.state, trace)
    elif driver.DIVERGED in reasons:
        reason = driver.DIVERGED
    return Outcome(objective.picture(x, params), trace, reason, left)


def _deadlines(stages: Sequence["Stage"], time_limit: float | None) -> list[float]:
    """When each remaining stage must end; costs are measured in evaluated pixels."""
    if time_limit is None:
        return [math.inf] * len(stages)
    costs = [math.prod(stage.size) * stage.evaluations for stage in stages]
    begin = time.monotonic()
    return [
        begin + time_limit * sum(costs[: number + 1]) / sum(costs)
        for number in range(len(stages))
    ]


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of a run: its picture's (height, width) and number of evaluations."""

    size: tuple[int, int]
    evaluations: int


def make_stages(options: Mapping[str, Any], size: tuple[int, int]) -> list[Stage]:
    """The stages of a run, of which the last works at `size`.

    ``options["stages"]`` are the earlier stages, from coarse to fine, as pairs: a
    fraction of the last stage's sides, and a fraction of ``options["iterations"]``. The
    last stage gets all of the iterations. Stages that would repeat a size, or would be
    too small to be useful, are left out.
    """
    stages = []
    for fraction, portion in options["stages"]:
        height, width = (max(1, round(side * fraction)) for side in size)
        if min(height, width) >= _LEAST_SIDE and (height, width) != size:
            evaluations = max(1, round(options["iterations"] * portion))
            stages.append(Stage((height, width), evaluations))
    return [*stages, Stage(size, options["iterations"])]


def state_template(
    options: Mapping[str, Any], size: tuple[int, int], stage: int
) -> engine.RunState:
    """Shapes and dtypes of the engine's state in a stage, for loading a state."""
    height, width = make_stages(options, size)[stage].size
    start = functools.partial(engine.start, solver=_make_solver(options))
    return jax.eval_shape(
        start, jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32)
    )


@dataclasses.dataclass(frozen=True)
class _Objective:
    """The objective, and the conversion of pictures to its domain and back.

    Compiled functions depend on the specs, so jax reuses them for equal specs.
    """

    spec: ObjectiveSpec
    encoder: VGGSpec
    depth: depths.DepthSpec | None

    def __call__(self, x: Array, params: Params, targets: Any) -> tuple[Array, Terms]:
        return objectives.objective(
            x, params, targets, disparity=self._disparity, **self._specs
        )

    @functools.partial(jax.jit, static_argnums=(0, 4))
    def targets(self, params, content, styles, blend, last):
        return objectives.make_targets(
            params,
            content,
            styles,
            style_blend=blend,
            disparity=self._disparity,
            last=last,
            **self._specs,
        )

    @functools.partial(jax.jit, static_argnums=0)
    def from_unit(self, image, params):
        return objectives.initial_pixels(image, params, **self._specs)

    def picture(self, x: AnyArray, params: Params) -> np.ndarray:
        """Converts pixels of the domain to a picture [H, W, 3]."""
        return np.asarray(self._to_unit(x, params)[0])

    @functools.partial(jax.jit, static_argnums=0)
    def _to_unit(self, x, params):
        return objectives.final_image(x, params, **self._specs)

    @property
    def _specs(self) -> dict[str, Any]:
        return {"spec": self.spec, "encoder_spec": self.encoder}

    @property
    def _disparity(self) -> Any:
        if self.depth is None:
            return None
        return functools.partial(depths.disparity, spec=self.depth)


def _make_solver(options: Mapping[str, Any]):
    name, rate = options["optimizer"], options["learning_rate"]
    # Imported where needed: Optax takes a moment to import, and feed-forward methods
    # only need types from this module.
    if name == "adam":
        from nstjax.optimize.adam import adam

        return adam(learning_rate=rate)
    if name == "lbfgs":
        from nstjax.optimize.lbfgs import lbfgs

        return lbfgs(history=options["history"])
    if name == "torch_lbfgs":
        from nstjax.optimize.torch_lbfgs import torch_lbfgs

        return torch_lbfgs(learning_rate=rate, history=options["history"])
    raise NstjaxError(f"optimizer must be {', '.join(OPTIMIZERS)}, not {name!r}")


def _bounds(options: Mapping[str, Any], objective: _Objective, params: Params):
    """The bounds that x is clamped to: the picture's range, in the pixel domain."""
    if not options["clamp"]:
        return None
    domain = objective.spec.pixel_domain
    if domain == "network" and objective.encoder.input_map == "learned":
        raise NstjaxError(
            "pixels of a learned input map mix the colours and cannot be clamped; "
            "choose pixel_domain 'unit' or switch clamp off"
        )
    ends = [
        objective.from_unit(jnp.full((1, 1, 1, 3), end), params) for end in (0.0, 1.0)
    ]
    return jnp.minimum(*ends), jnp.maximum(*ends)


def _style_size(style: tuple[int, int], side: float) -> tuple[int, int]:
    """A style's size with a shorter side of about `side`, but large enough for VGG."""
    return fit_size(*style, short_side=max(_LEAST_STYLE_SIDE, round(side)))


def _initial_picture(
    options: Mapping[str, Any],
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    blend: Sequence[float] | None,
    init_image: np.ndarray | None,
    size: tuple[int, int],
) -> np.ndarray:
    """The picture [1, H, W, 3] that a run starts from."""
    shares = [1.0] * len(styles) if blend is None else list(blend)
    if init_image is not None:
        return resize_image(init_image, size)[None]
    if options["init"] == "content":
        return content
    if options["init"] == "recoloured":
        # The colours of all styles, mixed in the same way as the styles.
        recoloured = np.zeros_like(content)
        for style, share in zip(styles, shares, strict=True):
            if share:
                recoloured += share * np.asarray(match_color(content, style))
        return recoloured / sum(shares)
    if options["init"] == "style":
        return resize_image(styles[int(np.argmax(shares))][0], size)[None]
    raise NstjaxError(
        f"init must be {', '.join(INITS)} or a picture, not {options['init']!r}"
    )


def _to_levels(image: np.ndarray) -> np.ndarray:
    """Converts a picture to 8 bits like torchvision's ``ToPILImage``: by truncation."""
    return np.floor(255 * image).astype(np.float32) / 255


def _resize_pixels(x: Any, size: tuple[int, int]) -> Any:
    """Enlarges pixels of any domain, without clipping."""
    return jax.image.resize(x, (1, *size, 3), "cubic")
