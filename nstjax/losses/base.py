"""What a loss is to per-image methods and to training: a target, and a distance to it.

A loss is a small frozen dataclass, whose fields are its options by the names of the
configs' leaves. It says which features it needs, makes a target of content and style
once, and compares any number of results with that.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.types import Array, Features

# Encoder layers, such as "relu4_1", each with its factor within a term.
Layers = tuple[tuple[str, float], ...]


@dataclasses.dataclass(frozen=True)
class Picture:
    """Pictures of a batch, with what losses compare of them.

    Attributes:
        image: [B, H, W, 3], RGB, nominally in [0, 1].
        features: those layers that were asked for, [B, H', W', C] each.
        disparity: [B, H', W', 1] if it was asked for.
        key: for losses that draw something, new at every step of a training; None
            to draw the same every time.
    """

    image: Array
    features: Features = dataclasses.field(default_factory=dict)
    disparity: Array | None = None
    key: Array | None = None


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss of a result, given its content and style.

    Attributes:
        needs_depth: whether it compares the pictures' disparities.
        uses_style: whether its target depends on the style.
    """

    needs_depth: ClassVar[bool] = False
    uses_style: ClassVar[bool] = True

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Takes the fields out of a larger set of options by name.

        Raises:
            NstjaxError: if one is out of range.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: options[name] for name in names if name in options})

    @property
    def layers_of_content(self) -> tuple[str, ...]:
        """The layers whose features of the content `target` needs."""
        return ()

    @property
    def layers_of_style(self) -> tuple[str, ...]:
        """The same of the style. `loss` has the result's features of both."""
        return ()

    def target(self, content: Picture, style: Picture) -> Any:
        """What results are compared with: a pytree of arrays, or None."""
        return None

    def loss(self, result: Picture, target: Any) -> Array:
        """A scalar, averaged over the batch."""
        raise NotImplementedError

    def targets(
        self,
        content: Picture,
        styles: Sequence[Picture],
        blend: Sequence[float] | None,
    ) -> list[tuple[float, Any]]:
        """The targets for one style or several, each with its weight.

        The loss is the weighted sum of those to all targets.

        Args:
            content: the content.
            styles: one or more.
            blend: the weight of each style, 1 together; None if none were given.
        """
        if not self.uses_style:
            return [(1.0, self.target(content, styles[0]))]
        return [
            (weight, self.target(content, style))
            for weight, style in zip(blend_weights(blend, styles), styles, strict=True)
        ]


def blend_weights(
    blend: Sequence[float] | None, styles: Sequence[Any]
) -> Sequence[float]:
    """The styles' weights: those given, or all the same."""
    return [1 / len(styles)] * len(styles) if blend is None else blend


def layer_pairs(
    name: str, layers: Mapping[str, float] | Iterable[tuple[str, float]]
) -> Layers:
    """Layers with factors in either way to write them, without those of factor 0.

    Raises:
        NstjaxError: for a factor that is negative or not finite.
    """
    items: Any = layers.items() if hasattr(layers, "items") else layers
    pairs = tuple((str(layer), float(weight)) for layer, weight in items)
    for layer, weight in pairs:
        check_weight(f"{name}.{layer}", weight)
    return tuple((layer, weight) for layer, weight in pairs if weight)


def names_of(layers: Layers) -> tuple[str, ...]:
    """The layers without their factors."""
    return tuple(layer for layer, _ in layers)


def check_weight(name: str, weight: float) -> None:
    """Raises NstjaxError unless a weight is finite and not negative."""
    if not (math.isfinite(weight) and weight >= 0):
        raise NstjaxError(f"{name} must be 0 or positive and finite, not {weight!r}")


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Raises NstjaxError unless an option is one of those allowed."""
    if value not in allowed:
        raise NstjaxError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def at_most_one(errors: Array) -> Array:
    """Errors of which each above 1 counts as 1 and has the gradient of ``log(error)``.

    So that the relative error to a target of next to nothing does not outdo all others.
    """
    return errors / jnp.maximum(jax.lax.stop_gradient(errors), 1)
