"""Training a painter, `nstjax.models.painter`, against a large VGG's features.

The style is compared by Gram matrices (its marks), by means and deviations, and by
its colours; the content after instance normalisation, so that it does not hold to the
content's palette.

References:
    Gatys et al., 2015, https://arxiv.org/abs/1508.06576 (Gram matrices);
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868 (means and deviations);
    "Style Transfer: Laplacian, Depth loss and AdaIN" (Laplacian and depth).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.datasets import Stream, picture_loader, split_source
from nstjax.io.weights import WeightsMetadata
from nstjax.losses.adain import adain_style_loss
from nstjax.losses.artifacts import CHECKERBOARD_BLOCK
from nstjax.losses.depth import DEPTH_NORMS, depth_loss
from nstjax.losses.gatys import style_loss
from nstjax.losses.laplacian import laplacian_loss, laplacian_targets
from nstjax.losses.palette import fringe_loss, palette_loss
from nstjax.losses.table import PICTURE_LOSSES
from nstjax.losses.variation import total_variation_loss
from nstjax.models import painter, vgg
from nstjax.models.depth import disparity
from nstjax.models.painter import PainterSpec
from nstjax.ops.stats import Statistics, channel_mean_std, gram_matrix
from nstjax.training.recipes.adain import picture_terms
from nstjax.training.recipes.decoding import check_weights
from nstjax.training.recipes.initial import begin_from_initial, teacher_notes
from nstjax.training.sources import content_source, make_crop, style_source
from nstjax.training.task import Task, to_unit
from nstjax.transforms.adain import EPS, adain
from nstjax.types import Array, Features
from nstjax.weights.pretrained import load_depth, load_encoder

_TERMS = (
    "content",
    "gram",
    "moments",
    "palette",
    "fringe",
    "identity",
    "tv",
    "lap",
    "depth",
)
# Least deviation that a channel is divided by in `_instance_normalised`, as a share of
# the mean one: channels that hardly fire would count like all others.
_LEAST_DEVIATION = 0.1


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/painter.py`` describes.

    Raises:
        NstjaxError: for missing pictures or networks, or impossible options.
    """
    _check(config)
    judge = load_encoder(config.loss_encoder)
    content_layers = dict(config.content_layers)
    style_layers = tuple(config.style_layers)
    layers = tuple(dict.fromkeys((*content_layers, *style_layers)))
    vgg.check_layers(layers, judge.spec)
    spec = PainterSpec(
        encoder_widths=tuple(config.encoder_widths),
        trunk_blocks=config.trunk_blocks,
        decoder_widths=tuple(config.decoder_widths),
        style_width=config.style_width,
    )
    frozen = {"judge": judge.params}
    depth = load_depth(config.depth_model) if config.depth_weight else None
    if depth is not None:
        frozen["depth"] = depth.params
    contents = split_source(content_source(config), every=config.validation_every_nth)
    styles = split_source(style_source(config), every=config.validation_every_nth)
    load_content = picture_loader(make_crop(config))
    load_style = picture_loader(make_crop(config, prefix="style_"))
    streams = [
        {"content": Stream(content, load_content), "style": Stream(style, load_style)}
        for content, style in zip(contents, styles, strict=True)
    ]

    def paint(params: Any, content: Array, style: Array) -> Array:
        wanted = statistics(painter.encode(params, style, spec=spec))
        restyled = {
            level: adain(value, wanted[level], eps=painter.EPS)
            for level, value in painter.encode(params, content, spec=spec).items()
        }
        return painter.decode(params, restyled, [wanted], spec=spec)

    def look(frozen: Any, image: Array) -> Features:
        found = vgg.features(
            frozen["judge"],
            image,
            layers,
            spec=judge.spec,
            compute_dtype=config.loss_dtype,
        )
        return {layer: value.astype(jnp.float32) for layer, value in found.items()}

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        colours, drawn = jax.random.split(key)
        content = to_unit(batch["content"], jnp.float32)
        style = _varied(to_unit(batch["style"], jnp.float32), colours, config)
        count = config.identity_pictures
        if count:
            style = jnp.concatenate([content[:count], style[count:]])
        image = paint(params, content, style)
        seen = look(frozen, image)
        of_content, of_style = jax.lax.stop_gradient(
            (look(frozen, content), look(frozen, style))
        )
        marks = {layer: seen[layer] for layer in style_layers}
        terms = {
            "content": _content_loss(seen, of_content, content_layers),
            "gram": sum(
                style_loss(
                    gram_matrix(seen[layer], normalisation="hw"),
                    gram_matrix(of_style[layer], normalisation="hw"),
                    normalisation="relative",
                )
                for layer in style_layers
            )
            / len(style_layers),
            "moments": adain_style_loss(
                marks,
                {
                    layer: channel_mean_std(of_style[layer], eps=EPS)
                    for layer in style_layers
                },
                normalisation="relative",
                eps=EPS,
            ),
            "palette": palette_loss(image, style, key=drawn),
        }
        if config.fringe_weight:
            terms["fringe"] = fringe_loss(image, style)
        terms |= picture_terms(image, content, style, config=config)
        if count:
            terms["identity"] = jnp.square(image[:count] - content[:count]).mean()
        if config.tv_weight:
            terms["tv"] = total_variation_loss(image, kind="mean_squares")
        if config.lap_weight:
            pools, channels = config.lap_pools, config.lap_channels
            terms["lap"] = laplacian_loss(
                image,
                laplacian_targets(content, pools=pools, channels=channels),
                pools=pools,
                weights=config.lap_pool_weights,
                channels=channels,
                reduction=config.lap_reduction,
            )
        if depth is not None:
            maps = (
                disparity(frozen["depth"], x, spec=depth.spec) for x in (image, content)
            )
            terms["depth"] = depth_loss(*maps, norm=config.depth_norm)
        return sum(config[f"{name}_weight"] * term for name, term in terms.items()), (
            terms
        )

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Content, style and result side by side."""
        del frozen
        content = to_unit(batch["content"], jnp.float32)
        style = to_unit(batch["style"], jnp.float32)
        image = paint(params, content, style)
        small = jax.image.resize(style, content.shape, "linear")
        return jnp.clip(jnp.concatenate([content, small, image], axis=2), 0, 1)

    def export(params: Any, recipe: str):
        notes = {
            "transform": "adain",
            "loss_encoder": teacher_notes(judge.metadata),
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
        training=streams[0],
        validation=streams[1],
        sample=sample,
        export=export,
    )


def statistics(features: Features) -> dict[str, Statistics]:
    """What the painter takes of a style, by level."""
    return {
        level: channel_mean_std(value, eps=painter.EPS)
        for level, value in features.items()
    }


def _content_loss(
    features: Features, target: Features, weights: Mapping[str, float]
) -> Array:
    """Mean squared distance of instance-normalised features, weighed by layer."""
    distances = [
        jnp.square(
            _instance_normalised(features[layer]) - _instance_normalised(target[layer])
        ).mean()
        for layer in weights
    ]
    return jnp.average(jnp.stack(distances), weights=jnp.array([*weights.values()]))


def _instance_normalised(features: Array) -> Array:
    mean, std = channel_mean_std(features, eps=EPS)
    floor = _LEAST_DEVIATION * jax.lax.stop_gradient(std).mean(axis=3, keepdims=True)
    return (features - mean) / jnp.sqrt(jnp.square(std) + jnp.square(floor))


def _varied(style: Array, key: Array, config: ConfigDict) -> Array:
    """Styles, some of them grey or with their colours exchanged."""
    choose, order = jax.random.split(key)
    chance = jax.random.uniform(choose, (len(style), 1, 1, 1))
    grey = style.mean(axis=3, keepdims=True)
    exchanged = jax.random.permutation(order, style, axis=3)
    style = jnp.where(chance < config.exchanged_share, exchanged, style)
    return jnp.where(chance > 1 - config.grey_share, grey, style)


def _check(config: ConfigDict) -> None:
    if not config.loss_encoder:
        raise NstjaxError(
            "a painter learns from a large VGG-19: fetch it with 'nstjax weights get "
            "vgg19', and name it with --config.loss_encoder=vgg19"
        )
    if not 0 <= config.identity_pictures < config.batch_size:
        raise NstjaxError(
            "--config.identity_pictures must be from 0 to below the batch size, "
            f"not {config.identity_pictures}"
        )
    size, style_size = config.crop_size, config.style_crop_size
    if size != style_size or size % CHECKERBOARD_BLOCK:
        raise NstjaxError(
            "--config.crop_size and --config.style_crop_size must be the same multiple "
            f"of {CHECKERBOARD_BLOCK}, not {size} and {style_size}"
        )
    if config.depth_norm not in DEPTH_NORMS:
        raise NstjaxError(
            f"--config.depth_norm must be one of {', '.join(DEPTH_NORMS)}, "
            f"not {config.depth_norm!r}"
        )
    check_weights(config, (*_TERMS, *PICTURE_LOSSES))
