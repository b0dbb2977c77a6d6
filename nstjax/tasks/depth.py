"""Training a depth network on photos with maps of pseudo-disparity.

References:
    Ranftl et al., 2019, https://arxiv.org/abs/1907.01341 (the losses).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.datasets import Stream, split_source
from nstjax.io.pairs import PairSource, Repainting, View, pair_loader
from nstjax.io.weights import WeightsMetadata
from nstjax.losses.depth import (
    gradient_matching_loss,
    rank_correlation,
    scale_shift_invariant_loss,
)
from nstjax.models import monodepth
from nstjax.ops.resample import resize
from nstjax.tasks.initial import begin_from_initial
from nstjax.tasks.sources import style_source
from nstjax.tasks.task import Task, to_unit
from nstjax.types import Array, Params


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/depth_slim.py`` describes.

    Raises:
        NstjaxError: for missing pictures or labels, or impossible options.
    """
    _check(config)
    spec = monodepth.MonodepthSpec(
        block=config.block,
        layers=config.layers,
        stem_width=config.stem_width,
        widths=config.widths,
        decoder_widths=config.decoder_widths,
        scales=config.scales,
        input_size=config.input_size,
    )
    source = PairSource(config.content, config.labels, config.painted)
    training, validation = split_source(source, every=config.validation_every_nth)
    styles = style_source(config) if config.transfer_share else None
    view = View(spec.input_size, config.least_share, flip=True)
    repainting = Repainting(
        config.jitter, config.painted_share, config.transfer_share, styles
    )
    load = pair_loader(view, repainting)

    def init(key: Array) -> Any:
        return monodepth.init_params(key, spec)

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        del frozen, key
        # Held-out pairs come under a name of their own, since only they are
        # worth the sorting that the rank correlation takes.
        held_out = "held_out" in batch
        example = batch["held_out" if held_out else "pair"]
        dtype = jax.tree.leaves(params)[0].dtype
        image, label = (
            to_unit(example[..., :3], dtype),
            to_unit(example[..., 3:], dtype),
        )
        found = monodepth.disparities(params, image, spec=spec)
        found = {s: x.astype(jnp.float32) for s, x in found.items()}
        labels = {
            s: resize(label.astype(jnp.float32), x.shape[1:3], method="linear")
            for s, x in found.items()
        }
        finest = spec.scales[0]
        terms = {
            "invariant": sum(
                scale_shift_invariant_loss(found[s], labels[s]) for s in spec.scales
            )
            / len(spec.scales),
            "gradient": gradient_matching_loss(
                found[finest], labels[finest], levels=config.gradient_levels
            ),
            "absolute": jnp.abs(found[finest] - labels[finest]).mean(),
        }
        total = sum(config[f"{name}_weight"] * term for name, term in terms.items())
        if held_out:
            terms["spearman"] = rank_correlation(found[finest], labels[finest])
        return total, terms

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Photo, label and the network's disparity side by side."""
        del frozen
        image = to_unit(batch["held_out"][..., :3], jnp.float32)
        label = to_unit(batch["held_out"][..., 3:], jnp.float32)
        maps = [label, monodepth.disparity(params, image, spec=spec)]
        return jnp.concatenate([image, *(jnp.tile(x, (1, 1, 1, 3)) for x in maps)], 2)

    def export(params: Params, recipe: str):
        metadata = WeightsMetadata(
            kind="depth",
            name=config.name,
            spec=spec.to_dict(),
            source="trained by nstjax on photos with pseudo-disparities",
            licence="Apache-2.0",
            recipe=recipe,
            notes={"photos": len(training), "painted_versions": source.painted},
        )
        return jax.tree.map(np.asarray, params), metadata

    return Task(
        init=init,
        begin=begin_from_initial(config, kind="depth", spec=spec),
        frozen={},
        loss=loss,
        training={"pair": Stream(training, load)},
        validation={"held_out": Stream(validation, load)},
        sample=sample,
        export=export,
    )


def _check(config: ConfigDict) -> None:
    if config.data != "folders":
        raise NstjaxError(
            "the package ships no labelled photos, so that a depth network can only "
            "be trained with --config.data=folders"
        )
    for name, what in (("content", "photos"), ("labels", "their disparity maps")):
        if not config[name]:
            raise NstjaxError(f"no {what}: give --config.{name}=FOLDER")
    for name in ("painted_share", "transfer_share"):
        if not 0 <= config[name] <= 1:
            raise NstjaxError(
                f"--config.{name} must be from 0 to 1, not {config[name]}"
            )
    for name in ("invariant", "gradient", "absolute"):
        if not config[f"{name}_weight"] >= 0:
            raise NstjaxError(
                f"--config.{name}_weight must be 0 or more, "
                f"not {config[f'{name}_weight']}"
            )
    if not (config.jitter >= 0 and config.gradient_levels >= 1):
        raise NstjaxError(
            "--config.jitter must be 0 or more and --config.gradient_levels 1 or more"
        )
