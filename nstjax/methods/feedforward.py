"""Transfer in one pass: encode, transform the features, decode.

Pure functions of networks' weights and pictures. Pictures may have any size:
they are continued by reflection to a multiple of what the decoder multiplies
cells by, and the result is cut back.
"""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.models import decoders, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import VGGSpec
from nstjax.ops.stats import Statistics
from nstjax.precision import check_compute_dtype
from nstjax.transforms.adain import (
    EPS,
    adain,
    adain_regions,
    blend_statistics,
    feature_statistics,
)
from nstjax.transforms.style_swap import style_swap
from nstjax.types import Array, Params


@dataclasses.dataclass(frozen=True)
class TransferSpec:
    """The networks of a transfer in one pass, and how AdaIN was trained.

    Attributes:
        encoder, decoder: their specs.
        eps: added to variances.
        ddof: 1 for torch's unbiased variance.
        compute_dtype: what convolutions compute in, one of
            `nstjax.precision.COMPUTE_DTYPES`; the rest is float32.

    Raises:
        NstjaxError: if the decoder does not fit the encoder.
    """

    encoder: VGGSpec
    decoder: DecoderSpec
    eps: float = EPS
    ddof: int = 0
    compute_dtype: str = "float32"

    def __post_init__(self):
        check_compute_dtype(self.compute_dtype)
        layer, width = self.decoder.layer, self.decoder.input_width
        vgg.check_layers((layer,), self.encoder)
        if self.encoder.width(layer) != width:
            raise NstjaxError(
                f"the decoder takes {width} channels of {layer}, but the encoder "
                f"has {self.encoder.width(layer)}; use the encoder it was trained with"
            )

    @property
    def multiple(self) -> int:
        """Pixels of a side that one cell of the features stands for."""
        return 2 ** len(self.decoder.upsample_before)


def encode(params: Params, image: Array, *, spec: TransferSpec) -> Array:
    """Computes the features that a decoder starts from.

    Args:
        params: ``{"encoder": ..., "decoder": ...}``.
        image: pictures [B, H, W, 3], RGB in [0, 1], of any size.
        spec: of `params`.

    Returns:
        Features [B, ceil(H / m), ceil(W / m), C], for m = `spec.multiple`.

    Raises:
        NstjaxError: if the picture is too small.
    """
    padded = _pad(image, spec.multiple)
    layer = spec.decoder.layer
    return vgg.features(
        params["encoder"],
        padded,
        (layer,),
        spec=spec.encoder,
        compute_dtype=spec.compute_dtype,
    )[layer]


def decode(
    params: Params, features: Array, *, size: tuple[int, int], spec: TransferSpec
) -> Array:
    """Turns features into pictures of a size (height, width), in [0, 1]."""
    image = decoders.decode(
        params["decoder"],
        features,
        spec=spec.decoder,
        compute_dtype=spec.compute_dtype,
    )
    return jnp.clip(image[:, : size[0], : size[1]], 0, 1)


def encode_style(params: Params, style: Array, *, spec: TransferSpec) -> Statistics:
    """All that AdaIN takes of a style picture [B, H, W, 3]."""
    features = encode(params, style, spec=spec)
    return feature_statistics(features, eps=spec.eps, ddof=spec.ddof)


def adain_transfer(
    params: Params,
    content: Array,
    styles: Sequence[Statistics],
    *,
    weights: Sequence[float] | None = None,
    masks: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    spec: TransferSpec,
) -> Array:
    """Paints pictures with AdaIN.

    Args:
        params: ``{"encoder": ..., "decoder": ...}``.
        content: pictures [B, H, W, 3], RGB in [0, 1].
        styles: from `encode_style`; with masks one for each.
        weights: each style's share, summing to 1; equal by default. Not with
            masks.
        masks: where to paint in each style, [B, H, W, 1], summing to 1 at
            most.
        alpha: strength from 0 (the content, reconstructed) to 1.
        spec: of `params`.

    Returns:
        Pictures of the content's shape, in [0, 1].

    Raises:
        NstjaxError: if the picture is too small.
        ValueError: if there are not as many weights or masks as styles.

    References:
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, section 7.
    """
    chex.assert_rank(content, 4)
    features = encode(params, content, spec=spec)
    cells = None
    if masks is not None:
        cells = [to_cells(mask, spec.multiple) for mask in masks]
    features = restyle(
        features, styles, weights=weights, cells=cells, alpha=alpha, spec=spec
    )
    return decode(params, features, size=content.shape[1:3], spec=spec)


def content_statistics(
    features: Array, *, cells: Sequence[Array] | None = None, spec: TransferSpec
) -> list[Statistics]:
    """What `restyle` takes of a content by itself where nothing else is given.

    Args:
        features: from `encode`, [B, H, W, C].
        cells, spec: see `restyle`.

    Returns:
        Each picture's own, for each of `cells`; a single one without them.
    """
    if cells is None:
        return [feature_statistics(features, eps=spec.eps, ddof=spec.ddof)]
    return [feature_statistics(features, cell, eps=spec.eps) for cell in cells]


