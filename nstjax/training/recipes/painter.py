"""Training a painter (`nstjax.models.painter`) on a large VGG's features.

The style is compared by Gram matrices (its marks), by means and deviations, and by its
colours; the content is compared after instance normalisation, so that the result is not
bound to the content's palette.

References:
    Gatys et al., 2015, https://arxiv.org/abs/1508.06576 (Gram matrices);
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868 (means and deviations);
    "Style Transfer: Laplacian, Depth loss and AdaIN" (Laplacian and depth).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.losses import table
from nstjax.losses.artifacts import CHECKERBOARD_BLOCK
from nstjax.losses.base import Picture
from nstjax.models import painter, vgg
from nstjax.models.depth import disparity
from nstjax.models.painter import PainterSpec
from nstjax.ops.laplacian import LEAST_CELLS
from nstjax.ops.stats import Statistics, channel_mean_std
from nstjax.training.recipes.decoding import (
    check_weights,
    side_by_side,
    weighted_sum,
)
from nstjax.training.recipes.initial import begin_from_initial, teacher_notes
from nstjax.training.sources import by_texture, content_and_style
from nstjax.training.task import Task, to_unit
from nstjax.transforms.adain import adain
from nstjax.types import Array, Features
from nstjax.weights.pretrained import load_depth, load_encoder


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/painter.py`` describes.

    Raises:
        NstjaxError: if pictures or networks are missing, or an option is impossible.
    """
    _check(config)
    judges = [load_encoder(name) for name in config.loss_encoders]
    compared = []
    for judge in judges:
        features, terms = by_features(make_terms(config, judge.metadata.kind))
        layers = table.layers_needed(features, content=True, style=True)
        vgg.check_layers(layers, judge.spec)
        compared.append(features)
    spec = PainterSpec(
        encoder_widths=tuple(config.encoder_widths),
        decoder_widths=tuple(config.decoder_widths),
        style_width=config.style_width,
    )
    frozen: dict[str, Any] = {"judges": [judge.params for judge in judges]}
    depth = load_depth(config.depth_model) if table.needs_depth(terms) else None
    if depth is not None:
        frozen["depth"] = depth.params
    training, validation = content_and_style(config, style_prefix="style_")
    training["style"] = by_texture(
        training["style"], config.style_texture_bounds, threads=config.threads
    )

    def paint(
        params: Any, content: Array, style: Array, *, compute_dtype: str | None = None
    ) -> Array:
        options: dict[str, Any] = {"spec": spec, "compute_dtype": compute_dtype}
        wanted = statistics(painter.encode(params, style, **options))
        restyled = {
            level: adain(value, wanted[level], eps=painter.EPS)
            for level, value in painter.encode(params, content, **options).items()
        }
        return painter.decode(params, restyled, [wanted], **options)

    def with_features(
        frozen: Any, number: int, image: Array, **needed: bool
    ) -> Picture:
        """Pictures with the features that a loss network compares."""
        layers = table.layers_needed(compared[number], **needed)
        features = vgg.features(
            frozen["judges"][number],
            image,
            layers,
            spec=judges[number].spec,
            compute_dtype=config.loss_dtype,
        )
        return Picture(image, features)

    def with_depth(frozen: Any, image: Array) -> Picture:
        if depth is None:
            return Picture(image, {})
        return Picture(image, {}, disparity(frozen["depth"], image, spec=depth.spec))

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        colours, drawn = jax.random.split(key)
        content = to_unit(batch["content"])
        style = _varied(to_unit(batch["style"]), colours, config)
        count = config.identity_pictures
        if count:
            style = jnp.concatenate([content[:count], style[count:]])
        image = paint(params, content, style, compute_dtype=config.compute_dtype)
        values = table.evaluate(
            terms,
            with_depth(frozen, image),
            with_depth(frozen, content),
            Picture(style, {}, key=drawn),
        )
        for number in range(len(judges)):
            part = [_share(x, number, len(judges)) for x in (image, content, style)]
            found = table.evaluate(
                compared[number],
                with_features(frozen, number, part[0], content=True, style=True),
                with_features(frozen, number, part[1], content=True),
                with_features(frozen, number, part[2], style=True),
            )
            for name, value in found.items():
                values[name] = values.get(name, 0.0) + value / len(judges)
        if count:
            values["identity"] = jnp.square(image[:count] - content[:count]).mean()
        return weighted_sum(config, values), values

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Content, style and result, side by side."""
        del frozen
        content = to_unit(batch["content"])
        style = to_unit(batch["style"])
        return side_by_side(content, style, paint(params, content, style))

    def export(params: Any, recipe: str):
        notes = {
            "transform": "adain",
            "loss_encoders": [teacher_notes(judge.metadata) for judge in judges],
            "eps": painter.EPS,
        }
        return params, WeightsMetadata(
            kind="painter",
            name=config.name,
            spec=spec.to_dict(),
            source="trained by nstjax",
            licence="Apache-2.0",
            recipe=recipe,
            notes=notes if depth is None else notes | {"depth_sha256": depth.sha256},
        )

    return Task(
        init=lambda key: painter.init_params(key, spec),
        begin=begin_from_initial(config, kind="painter", spec=spec),
        frozen=frozen,
        loss=loss,
        training=training,
        validation=validation,
        sample=sample,
        export=export,
    )


def statistics(features: Features) -> dict[str, Statistics]:
    """The statistics of a style that the painter uses, by level."""
    return {
        level: channel_mean_std(value, eps=painter.EPS)
        for level, value in features.items()
    }


def make_terms(config: ConfigDict, kind: str = "vgg19") -> tuple[table.Term, ...]:
    """The terms of a config, except "identity", which the recipe adds.

    "content" is compared after instance normalisation.

    Args:
        config: a training config.
        kind: the kind of network whose features they compare, which decides the layers.
    """
    bounded = {"style_normalisation": "bounded", "normalisation": "bounded"}
    options = {**config, **config[kind], **bounded}
    return table.make_terms(options, called={"normalised_content": "content"})


def by_features(
    terms: Iterable[table.Term],
) -> tuple[tuple[table.Term, ...], tuple[table.Term, ...]]:
    """Splits terms into those that compare a network's features and the others."""
    parts: tuple[list[table.Term], list[table.Term]] = [], []
    for term in terms:
        compares = bool(table.layers_needed([term], content=True, style=True))
        parts[not compares].append(term)
    return tuple(parts[0]), tuple(parts[1])


