"""Training the first stages of a depth network's encoder, by hints alone.

A network that begins at random learns slowly when all of it learns at once: the
later stages follow features that are still moving. Here they follow features that
have been learnt, and as a feature depends on its surroundings only, small parts of
pictures do. An example for the first stage costs a sixth of one for the network.

References:
    Romero et al., 2014, https://arxiv.org/abs/1412.6550 (hints, in stages).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.datasets import Stream, split_source
from nstjax.io.pairs import View, view_loader
from nstjax.io.weights import WeightsMetadata
from nstjax.models import batch_norm, fast_depth, monodepth
from nstjax.tasks.depth_network import (
    STAGES_KIND,
    calibration_batches,
    first_stages,
    freeze,
    initial_network,
    make_moments,
    network_spec,
    stages_spec,
)
from nstjax.tasks.depth_teacher import empty_maps, fit_maps, hints, load_teacher
from nstjax.tasks.initial import teacher_notes
from nstjax.tasks.sources import pictures_of
from nstjax.tasks.task import Task, to_unit
from nstjax.types import Array, Params


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/depth_stages.py`` describes.

    Raises:
        NstjaxError: for missing pictures or a missing teacher, or impossible
            options.
    """
    _check(config)
    spec, stages = network_spec(config), config.stages
    teacher, about = load_teacher(config.teacher)
    pictures, held_out = split_source(
        pictures_of(config), every=config.validation_every_nth
    )
    # Things are as large as in the views of depth_slim, which the teacher looks at.
    share = config.part_size / fast_depth.SIZE
    view = View((config.part_size,) * 2, config.least_share * share, share, flip=True)
    training = Stream(pictures, view_loader(view, jitter=config.jitter))
    see = partial(monodepth.see, spec=spec, normalise=True)

    def init(key: Array) -> Any:
        network = monodepth.init_params(key, spec, normalise=True)
        maps = empty_maps(network, teacher, see, stages=stages)
        return {"network": network, "maps": maps}

    def begin(params: Any) -> Any:
        network = params["network"]
        if config.initial:
            network = initial_network(config, spec, network, moments)
        maps = fit_maps(
            lambda example: see(network, to_unit(example, jnp.float32)),
            lambda example: fast_depth.see(
                teacher, to_unit(example, jnp.float32), resized=False
            ),
            examples(),
            stages=stages,
        )
        return {"network": network, "maps": maps}

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        del key
        (picture,) = batch.values()
        image = to_unit(picture, jax.tree.leaves(params)[0].dtype)
        looked_at = fast_depth.see(frozen["teacher"], image, resized=False)
        network = freeze(params["network"], config.frozen_stages)
        hint = hints(params["maps"], see(network, image), looked_at)
        return hint, {"hint": hint}

    def export(params: Params, recipe: str):
        network = params["network"]
        encoder = first_stages(network["encoder"], stages)
        folded = batch_norm.fold(encoder, moments(network, normalise=True))
        metadata = WeightsMetadata(
            kind=STAGES_KIND,
            name=config.name,
            spec=stages_spec(spec, stages),
            source="trained by nstjax to imitate a FastDepth",
            licence="Apache-2.0",
            recipe=recipe,
            notes={
                "pictures": len(pictures),
                "teachers": {"teacher": teacher_notes(about)},
            },
        )
        return {"encoder": jax.tree.map(np.asarray, folded)}, metadata

    # Not of parts: without a random cut they would be whole pictures made small.
    whole = View((fast_depth.SIZE,) * 2)
    examples = partial(
        calibration_batches, Stream(pictures, view_loader(whole)), config.batch_size
    )
    moments = make_moments(spec, examples)
    return Task(
        init=init,
        begin=begin,
        frozen={"teacher": teacher},
        loss=loss,
        training={"picture": training},
        validation={"held_out": Stream(held_out, view_loader(whole))},
        sample=None,
        export=export,
    )


def _check(config: ConfigDict) -> None:
    if not config.teacher:
        raise NstjaxError(
            "stages are taught by a FastDepth: give --config.teacher=FILE (convert one "
            "with 'python -m converters.fast_depth')"
        )
    if config.stages not in (1, 2, 3, 4):
        raise NstjaxError(
            f"--config.stages must be 1, 2, 3 or 4, not {config.stages}: an encoder "
            "has four stages"
        )
    if config.frozen_stages not in range(config.stages):
        raise NstjaxError(
            "--config.frozen_stages must be 0 or more and less than the "
            f"{config.stages} that are trained, not {config.frozen_stages}"
        )
    if not config.jitter >= 0:
        raise NstjaxError(f"--config.jitter must be 0 or more, not {config.jitter}")
    if config.part_size > fast_depth.SIZE:
        raise NstjaxError(
            f"--config.part_size must be {fast_depth.SIZE} or less, not "
            f"{config.part_size}"
        )
    monodepth.check_size((config.part_size,) * 2)