def restyle(
    features: Array,
    styles: Sequence[Statistics],
    *,
    weights: Sequence[float] | None = None,
    cells: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    own: Sequence[Statistics] | None = None,
    spec: TransferSpec,
) -> Array:
    """The part of `adain_transfer` between encoding and decoding.

    Args:
        features: from `encode`, [B, H, W, C], or a part of them.
        styles, weights, alpha, spec: see `adain_transfer`.
        cells: its masks, as `to_cells` gives them.
        own: the content's statistics, as `content_statistics` gives them: for
            `features` that are a part only, or averaged over a clip's frames.

    Returns:
        Features of the same shape.
    """
    if cells is not None:
        return adain_regions(
            features, styles, cells, alpha=alpha, own=own, eps=spec.eps, ddof=spec.ddof
        )
    if weights is None:
        weights = [1 / len(styles)] * len(styles)
    style = blend_statistics(styles, weights)
    known = None if own is None else own[0]
    return adain(features, style, alpha=alpha, own=known, eps=spec.eps, ddof=spec.ddof)


def style_swap_transfer(
    params: Params,
    content: Array,
    styles: Sequence[Array],
    *,
    weights: Sequence[float] | None = None,
    masks: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    patch_size: int = 3,
    stride: int = 1,
    spec: TransferSpec,
) -> Array:
    """Paints pictures with Style-Swap and its inverse network.

    Args:
        params: ``{"encoder": ..., "decoder": ...}``.
        content: pictures [B, H, W, 3], RGB in [0, 1].
        styles: features from `encode`; patches are chosen among all of them,
            unless there are weights or masks.
        weights: each style's share, summing to 1, of features that were
            swapped for that style alone.
        masks: the same for every position, [B, H, W, 1]; where they sum to less
            than 1, the content makes up the rest.
        alpha: strength from 0 (the content, reconstructed) to 1.
        patch_size, stride: see `nstjax.transforms.style_swap`.
        spec: of `params`.

    Returns:
        Pictures of the content's shape, in [0, 1].

    Raises:
        NstjaxError: if a picture is too small for a patch, or the sizes are out
            of range.
        ValueError: if there are not as many weights or masks as styles.

    References:
        Chen & Schmidt, 2016, https://arxiv.org/abs/1612.04337, section 4.
    """
    chex.assert_rank(content, 4)
    features = encode(params, content, spec=spec)
    cells = None
    if masks is not None:
        cells = [to_cells(mask, spec.multiple) for mask in masks]
    options = {"alpha": alpha, "patch_size": patch_size, "stride": stride}
    swapped = swap_features(features, styles, weights=weights, cells=cells, **options)
    return decode(params, swapped, size=content.shape[1:3], spec=spec)


def swap_features(
    features: Array,
    styles: Sequence[Array],
    *,
    weights: Sequence[float] | None = None,
    cells: Sequence[Array] | None = None,
    alpha: float | Array = 1.0,
    patch_size: int = 3,
    stride: int = 1,
) -> Array:
    """The part of `style_swap_transfer` between encoding and decoding.

    Args:
        features: from `encode`, [B, H, W, C].
        styles, weights, alpha, patch_size, stride: see `style_swap_transfer`.
        cells: its masks, as `to_cells` gives them.

    Returns:
        Features of the same shape.
    """

    def swap(style: Array | Sequence[Array]) -> Array:
        options = {"patch_size": patch_size, "stride": stride, "alpha": alpha}
        return style_swap(features, style, **options)

    shares: Sequence[float | Array] | None = weights if cells is None else cells
    if shares is None:
        return swap(styles)
    mixed = sum(
        share * swap(style) for share, style in zip(shares, styles, strict=True)
    )
    # Weights sum to 1; masks need not cover the picture.
    return mixed if cells is None else mixed + (1 - sum(cells)) * features


def _pad(image: Array, multiple: int) -> Array:
    below, right = (-side % multiple for side in image.shape[1:3])
    if not (below or right):
        return image
    # Reflection, as the networks themselves pad.
    return jnp.pad(image, ((0, 0), (0, below), (0, right), (0, 0)), mode="reflect")


def to_cells(mask: Array, multiple: int) -> Array:
    """A mask's mean over each cell: [B, H, W, 1] to [B, H / m, W / m, 1]."""
    padded = _pad(mask, multiple)
    batch, height, width, _ = padded.shape
    rows, columns = height // multiple, width // multiple
    blocks = padded.reshape(batch, rows, multiple, columns, multiple, 1)
    return blocks.mean(axis=(2, 4))