def _share(batch: Array, number: int, count: int) -> Array:
    """One of `count` parts of a batch, with pictures from every device."""
    return batch.reshape(-1, count, *batch.shape[1:])[:, number]


def _varied(style: Array, key: Array, config: ConfigDict) -> Array:
    """Styles, some of which are made grey or get their colours exchanged."""
    choose, order = jax.random.split(key)
    chance = jax.random.uniform(choose, (len(style), 1, 1, 1))
    grey = style.mean(axis=3, keepdims=True)
    exchanged = jax.random.permutation(order, style, axis=3)
    style = jnp.where(chance < config.exchanged_share, exchanged, style)
    return jnp.where(chance > 1 - config.grey_share, grey, style)


def _check(config: ConfigDict) -> None:
    count = len(config.loss_encoders)
    if not count:
        raise NstjaxError(
            "a painter learns from a large VGG: fetch some with 'nstjax weights get "
            "vgg19 vgg16', and name them with --config.loss_encoders=\"('vgg19',)\""
        )
    if config.batch_size % count:
        raise NstjaxError(
            f"--config.batch_size must be a multiple of {count}, the number of "
            f"--config.loss_encoders, not {config.batch_size}"
        )
    if not 0 <= config.identity_pictures < config.batch_size:
        raise NstjaxError(
            "--config.identity_pictures must be from 0 to below the batch size, "
            f"not {config.identity_pictures}"
        )
    bounds = tuple(config.style_texture_bounds)
    if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
        raise NstjaxError(
            "--config.style_texture_bounds must be two numbers above 0, the smaller "
            f"one first, not {bounds}"
        )
    size, style_size = config.crop_size, config.style_crop_size
    if size != style_size or size % CHECKERBOARD_BLOCK:
        raise NstjaxError(
            "--config.crop_size and --config.style_crop_size must be the same multiple "
            f"of {CHECKERBOARD_BLOCK}, not {size} and {style_size}"
        )
    # Whatever the term's weight, so that the first stage refuses it, not a later one.
    pool = max(config.lap_pools, default=1)
    if size < LEAST_CELLS * pool:
        raise NstjaxError(
            f"a Laplacian at pool {pool} needs a crop of {LEAST_CELLS * pool} pixels "
            f"or more, not {size}; change --config.crop_size or --config.lap_pools"
        )
    check_weights(config, ("identity",))
