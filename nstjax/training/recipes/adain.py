"""Training a decoder for AdaIN, with any of the extra terms.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868;
    "Style Transfer: Laplacian, Depth loss and AdaIN" for the terms of Laplacian
    and depth.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.datasets import Stream, picture_loader, split_source
from nstjax.losses.adain import (
    ADAIN_NORMALISATIONS,
    adain_content_loss,
    adain_style_loss,
)
from nstjax.losses.artifacts import CHECKERBOARD_BLOCK
from nstjax.losses.depth import DEPTH_NORMS, depth_loss
from nstjax.losses.laplacian import laplacian_loss, laplacian_targets
from nstjax.losses.table import PICTURE_LOSSES
from nstjax.losses.variation import total_variation_loss
from nstjax.models import decoders, vgg
from nstjax.models.depth import disparity
from nstjax.ops.stats import Statistics, channel_mean_std
from nstjax.training.recipes.decoding import (
    check_weights,
    decoder_metadata,
    decoder_spec,
)
from nstjax.training.recipes.initial import begin_from_initial
from nstjax.training.sources import content_source, make_crop, style_source
from nstjax.training.task import Task, to_unit
from nstjax.transforms.adain import adain
from nstjax.types import Array
from nstjax.weights.pretrained import load_depth, load_encoder

_TERMS = (
    "content",
    "style",
    "identity",
    "tv",
    "lap",
    "depth",
)


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/adain.py`` and the like describe.

    Raises:
        NstjaxError: for missing pictures or networks, or impossible options.
    """
    _check(config)
    encoder = load_encoder(config.encoder)
    judge = load_encoder(config.loss_encoder) if config.loss_encoder else None
    layers = tuple(config.style_layers)
    vgg.check_layers(layers, (judge or encoder).spec)
    spec = decoder_spec(config, encoder.spec)
    normalisation, eps, ddof = config.normalisation, config.eps, config.ddof
    frozen = {"encoder": encoder.params}
    if judge is not None:
        frozen["judge"] = judge.params
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

    def init(key: Array) -> Any:
        params = decoders.init_params(key, spec)
        # Begins with grey pictures: losses of random ones are astronomic.
        last = params["conv1_1"]
        grey = 0.5 if spec.output_map == "unit" else 0.0
        params["conv1_1"] = {
            "kernel": 0.1 * last["kernel"],
            "bias": jnp.full_like(last["bias"], grey),
        }
        return params

    def transformed(frozen: Any, image: Array) -> Array:
        """The features that AdaIN transforms."""
        return vgg.features(
            frozen["encoder"], image, (config.layer,), spec=encoder.spec
        )[config.layer]

    def encode(frozen: Any, image: Array) -> tuple[Array, dict[str, Array]]:
        """The features to transform, and those whose statistics are compared."""
        if judge is not None:
            return transformed(frozen, image), vgg.features(
                frozen["judge"], image, layers, spec=judge.spec
            )
        features = vgg.features(
            frozen["encoder"], image, (config.layer, *layers), spec=encoder.spec
        )
        return features[config.layer], {layer: features[layer] for layer in layers}

    def statistics(features: Mapping[str, Array]) -> dict[str, Statistics]:
        return {
            layer: channel_mean_std(value.astype(jnp.float32), eps=eps, ddof=ddof)
            for layer, value in features.items()
        }

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        del key
        dtype = params["conv1_1"]["kernel"].dtype
        content = to_unit(batch["content"], dtype)
        style = to_unit(batch["style"], dtype)
        # The first pictures of a batch are to be painted in their own style,
        # which is to change nothing.
        count = config.identity_pictures
        if count:
            style = jnp.concatenate([content[:count], style[count:]])
        content_features = transformed(frozen, content)
        style_features, style_layers = encode(frozen, style)
        target = jax.lax.stop_gradient(
            adain(
                content_features,
                statistics({config.layer: style_features})[config.layer],
                eps=eps,
                ddof=ddof,
            )
        ).astype(dtype)
        image = decoders.decode(params, target, spec=spec)
        image_features, image_layers = encode(frozen, image)
        terms = {
            "content": adain_content_loss(
                image_features, target, normalisation=normalisation
            ),
            "style": adain_style_loss(
                image_layers,
                jax.lax.stop_gradient(statistics(style_layers)),
                normalisation=normalisation,
                eps=eps,
                ddof=ddof,
            ),
        }
        image = image.astype(jnp.float32)
        if count:
            terms["identity"] = jnp.square(image[:count] - content[:count]).mean()
        terms |= picture_terms(image, content, style, config=config)
        if config.tv_weight:
            terms["tv"] = total_variation_loss(image, kind="mean_squares")
        if config.lap_weight:
            pools, channels = config.lap_pools, config.lap_channels
            terms["lap"] = laplacian_loss(
                image,
                laplacian_targets(
                    content.astype(jnp.float32), pools=pools, channels=channels
                ),
                pools=pools,
                weights=config.lap_pool_weights,
                channels=channels,
                reduction=config.lap_reduction,
            )
        if depth is not None:
            maps = (
                disparity(frozen["depth"], x.astype(dtype), spec=depth.spec)
                for x in (image, content)
            )
            found, wanted_map = (x.astype(jnp.float32) for x in maps)
            terms["depth"] = depth_loss(found, wanted_map, norm=config.depth_norm)
        return sum(config[f"{name}_weight"] * term for name, term in terms.items()), (
            terms
        )

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Content, style and result side by side."""
        content = to_unit(batch["content"], jnp.float32)
        style = to_unit(batch["style"], jnp.float32)
        content_features = transformed(frozen, content)
        style_features = transformed(frozen, style)
        target = adain(
            content_features,
            channel_mean_std(style_features, eps=eps, ddof=ddof),
            eps=eps,
            ddof=ddof,
        )
        image = decoders.decode(params, target, spec=spec)
        small = jax.image.resize(style, content.shape, "linear")
        return jnp.clip(jnp.concatenate([content, small, image], axis=2), 0, 1)

    def export(params: Any, recipe: str):
        metadata = decoder_metadata(
            config,
            spec,
            encoder,
            recipe=recipe,
            transform="adain",
            eps=eps,
            ddof=ddof,
            **({} if depth is None else {"depth_sha256": depth.sha256}),
        )
        return params, metadata

    return Task(
        init=init,
        begin=begin_from_initial(config, kind="decoder", spec=spec),
        frozen=frozen,
        loss=loss,
        training=streams[0],
        validation=streams[1],
        sample=sample,
        export=export,
    )


def picture_terms(
    image: Array, content: Array, style: Array, *, config: ConfigDict
) -> dict[str, Array]:
    """The terms of `nstjax.losses.table` that have a weight, unweighted.

    Args:
        image: results [B, H, W, 3], nominally in [0, 1].
        content, style: what they were painted from, [B, H, W, 3] in [0, 1].
        config: holds the weights.
    """
    return {
        name: term.loss(image, term.prepare(content, style))
        for name, term in PICTURE_LOSSES.items()
        if config[f"{name}_weight"]
    }


def _check(config: ConfigDict) -> None:
    if config.normalisation not in ADAIN_NORMALISATIONS:
        raise NstjaxError(
            f"--config.normalisation must be one of {', '.join(ADAIN_NORMALISATIONS)}, "
            f"not {config.normalisation!r}"
        )
    if not 0 <= config.identity_pictures < config.batch_size:
        raise NstjaxError(
            "--config.identity_pictures must be from 0 to below the batch size, "
            f"not {config.identity_pictures}"
        )
    if config.identity_pictures and config.crop_size != config.style_crop_size:
        raise NstjaxError(
            "with identity pictures, which take a style's place, --config.crop_size "
            f"and --config.style_crop_size must be equal, not {config.crop_size} and "
            f"{config.style_crop_size}"
        )
    if config.checkerboard_weight and config.crop_size < CHECKERBOARD_BLOCK:
        raise NstjaxError(
            "with --config.checkerboard_weight, --config.crop_size must be "
            f"{CHECKERBOARD_BLOCK} or more, not {config.crop_size}"
        )
    if config.depth_norm not in DEPTH_NORMS:
        raise NstjaxError(
            f"--config.depth_norm must be one of {', '.join(DEPTH_NORMS)}, "
            f"not {config.depth_norm!r}"
        )
    check_weights(config, (*_TERMS, *PICTURE_LOSSES))
