"""The interface of losses: a target, and a distance from it.

Per-image methods and training use the same losses. A loss is a small frozen dataclass
whose fields are options named as in the configs. It states which features it needs,
makes a target from content and style once, and compares any number of results with it.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.types import Array, Features

# Encoder layers, such as "relu4_1", each with its factor in the term.
Layers = tuple[tuple[str, float], ...]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A batch of pictures, with the features that losses compare.

    Attributes:
        image: [B, H, W, 3], RGB, nominally in [0, 1].
        features: the requested layers, [B, H', W', C] each.
        disparity: [B, H', W', 1], if requested.
        key: a random key for losses that sample, new at every training step; None to
            sample the same every time.
    """

    image: Array
    features: Features = dataclasses.field(default_factory=dict)
    disparity: Array | None = None
    key: Array | None = None


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss of a result, given its content and style.

    Attributes:
        needs_depth: whether the loss compares the pictures' disparities.
        uses_style: whether the target depends on the style.
    """

    needs_depth: ClassVar[bool] = False
    uses_style: ClassVar[bool] = True

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Picks the fields from a larger set of options by name.

        Raises:
            NstjaxError: if an option is out of range.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: options[name] for name in names if name in options})

    @property
    def layers_of_content(self) -> tuple[str, ...]:
        """The layers of the content that `target` needs."""
        return ()

    @property
    def layers_of_style(self) -> tuple[str, ...]:
        """The layers of the style that `target` needs; `loss` gets both sets."""
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
        """The targets for one or several styles, with their weights.

        The loss is the weighted sum of the losses for all targets.

        Args:
            content: the content.
            styles: one or more.
            blend: the weight of each style, summing to 1; None if none were given.
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
    """The styles' weights: those given, or equal ones."""
    return [1 / len(styles)] * len(styles) if blend is None else blend


def layer_pairs(
    name: str, layers: Mapping[str, float] | Iterable[tuple[str, float]]
) -> Layers:
    """Layers with factors, from either notation, without those of factor 0.

    Raises:
        NstjaxError: if a factor is negative or not finite.
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
    """Limits errors to 1; those above it keep the gradient of ``log(error)``.

    This keeps the relative error for a nearly zero target from dominating the others.
    """
    return errors / jnp.maximum(jax.lax.stop_gradient(errors), 1)
