"""The interface of all methods: options, networks, a plan, and painting.

A method is an instance of `Method`, listed in `nstjax.methods.table`. This module
imports nothing slow, so options are checked before jax is imported.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nstjax.errors import NstjaxError
from nstjax.methods.values import like

if TYPE_CHECKING:
    import numpy as np

    from nstjax.methods.styles import SavedStyle
    from nstjax.optimize.engine import RunState
    from nstjax.optimize.trace import Trace

# The transforms that decoders are trained for.
TRANSFORMS = ("adain", "style_swap")
PRESERVE_COLOR = ("none", "luminance", "histogram")
# Options of every method, with their defaults.
COMMON_OPTIONS: Mapping[str, Any] = {"preserve_color": "none", "stroke_scale": None}
# The shorter side, in pixels, of a style picture whose strokes have the scale 1.
STROKE_SIDE = 512
# The smallest side for which relu4_1 has enough positions for statistics.
LEAST_SIDE = 32
_LARGEST_STROKES = 4


@dataclasses.dataclass(frozen=True)
class Plan:
    """A picture to paint, with all inputs read and checked.

    Attributes:
        method: the method that paints it.
        options: all options of the method.
        content: [H, W, 3] in [0, 1].
        styles: one or several pictures like the content, or saved styles.
        networks: the networks from `Method.load`.
        seed: the seed of all random numbers.
        blend: each style's weight, or None for equal ones.
        working_size: (height, width) at which the picture is painted.
        output_size: (height, width) of the result.
        masks: where each style goes, [H, W] in [0, 1], or None.
        init_image: a picture to start from, or None.
        alpha: the content's opacity, [H, W, 1] in [0, 1], or None.
        depth: the depth network if there is a depth term, else None.
        tiling: how the picture is cut into tiles, or None.
        time_limit: seconds after which an optimisation returns the current picture, or
            None.
    """

    method: Method
    options: Mapping[str, Any]
    content: np.ndarray
    styles: tuple[np.ndarray | SavedStyle, ...]
    networks: Any
    seed: int
    blend: tuple[float, ...] | None
    working_size: tuple[int, int]
    output_size: tuple[int, int]
    masks: tuple[np.ndarray, ...] | None = None
    init_image: np.ndarray | None = None
    alpha: np.ndarray | None = None
    depth: Any = None
    tiling: Any = None
    time_limit: float | None = None

    @property
    def style_pictures(self) -> tuple[np.ndarray, ...]:
        """The styles, for a method that cannot use saved styles.

        Raises:
            NstjaxError: if one is a saved style.
        """
        from nstjax.methods.styles import SavedStyle

        pictures = []
        for style in self.styles:
            if isinstance(style, SavedStyle):
                raise NstjaxError(
                    f"the saved style {style.name} cannot be used by the method "
                    f"{self.method.name}; give its picture"
                )
            pictures.append(style)
        return tuple(pictures)


@dataclasses.dataclass(frozen=True)
class Progress:
    """The progress of a picture's optimisation.

    Attributes:
        evaluations: the evaluations of the objective so far, in all stages.
        requested: how many there will be in all.
        total: the objective's latest value.
        terms: its terms, unweighted.
        image: returns the current picture, [H, W, 3] in [0, 1], at the current working
            size. Call it before the callback returns.
    """

    evaluations: int
    requested: int
    total: float
    terms: Mapping[str, float]
    image: Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What an interrupted run needs to continue.

    Attributes:
        stage: the stage it was in.
        state: the engine's state.
        trace: all evaluations so far.
    """

    stage: int
    state: RunState
    trace: Trace


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        image: the picture, [H, W, 3] in [0, 1], at the working size.
        trace: an entry for each evaluation that the solver reports; None for methods
            that do not optimise.
        reason: "finished", "interrupted", "time_limit", "not_finite" or "converged".
        checkpoint: where to continue, if the run was interrupted or its time was up;
            else None.
    """

    image: np.ndarray
    trace: Trace | None = None
    reason: str = "finished"
    checkpoint: Checkpoint | None = None


OnProgress = Callable[[Progress], bool | None]
# Called after every tile with the number of finished tiles and of all tiles.
OnTile = Callable[[int, int], None]


class Method(abc.ABC):
    """A way to paint a content in the style of other pictures.

    Subclasses override what differs; everything except `paint` has a default.

    Attributes:
        name: the method's name for users.
        defaults: its options with their default values.
        in_one_pass: whether the method is feed-forward. Other methods can be watched,
            interrupted and resumed.
        takes_masks: whether styles can be confined to parts of the picture.
        saves_styles: whether the method can use saved styles.
        paints_batches: whether pictures of the same size can be painted together.
    """

    defaults: Mapping[str, Any] = {}
    in_one_pass: bool = True
    takes_masks: bool = False
    saves_styles: bool = False
    paints_batches: bool = False

    def __init__(self, name: str) -> None:
        self.name = name

    def options(
        self, preset: str, overrides: Sequence[str], changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """All options of a run.

        Args:
            preset: "best", "reference" or "paper", or another preset of the config.
            overrides: strings such as ``--config.lap_weight=3``, for methods that have
                a config.
            changes: values by name; None leaves the default.

        Raises:
            NstjaxError: if an option is unknown or a value is out of range.
        """
        if preset != "best":
            raise NstjaxError(f"the method {self.name} has no presets")
        if overrides:
            raise NstjaxError(
                f"{overrides[0]!r} changes a config, but the method {self.name} "
                "paints without one"
            )
        leaves = {**COMMON_OPTIONS, **self.defaults, "method": self.name}
        return merge_options(leaves, changes)

    def load(self, options: Mapping[str, Any]) -> Any:
        """Loads the networks that the options name.

        Raises:
            NstjaxError: if a network does not exist or does not fit.
        """
        return None

    def read_style(self, path: str, networks: Any) -> SavedStyle:
        """Reads the file of a saved style.

        Raises:
            NstjaxError: if the method cannot use saved styles.
        """
        raise NstjaxError(
            f"{path} is a saved style, which the method {self.name} cannot use; give "
            "the style's picture"
        )

    def prepare(
        self,
        plan: Plan,
        *,
        masks: Sequence[np.ndarray] | None,
        sized: bool,
        max_memory: int | None,
    ) -> Plan:
        """Checks a plan and completes it.

        Args:
            plan: a plan with everything that all methods need; its working size is that
                of the result.
            masks: the masks that were read, each [H, W, 1] in [0, 1].
            sized: whether the user gave a size.
            max_memory: how many bytes the process may use, or None.

        Raises:
            NstjaxError: if the method does not support the plan.
        """
        if masks is not None:
            raise NstjaxError(f"the method {self.name} takes no mask; adain does")
        return plan

    @abc.abstractmethod
    def paint(
        self,
        plan: Plan,
        *,
        on_progress: OnProgress | None = None,
        tell_every: int = 0,
        checkpoint: Checkpoint | None = None,
        on_tile: OnTile | None = None,
    ) -> Outcome:
        """Paints a planned picture.

        Args:
            plan: from `prepare`.
            on_progress: called after every few evaluations; returning True stops the
                run.
            tell_every: `on_progress` is also called at multiples of this number; 0 for
                none.
            checkpoint: from an interrupted run of the same plan, to continue it.
            on_tile: called after every tile.
        """

    def networks_used(self, plan: Plan) -> list[Any]:
        """The networks of a plan, each with `metadata` and `sha256`."""
        return []


# Options that decide what `Method.load` loads.
NETWORK_OPTIONS = (
    "encoder",
    "decoder",
    "depth_model",
    "compute_dtype",
    "pooling",
    "rounding",
)


def merge_options(
    leaves: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The options with changes applied by name; None keeps an option's value.

    Raises:
        NstjaxError: if a name is unknown, a value is of another kind than the option's,
            or out of range.
    """
    leaves = dict(leaves)
    for name, value in changes.items():
        if value is None:
            continue
        if name not in leaves:
            raise NstjaxError(
                f"the method {leaves['method']} has no option {name!r}; it has "
                f"{', '.join(sorted(leaves))}"
            )
        if name == "method" and value != leaves["method"]:
            raise NstjaxError(
                f"the method is {leaves['method']} and cannot be changed by an option; "
                f"choose {value!r} in place of it"
            )
        # `init` can be a picture, which is read later.
        leaves[name] = value if name == "init" else like(name, value, leaves[name])
    if leaves["preserve_color"] not in PRESERVE_COLOR:
        raise NstjaxError(
            f"preserve_color must be one of {', '.join(PRESERVE_COLOR)}, "
            f"not {leaves['preserve_color']!r}"
        )
    strokes = leaves["stroke_scale"]
    if strokes is not None:
        if not 0 < strokes <= _LARGEST_STROKES:
            raise NstjaxError(
                f"stroke_scale must be above 0 and at most {_LARGEST_STROKES}, "
                f"not {strokes}"
            )
        if changes.get("style_scale") is not None:
            raise NstjaxError(
                "style_scale is relative to the content's size, stroke_scale to "
                f"{STROKE_SIDE} pixels; give only one of them"
            )
    return leaves
