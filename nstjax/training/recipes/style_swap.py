"""Training an inverse network: a decoder for swapped features.

References:
    Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337, section 4;
    rtqichen/style-swap, ``train-vgg-decoder.lua``;
    irasin/Pytorch_Style_Swap, ``train.py``.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.losses.gatys import CONTENT_NORMALISATIONS, content_loss
from nstjax.losses.variation import TV_KINDS, total_variation_loss
from nstjax.models import decoders, vgg
from nstjax.ops.preprocess import to_network
from nstjax.training.recipes.decoding import (
    check_weights,
    decoder_metadata,
    decoder_spec,
    make_encode,
    weighted_sum,
)
from nstjax.training.recipes.initial import begin_from_initial
from nstjax.training.sources import content_and_style
from nstjax.training.task import Task, to_unit
from nstjax.transforms.style_swap import style_swap
from nstjax.types import Array
from nstjax.weights.pretrained import load_encoder

_TERMS = ("image", "feature", "swapped", "tv")


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/style_swap_net.py`` describes.

    The terms:

        image: mean squared error of reconstructed contents plus that of reconstructed
            styles, in the pixels of ``pixel_map``.
        feature: distance of their features from those that they were decoded from.
        swapped: the same for content features swapped for the style's.
        tv: total variation in the same pixels, averaged over all decoded pictures.

    Raises:
        NstjaxError: if pictures or networks are missing, or an option is impossible.
    """
    encoder = load_encoder(config.encoder)
    vgg.check_layers((config.layer,), encoder.spec)
    spec = decoder_spec(config, encoder.spec)
    _check(config, spec)
    frozen = {"encoder": encoder.params}
    training, validation = content_and_style(config)

    def init(key: Array) -> Any:
        return decoders.init_params(key, spec)

    encode = make_encode(config, encoder)

    def swap(content: Array, style: Array) -> Array:
        count = len(content)
        if config.all_pairs:
            content = content[np.repeat(np.arange(count), count)]
            style = style[np.tile(np.arange(count), count)]
        return style_swap(
            content, style, patch_size=config.patch_size, stride=config.stride
        )

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        del key
        dtype = {"compute_dtype": config.compute_dtype}
        content, style = (to_unit(batch[name]) for name in ("content", "style"))
        content_features, style_features = (
            encode(frozen, x, **dtype) for x in (content, style)
        )
        targets = {
            "content": content_features,
            "style": style_features,
            "swapped": swap(content_features, style_features),
        }
        targets = jax.lax.stop_gradient(targets)
        # All of them in a single pass.
        images = decoders.decode(
            params, jnp.concatenate(list(targets.values())), spec=spec, **dtype
        )
        seen = encode(frozen, images, **dtype)
        pixels = _pixels(images, config.pixel_map)
        variation = total_variation_loss(pixels, kind=config.tv_kind)
        ends = np.cumsum([len(target) for target in targets.values()])[:-1]
        decoded, features = (
            dict(zip(targets, jnp.split(x, ends), strict=True)) for x in (pixels, seen)
        )
        distances = {
            name: content_loss(
                features[name], target, normalisation=config.feature_normalisation
            )
            for name, target in targets.items()
        }
        terms = {
            "image": sum(
                jnp.square(decoded[name] - _pixels(picture, config.pixel_map)).mean()
                for name, picture in (("content", content), ("style", style))
            ),
            "feature": distances["content"] + distances["style"],
            "swapped": distances["swapped"],
            "tv": variation,
        }
        return weighted_sum(config, terms), terms

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Content, style, content swapped for the style, and reconstructed content."""
        content, style = (to_unit(batch[name]) for name in ("content", "style"))
        features = encode(frozen, content)
        swapped = style_swap(
            features,
            encode(frozen, style),
            patch_size=config.patch_size,
            stride=config.stride,
        )
        decoded = [decoders.decode(params, x, spec=spec) for x in (swapped, features)]
        return jnp.clip(jnp.concatenate([content, style, *decoded], axis=1), 0, 1)

    def export(params: Any, recipe: str):
        metadata = decoder_metadata(
            config,
            spec,
            encoder,
            recipe=recipe,
            transform="style_swap",
            patch_size=config.patch_size,
            stride=config.stride,
        )
        return params, metadata

    return Task(
        init=init,
        begin=begin_from_initial(config, kind="decoder", spec=spec),
        frozen=frozen,
        loss=loss,
        training=training,
        validation=validation,
        sample=sample,
        export=export,
    )


def _pixels(images: Array, pixel_map: str) -> Array:
    return images if pixel_map == "unit" else to_network(images, pixel_map)


def _check(config: ConfigDict, spec: decoders.DecoderSpec) -> None:
    for name, allowed in (
        ("feature_normalisation", CONTENT_NORMALISATIONS),
        ("tv_kind", TV_KINDS),
        ("pixel_map", decoders.OUTPUT_MAPS),
    ):
        if config[name] not in allowed:
            raise NstjaxError(
                f"--config.{name} must be one of {', '.join(allowed)}, "
                f"not {config[name]!r}"
            )
    check_weights(config, _TERMS)
    multiple = 2 ** len(spec.upsample_before)
    if config.crop_size % multiple or config.crop_size < multiple * config.patch_size:
        raise NstjaxError(
            f"--config.crop_size must be a multiple of {multiple} and hold a patch, so "
            f"{multiple * config.patch_size} or more, not {config.crop_size}"
        )
    if not 1 <= config.stride <= config.patch_size:
        raise NstjaxError(
            f"--config.stride must be from 1 to --config.patch_size "
            f"({config.patch_size}), not {config.stride}"
        )
