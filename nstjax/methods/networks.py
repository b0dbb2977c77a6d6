"""Loads and checks the networks of feed-forward methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata
from nstjax.methods.specs import OnePassSpec, PainterTransferSpec, TransferSpec
from nstjax.models.painter import PainterSpec
from nstjax.transforms.adain import EPS
from nstjax.weights.pretrained import (
    DEFAULT_ENCODER,
    Decoder,
    Encoder,
    load_decoder,
    load_encoder,
)

# Published encoders that decoders were trained with, as named by conversion.
_VARIANTS = {"torchvision", "caffe", "normalised"}


class Networks(NamedTuple):
    """The networks of a feed-forward transfer.

    Attributes:
        params: the weights, for `nstjax.methods.feedforward`.
        spec: the spec of the weights.
        files: the loaded files: an encoder and a decoder, or a painter.
        transform: the transform, one of `nstjax.methods.base.TRANSFORMS`.
    """

    params: Mapping[str, Any]
    spec: OnePassSpec
    files: tuple[Encoder | Decoder, ...]
    transform: str = "adain"

    @property
    def encoder_sha256(self) -> str:
        """The hash of the file that encodes styles: the encoder's or the painter's."""
        return self.files[0].sha256


def load_networks(
    encoder: str | Path,
    decoder: str | Path,
    *,
    transform: str = "adain",
    compute_dtype: str = "float32",
) -> Networks:
    """Loads a decoder with the encoder it was made for, or a painter.

    Args:
        encoder: the name or file of a VGG-19; "" for the bundled one. A painter has its
            own encoder.
        decoder: the name or file of a decoder or a painter.
        transform: the required transform, one of `nstjax.methods.base.TRANSFORMS`.
        compute_dtype: see `nstjax.methods.specs.TransferSpec`.

    Raises:
        NstjaxError: if a network does not exist, or they were not trained for each
            other or for this transform.
    """
    loaded = load_decoder(decoder)
    notes = loaded.metadata.notes
    check_transform(loaded.metadata, transform)
    eps, ddof = float(notes.get("eps", EPS)), int(notes.get("ddof", 0))
    if isinstance(loaded.spec, PainterSpec):
        if encoder:
            raise NstjaxError(
                f"{loaded.metadata.name} encodes pictures itself, so "
                f"--encoder={encoder} would change nothing; leave it out, or name a "
                "decoder for that encoder with --decoder"
            )
        own = PainterTransferSpec(
            painter=loaded.spec, eps=eps, ddof=ddof, compute_dtype=compute_dtype
        )
        return Networks(loaded.params, own, (loaded,), transform)
    seen = load_encoder(encoder or DEFAULT_ENCODER)
    check_encoder(loaded.metadata, seen.metadata, seen.sha256)
    spec = TransferSpec(
        encoder=seen.spec,
        decoder=loaded.spec,
        eps=eps,
        ddof=ddof,
        compute_dtype=compute_dtype,
    )
    params = {"encoder": seen.params, "decoder": loaded.params}
    return Networks(params, spec, (seen, loaded), transform)


def check_transform(decoder: WeightsMetadata, transform: str) -> None:
    """Raises NstjaxError if a decoder was trained for another transform."""
    made_for = decoder.notes.get("transform", transform)
    if made_for != transform:
        raise NstjaxError(
            f"the decoder {decoder.name} was trained for {made_for}, not {transform}; "
            "choose another --method or --decoder"
        )


def check_encoder(
    decoder: WeightsMetadata, encoder: WeightsMetadata, encoder_sha256: str
) -> None:
    """Raises NstjaxError if a decoder was trained with another encoder."""
    if decoder.notes.get("encoder_sha256", encoder_sha256) != encoder_sha256:
        raise NstjaxError(
            f"the decoder {decoder.name} was trained with another encoder "
            f"({decoder.notes.get('encoder')}) than {encoder.name}; give both "
            "--encoder and --decoder"
        )
    # Converted files name the publisher's network instead of a file.
    wanted, variant = decoder.notes.get("encoder"), encoder.notes.get("variant")
    if {wanted, variant} <= _VARIANTS and wanted != variant:
        raise NstjaxError(
            f"the decoder {decoder.name} was trained with another VGG-19 ({wanted}) "
            f"than {encoder.name} ({variant}); convert that one and name it with "
            "--encoder"
        )
