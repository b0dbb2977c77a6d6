"""A teacher of depth networks: it labels every view itself, and gives hints.

What a network of depth says of a part of a picture is not the same part of what it
says of the whole, so that labels made beforehand hold for whole pictures only.
A teacher that is run on each training view has a label for anything.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.losses.hints import hint_loss
from nstjax.models import fast_depth, monodepth
from nstjax.ops.resample import resize, size_of
from nstjax.training.recipes.warm_start import solve_maps
from nstjax.types import Array, Params
from nstjax.weights.pretrained import load_depth

# Whatever is as near as this, in metres, has the disparity 1. Of what a FastDepth says
# of photos, a thousandth is nearer.
NEAREST = 0.75
# The features that are taught, of the encoder by stage and of the decoder by level.
_STAGES = (1, 2, 3, 4)
_LEVELS = (4, 3)


def load_teacher(path: str | Path) -> tuple[Params, WeightsMetadata]:
    """Loads a converted FastDepth, and what its file says of it.

    Raises:
        NstjaxError: if the file is missing or of another network.
    """
    network = load_depth(path)
    if not isinstance(network.spec, fast_depth.FastDepthSpec):
        raise NstjaxError(
            f"{path} holds {network.metadata.name}, which is not a FastDepth and "
            "cannot teach depth; convert one with 'nstjax convert fast_depth'"
        )
    return network.params, network.metadata


def label(depth: Array, size: tuple[int, int]) -> Array:
    """A training target from depths: the disparity, bright where near.

    It is not stretched to a map's own range. A network that learns from stretched maps
    does not see how deep a picture is, and a painting is flatter than its photo: as a
    loss it would be content with the right order of things in a picture as good as
    flat.

    Args:
        depth: in metres, [B, H, W, 1].
        size: (height, width) of the result.

    Returns:
        Maps [B, height, width, 1] in (0, 1], averaged to `size`: 1 at `NEAREST` and
        nearer, half of that at twice the distance.
    """
    return resize(NEAREST / jnp.maximum(depth, NEAREST), size, method="linear")


def empty_maps(
    network: Params,
    teacher: Params,
    forward: Callable[[Params, Array], monodepth.DepthOutputs],
) -> dict[str, Any]:
    """Maps for `hints` that are zero.

    Args:
        network: the student's params.
        teacher: see `load_teacher`.
        forward: ``forward(network, image)``, of the student.
    """

    def shapes(network, teacher, image):
        mine = _named(forward(network, image))
        return mine, targets(fast_depth.forward(teacher, image), mine)

    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    mine, wanted = jax.eval_shape(shapes, network, teacher, image)
    return {
        name: {
            "kernel": jnp.zeros((mine[name].shape[-1], wanted[name].shape[-1])),
            "bias": jnp.zeros(wanted[name].shape[-1]),
        }
        for name in mine
    }


def fit_maps(
    look: Callable[[Array], monodepth.DepthOutputs],
    teach: Callable[[Array], fast_depth.DepthOutputs],
    examples: Iterable[np.ndarray],
) -> dict[str, Any]:
    """Maps for `hints` that fit best, see `solve_maps`.

    Args:
        look: from a batch of examples to the student's outputs.
        teach: to the teacher's outputs.
        examples: uint8 batches.
    """

    @jax.jit
    def mine(example: Array) -> dict[str, Array]:
        return _named(look(example))

    @jax.jit
    def wanted(example: Array) -> dict[str, Array]:
        # Of the student's features only the shapes matter, so none is computed.
        return targets(teach(example), _named(look(example)))

    return solve_maps(mine, wanted, examples)


def hints(
    maps: Params, student: monodepth.DepthOutputs, teacher: fast_depth.DepthOutputs
) -> Array:
    """The part of the teacher's features' variance that the maps leave unexplained.

    Args:
        maps: linear ones from the student's taught features to the teacher's,
            ``{name: {"kernel": [C, D], "bias": [D]}}``; names as `empty_maps` has them.
        student: the student's outputs for its view.
        teacher: the teacher's outputs for the same, or for the view unpainted.

    Returns:
        The mean over the taught features, a scalar.
    """
    mine = _named(student)
    wanted = targets(teacher, mine)
    terms = [
        hint_loss(linear_map, mine[name], wanted[name], rectified=True)
        for name, linear_map in maps.items()
    ]
    return reduce(operator.add, terms) / len(terms)


def targets(
    teacher: fast_depth.DepthOutputs, mine: Mapping[str, Array]
) -> dict[str, Array]:
    """The teacher's features under the names of the student's, averaged to the sizes.

    Args:
        teacher: its outputs.
        mine: the student's taught features.
    """
    found = _named(teacher)
    return {
        name: resize(found[name], size_of(feature), method="linear")
        for name, feature in mine.items()
    }


def _named(
    outputs: monodepth.DepthOutputs | fast_depth.DepthOutputs,
) -> dict[str, Array]:
    return {f"encoder{i}": outputs.encoder[i] for i in _STAGES} | {
        f"decoder{i}": outputs.decoder[i] for i in _LEVELS
    }
