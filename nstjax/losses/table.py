"""The losses by name, for per-image methods and for training.

Each is a term ``NAME`` with the weight ``NAME_weight``. To add one, write a class in a
file of its own, a line here and an entry in ``configs/common.py`` (docs/add-a-loss.md).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nstjax.errors import NstjaxError
from nstjax.losses.adain import Color, Moments
from nstjax.losses.artifacts import Checkerboard, FlatNoise, Halo, PlainNoise
from nstjax.losses.base import Loss, Picture, check_weight
from nstjax.losses.depth import Depth
from nstjax.losses.gatys import Content, Gram, NormalisedContent
from nstjax.losses.laplacian import Laplacian
from nstjax.losses.palette import Fringe, Palette
from nstjax.losses.style_swap import Swap
from nstjax.losses.variation import Range, TotalVariation
from nstjax.types import Array

LOSSES: dict[str, type[Loss]] = {
    "content": Content,
    "normalised_content": NormalisedContent,
    "gram": Gram,
    "moments": Moments,
    "swap": Swap,
    "lap": Laplacian,
    "tv": TotalVariation,
    "depth": Depth,
    "color": Color,
    "palette": Palette,
    "fringe": Fringe,
    "flat": FlatNoise,
    "plain": PlainNoise,
    "halo": Halo,
    "checkerboard": Checkerboard,
    "range": Range,
}


class Term(NamedTuple):
    """A loss with its name and its positive weight."""

    name: str
    weight: float
    loss: Loss


def make_terms(
    options: Mapping[str, Any], *, called: Mapping[str, str]
) -> tuple[Term, ...]:
    """The terms whose weight in the options is above 0.

    Args:
        options: the entries of a config.
        called: names of losses in `options` where they differ from those in `LOSSES`,
            such as {"gram": "style"}. A loss whose name another one takes is left out.

    Raises:
        NstjaxError: if a loss's option or weight is out of range.
    """
    terms = []
    for known, kind in LOSSES.items():
        name = called.get(known, known)
        if known not in called and name in called.values():
            continue
        weight = options.get(f"{name}_weight", 0.0)
        check_weight(f"{name}_weight", weight)
        # Losses without a weight are made, too, so that their options are checked.
        loss = kind.from_options(options)
        for layers in ("content_layers", "style_layers"):
            if weight and not getattr(loss, layers, True):
                raise NstjaxError(
                    f"{name}_weight is positive but {layers} names no layer; name one "
                    "or set the weight to 0"
                )
        if weight:
            terms.append(Term(name, float(weight), loss))
    return tuple(terms)


def layers_needed(
    terms: Iterable[Term], *, content: bool = False, style: bool = False
) -> tuple[str, ...]:
    """The layers that terms need of the content, of the style, and of both.

    The terms need the layers of both from the result.
    """
    found: dict[str, None] = {}
    for term in terms:
        found |= dict.fromkeys(term.loss.layers_of_content if content else ())
        found |= dict.fromkeys(term.loss.layers_of_style if style else ())
    return tuple(found)


def needs_depth(terms: Iterable[Term]) -> bool:
    """Whether one of the terms compares disparities."""
    return any(term.loss.needs_depth for term in terms)


def evaluate(
    terms: Iterable[Term], result: Picture, content: Picture, style: Picture
) -> dict[str, Array]:
    """Every term of a result by name, unweighted."""
    return {
        term.name: term.loss.loss(result, term.loss.target(content, style))
        for term in terms
    }
