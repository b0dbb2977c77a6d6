"""What every method has in common: options, networks, a plan, and the painting.

A method is an instance of `Method`, and a line of `nstjax.methods.table`. This
module imports nothing slow: options are checked before jax is.
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

# What decoders are trained to paint.
TRANSFORMS = ("adain", "style_swap")
PRESERVE_COLOR = ("none", "luminance", "histogram")
# Options of every method, with their defaults.
COMMON_OPTIONS: Mapping[str, Any] = {"preserve_color": "none", "stroke_scale": None}
# The shorter side, in pixels, of a style's picture whose strokes have the scale 1.
STROKE_SIDE = 512
# The least side of which relu4_1 has enough positions for statistics.
LEAST_SIDE = 32
_LARGEST_STROKES = 4


@dataclasses.dataclass(frozen=True)
class Plan:
    """A picture to make, with everything read and checked.

    Attributes:
        method: what makes it.
        options: the method's options, all of them.
        content: [H, W, 3] in [0, 1].
        styles: the same, one or several; or saved styles.
        networks: what `Method.load` gave.
        seed: of all randomness.
        blend: each style's weight, or None for equal ones.
        working_size: (height, width) at which the picture is made.
        output_size: (height, width) of the result.
        masks: where each style goes, [H, W] in [0, 1], or None.
        init_image: a picture to start from, or None.
        alpha: the content's opacity, [H, W, 1] in [0, 1], or None.
        depth: the depth network, if there is a depth term; else None.
        tiling: how the picture is cut into tiles, or None.
        time_limit: seconds after which a picture that is optimised is taken as it is,
            or None.
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
        """The styles, for a method that paints from pictures only.

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
    """How far the optimisation of a picture is.

    Attributes:
        evaluations: of the objective so far, in all stages.
        requested: how many there will be.
        total: the objective's newest value.
        terms: its terms, unweighted.
        image: gives the picture so far, [H, W, 3] in [0, 1], at the size that
            is being worked on. To be called before the callback returns.
    """

    evaluations: int
    requested: int
    total: float
    terms: Mapping[str, float]
    image: Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What an interrupted run needs to go on.

    Attributes:
        stage: the stage it was in.
        state: the engine's state.
        trace: everything evaluated so far.
    """

    stage: int
    state: RunState
    trace: Trace


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        image: the picture, [H, W, 3] in [0, 1], of the size worked at.
        trace: an entry for each evaluation that the solver reports; None of a
            method that evaluates none.
        reason: "finished", "interrupted", "time_limit", "not_finite" or "converged".
        checkpoint: to go on from, if it was interrupted or its time was up; else None.
    """

    image: np.ndarray
    trace: Trace | None = None
    reason: str = "finished"
    checkpoint: Checkpoint | None = None


OnProgress = Callable[[Progress], bool | None]
# Told after every tile: how many are done, and how many there are in all.
OnTile = Callable[[int, int], None]


class Method(abc.ABC):
    """One way to paint a content in the style of other pictures.

    Subclasses override what differs; all but `paint` has a default.

    Attributes:
        name: what users call it.
        defaults: its options with their default values.
        in_one_pass: whether it paints at once. A method that does not can be
            watched, interrupted and resumed.
        takes_masks: whether styles can be confined to parts of the picture.
        saves_styles: whether it paints from what is saved of a style.
        paints_batches: whether pictures of one size are painted together.
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
            preset: "best", "reference" or "paper", or another one of the config.
            overrides: strings such as ``--config.lap_weight=3``, of methods
                that have a config.
            changes: values by name; None leaves the default.

        Raises:
            NstjaxError: for an unknown option, or a value out of range.
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
            NstjaxError: if there are no such networks, or they do not fit.
        """
        return None

    def read_style(self, path: str, networks: Any) -> SavedStyle:
        """Reads the file of a saved style.

        Raises:
            NstjaxError: if the method paints from pictures only.
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
            plan: with everything that all methods need; its working size is
                that of the result.
            masks: what was read of the masks, each [H, W, 1] in [0, 1].
            sized: whether a size was asked for.
            max_memory: bytes that the process may take, or None.

        Raises:
            NstjaxError: for what the method cannot do.
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
        """Makes a planned picture.

        Args:
            plan: from `prepare`.
            on_progress: told after every few evaluations; True stops the run.
            tell_every: it is told at the multiples of this, too; 0 for none.
            checkpoint: of an interrupted run of the same plan, to go on.
            on_tile: told after every tile.
        """

    def networks_used(self, plan: Plan) -> list[Any]:
        """The networks of a plan, each with `metadata` and `sha256`."""
        return []


# Options that say what `Method.load` loads.
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
    """The leaves, changed by name; a change to None changes nothing.

    Raises:
        NstjaxError: for an unknown name, a value of another kind than the leaf's, or
            colours that cannot be kept so.
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
                f"these are options of {leaves['method']}, and the method is not one "
                f"of them; name {value!r} where the method is chosen"
            )
        # What to start from can be a picture; it is read later.
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
                "{STROKE_SIDE} pixels; give only one of them"
            )
    return leaves
