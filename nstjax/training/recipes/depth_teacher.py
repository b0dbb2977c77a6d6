"""A teacher of depth networks, which labels every view and provides hints.

A depth network's output for part of a picture differs from that part of its output for
the whole picture, so labels made in advance are valid for whole pictures only. A
teacher that is applied to each training view provides a label for any view.
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

# The depth, in metres, that has the disparity 1, as have smaller depths. A thousandth
# of a FastDepth's depths of photos is smaller.
NEAREST = 0.75
# The features that are taught: the encoder's by stage and the decoder's by level.
_STAGES = (1, 2, 3, 4)
_LEVELS = (4, 3)


def load_teacher(path: str | Path) -> tuple[Params, WeightsMetadata]:
    """Loads a converted FastDepth and its metadata.

    Raises:
        NstjaxError: if the file is missing or holds another network.
    """
    network = load_depth(path)
    if not isinstance(network.spec, fast_depth.FastDepthSpec):
        raise NstjaxError(
            f"{path} holds {network.metadata.name}, which is not a FastDepth and "
            "cannot teach depth; convert one with 'nstjax convert fast_depth'"
        )
    return network.params, network.metadata


def label(depth: Array, size: tuple[int, int]) -> Array:
    """A training target from depths: the disparity, larger where nearer.

    It is not stretched to each map's own range. A network trained on stretched maps
    cannot tell how deep a scene is, and a painting is flatter than its photo: as a
    loss, it would accept the right order of objects in an almost flat picture.

    Args:
        depth: depths in metres, [B, H, W, 1].
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
    """Zero maps for `hints`.

    Args:
        network: the student's params.
        teacher: see `load_teacher`.
        forward: the student's ``forward(network, image)``.
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
    """The best-fitting maps for `hints`, see `solve_maps`.

    Args:
        look: maps a batch of examples to the student's outputs.
        teach: maps it to the teacher's outputs.
        examples: uint8 batches.
    """

    @jax.jit
    def mine(example: Array) -> dict[str, Array]:
        return _named(look(example))

    @jax.jit
    def wanted(example: Array) -> dict[str, Array]:
        # Only the shapes of the student's features matter, so they are not computed.
        return targets(teach(example), _named(look(example)))

    return solve_maps(mine, wanted, examples)


def hints(
    maps: Params, student: monodepth.DepthOutputs, teacher: fast_depth.DepthOutputs
) -> Array:
    """The part of the variance of the teacher's features that the maps do not explain.

    Args:
        maps: linear maps from the student's taught features to the teacher's,
            ``{name: {"kernel": [C, D], "bias": [D]}}``, with the names of `empty_maps`.
        student: the student's outputs for its view.
        teacher: the teacher's outputs for the same view, or for the unpainted view.

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
    """The teacher's features with the names of the student's, averaged to their sizes.

    Args:
        teacher: the teacher's outputs.
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
