"""Functions shared by all trainings of a decoder."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.models import vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import VGGSpec
from nstjax.types import Array
from nstjax.weights.pretrained import Encoder


def decoder_spec(config: ConfigDict, encoder: VGGSpec) -> DecoderSpec:
    """The decoder that a config's layer, output_map and decoder_widths describe.

    Raises:
        NstjaxError: if the encoder does not reach the layer, or the number of widths is
            not that of the decoder's convolutions.
    """
    mirror = DecoderSpec.mirror(
        config.layer,
        encoder.widths,
        blocks=encoder.blocks,
        output_map=config.output_map,
    )
    if not config.decoder_widths:
        return mirror
    return dataclasses.replace(mirror, widths=tuple(config.decoder_widths))


def make_encode(config: ConfigDict, encoder: Encoder) -> Callable[..., Array]:
    """Makes the function that computes the features that a config's decoder decodes.

    Returns:
        ``encode(frozen, image,
        compute_dtype=None)``, which uses the weights ``frozen["encoder"]``.
    """

    def encode(frozen: Any, image: Array, *, compute_dtype: str | None = None) -> Array:
        return vgg.features(
            frozen["encoder"],
            image,
            (config.layer,),
            spec=encoder.spec,
            compute_dtype=compute_dtype,
        )[config.layer]

    return encode


def decoder_metadata(
    config: ConfigDict,
    spec: DecoderSpec,
    encoder: Encoder,
    *,
    recipe: str,
    transform: str,
    **notes: Any,
) -> WeightsMetadata:
    """The metadata of a trained decoder's file.

    Args:
        config: the training config.
        spec: the decoder's spec.
        encoder: the encoder whose features it decodes.
        recipe: the command that trained it.
        transform: the transform that it was trained for, such as "adain".
        **notes: further notes.
    """
    return WeightsMetadata(
        kind="decoder",
        name=config.name,
        spec=spec.to_dict(),
        source="trained by nstjax",
        licence="Apache-2.0",
        recipe=recipe,
        notes={
            "transform": transform,
            "encoder": encoder.metadata.name,
            "encoder_sha256": encoder.sha256,
        }
        | notes,
    )


def weighted_sum(config: ConfigDict, terms: Mapping[str, Any]) -> Array:
    """The sum of terms, each times the config's ``NAME_weight``."""
    total = sum(config[f"{name}_weight"] * term for name, term in terms.items())
    return jnp.asarray(total)


def side_by_side(content: Array, style: Array, image: Array) -> Array:
    """Contents, styles and results, side by side, [B, H, 3 W, 3] in [0, 1]."""
    small = jax.image.resize(style, content.shape, "linear")
    return jnp.clip(jnp.concatenate([content, small, image], axis=2), 0, 1)


def check_weights(config: ConfigDict, names: tuple[str, ...]) -> None:
    """Raises NstjaxError unless the terms' weights are finite and not negative."""
    for name in names:
        weight = config[f"{name}_weight"]
        if not 0 <= weight < float("inf"):
            raise NstjaxError(
                f"--config.{name}_weight must be 0 or more, and finite, not {weight}"
            )
