"""Training a decoder for AdaIN, optionally with further terms.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868;
    "Style Transfer: Laplacian, Depth loss and AdaIN" for the Laplacian and depth terms.
"""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.losses import table
from nstjax.losses.adain import adain_content_loss
from nstjax.losses.artifacts import CHECKERBOARD_BLOCK
from nstjax.losses.base import Picture
from nstjax.models import decoders, vgg
from nstjax.models.depth import disparity
from nstjax.ops.stats import channel_mean_std
from nstjax.precision import computed_in
from nstjax.training.recipes.decoding import (
    check_weights,
    decoder_metadata,
    decoder_spec,
    make_encode,
    side_by_side,
    weighted_sum,
)
from nstjax.training.recipes.initial import load_initial
from nstjax.training.sources import content_and_style
from nstjax.training.task import Task, to_unit
from nstjax.transforms.adain import adain
from nstjax.types import Array
from nstjax.weights.pretrained import Encoder, load_depth, load_encoder


def make_task(config: ConfigDict) -> Task:
    """Builds the training that ``configs/adain.py`` and similar configs describe.

    Raises:
        NstjaxError: if pictures or networks are missing, or an option is impossible.
    """
    _check(config)
    scale = config.feature_scale
    encoder = _load_scaled(config.encoder, scale)
    judge = _load_scaled(config.loss_encoder, scale) if config.loss_encoder else None
    terms = make_terms(config)
    vgg.check_layers(
        table.layers_needed(terms, content=True, style=True), (judge or encoder).spec
    )
    spec = decoder_spec(config, encoder.spec)
    normalisation, eps, ddof = config.normalisation, config.eps, config.ddof
    frozen = {"encoder": encoder.params}
    if judge is not None:
        frozen["judge"] = judge.params
    depth = load_depth(config.depth_model) if table.needs_depth(terms) else None
    if depth is not None:
        frozen["depth"] = depth.params
        see_depth = computed_in(
            config.compute_dtype, partial(disparity, spec=depth.spec)
        )
    training, validation = content_and_style(config, style_prefix="style_")
    # The features that AdaIN transforms.
    transformed = make_encode(config, encoder)

    def init(key: Array) -> Any:
        params = decoders.init_params(key, spec)
        # Starts with grey pictures, since the losses of random ones are astronomical.
        last = params["conv1_1"]
        grey = 0.5 if spec.output_map == "unit" else 0.0
        params["conv1_1"] = {
            "kernel": 0.1 * last["kernel"],
            "bias": jnp.full_like(last["bias"], grey),
        }
        return params

    def encode(frozen: Any, image: Array, **needed: bool) -> tuple[Array, Picture]:
        """The features to transform, and the picture for the losses.

        The picture has the layers that the losses need of "content", "style", or both.
        """
        layers = table.layers_needed(terms, **needed)
        dtype = {"compute_dtype": config.compute_dtype}
        if judge is None:
            features = vgg.features(
                frozen["encoder"],
                image,
                (config.layer, *layers),
                spec=encoder.spec,
                **dtype,
            )
            to_transform = features[config.layer]
        else:
            features = {}
            if layers:
                features = vgg.features(
                    frozen["judge"], image, layers, spec=judge.spec, **dtype
                )
            to_transform = transformed(frozen, image, **dtype)
        found = None
        if depth is not None and needed.get("content"):
            found = see_depth(frozen["depth"], image)
        compared = {layer: features[layer] for layer in layers}
        return to_transform, Picture(image, compared, found)

    def loss(params: Any, frozen: Any, batch: Mapping[str, Array], key: Array):
        content = to_unit(batch["content"])
        style = to_unit(batch["style"])
        # The first pictures of a batch are painted in their own style, which should
        # leave them unchanged.
        count = config.identity_pictures
        if count:
            style = jnp.concatenate([content[:count], style[count:]])
        content_features, of_content = encode(frozen, content, content=True)
        style_features, of_style = encode(frozen, style, style=True)
        target = jax.lax.stop_gradient(
            adain(
                content_features,
                channel_mean_std(style_features, eps=eps, ddof=ddof),
                eps=eps,
                ddof=ddof,
            )
        )
        image = decoders.decode(
            params, target, spec=spec, compute_dtype=config.compute_dtype
        )
        image_features, result = encode(frozen, image, content=True, style=True)
        values = {
            "content": adain_content_loss(
                image_features, target, normalisation=normalisation
            )
        }
        if count:
            values["identity"] = jnp.square(
                result.image[:count] - content[:count]
            ).mean()
        values |= table.evaluate(
            terms, result, of_content, dataclasses.replace(of_style, key=key)
        )
        return weighted_sum(config, values), values

    def sample(params: Any, frozen: Any, batch: Mapping[str, Array]) -> Array:
        """Content, style and result, side by side."""
        content = to_unit(batch["content"])
        style = to_unit(batch["style"])
        content_features = transformed(frozen, content)
        style_features = transformed(frozen, style)
        target = adain(
            content_features,
            channel_mean_std(style_features, eps=eps, ddof=ddof),
            eps=eps,
            ddof=ddof,
        )
        image = decoders.decode(params, target, spec=spec)
        return side_by_side(content, style, image)

    def begin(params: Any) -> Any:
        initial = load_initial(config, kind="decoder", spec=spec)
        return _for_features_times(initial, spec, scale)

    def export(params: Any, recipe: str):
        metadata = decoder_metadata(
            config,
            spec,
            encoder,
            recipe=recipe,
            transform="adain",
            eps=eps / scale**2,
            ddof=ddof,
            **({} if depth is None else {"depth_sha256": depth.sha256}),
        )
        return _for_features_times(params, spec, 1 / scale), metadata

    return Task(
        init=init,
        begin=begin if config.initial else None,
        frozen=frozen,
        loss=loss,
        training=training,
        validation=validation,
        sample=sample,
        export=export,
    )


def make_terms(config: ConfigDict) -> tuple[table.Term, ...]:
    """The terms of a config, except "content" and "identity", which the recipe adds.

    "style" compares means and deviations, as in Huang & Belongie.
    """
    count = len(config.style_layers)
    # In this case these terms are means over layers; the others are sums.
    averaged = config.normalisation in ("relative", "bounded")
    factor = 1 / count if averaged else 1.0
    options = {
        **config,
        "content_weight": 0.0,
        "style_layers": dict.fromkeys(config.style_layers, factor),
        # The other normalisations are not defined for Gram matrices.
        "style_normalisation": "relative",
    }
    return table.make_terms(options, called={"moments": "style"})


def _load_scaled(name: str, scale: float) -> Encoder:
    encoder = load_encoder(name)
    return encoder._replace(params=vgg.scale_features(encoder.params, scale))


def _for_features_times(
    params: Mapping[str, Any], spec: decoders.DecoderSpec, factor: float
) -> dict[str, Any]:
    """The weights that paint the same from features multiplied by a factor."""
    first = spec.convolutions[0]
    return {
        **params,
        first: {**params[first], "kernel": params[first]["kernel"] / factor},
    }


def _check(config: ConfigDict) -> None:
    if not 0 < config.feature_scale < float("inf"):
        raise NstjaxError(
            "--config.feature_scale must be above 0, and finite, not "
            f"{config.feature_scale}"
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
    check_weights(config, ("content", "identity"))
