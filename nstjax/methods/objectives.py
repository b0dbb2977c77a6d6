"""What per-image methods minimise: a weighted sum of named terms.

An `ObjectiveSpec` says which terms, on which layers, normalised how. All that
the content and style pictures contribute is computed once, by `make_targets`;
`objective` then compares a picture with it, encoding the picture once however
many terms look at its features. A term of weight 0 is left out altogether.

The terms are "content" and "style" (Gatys), "swap" (Style-Swap), "lap"
(Lapstyle), "tv" (total variation), "depth" and, for frames of a clip, "temporal";
and those of `nstjax.losses.table`; any of them can be added to any other.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.losses.depth import DEPTH_NORMS, depth_loss
from nstjax.losses.gatys import (
    CONTENT_NORMALISATIONS,
    STYLE_NORMALISATIONS,
    content_loss,
    style_loss,
)
from nstjax.losses.laplacian import (
    LAPLACIAN_REDUCTIONS,
    laplacian_loss,
    laplacian_targets,
)
from nstjax.losses.style_swap import SWAP_GRADIENTS, swap_loss
from nstjax.losses.table import PICTURE_LOSSES
from nstjax.losses.temporal import temporal_loss
from nstjax.losses.variation import TV_KINDS, total_variation_loss
from nstjax.models import vgg
from nstjax.ops.laplacian import LAPLACIAN_CHANNELS
from nstjax.ops.preprocess import IMAGENET_MEAN, from_network, to_network
from nstjax.ops.stats import GRAM_NORMALISATIONS, gram_matrix
from nstjax.precision import check_compute_dtype
from nstjax.transforms.style_swap import style_swap
from nstjax.types import Array, Features, Params, Terms

# The coordinates an optimiser works in: [0, 1] RGB; Caffe's BGR * 255 - mean;
# ImageNet-normalised RGB; or whichever of them (or learned map) the encoder has.
PIXEL_DOMAINS = ("unit", "caffe", "imagenet", "network")

# disparity(params, image): [B, H, W, 3] in [0, 1] to [B, H', W', 1].
Disparity = Callable[[Params, Array], Array]


@dataclasses.dataclass(frozen=True)
class ObjectiveSpec:
    """Which terms an objective has. Hashable, and plain data throughout.

    Lists and mappings are accepted for the tuples.

    Attributes:
        content_weight, style_weight, swap_weight, lap_weight, tv_weight,
            depth_weight, temporal_weight: the factor of each term; 0 leaves it out.
        picture_losses: pairs of a name in `nstjax.losses.table.PICTURE_LOSSES` and
            the factor of that term.
        content_layers: pairs of an encoder layer, such as "relu4_2", and its
            factor within the content term.
        style_layers: the same for the style term.
        content_normalisation: see `nstjax.losses.gatys.content_loss`.
        gram_normalisation: see `nstjax.ops.stats.gram_matrix`.
        style_normalisation: see `nstjax.losses.gatys.style_loss`.
        swap_layer: the layer whose features are swapped for the style's.
        patch_size, stride, alpha: see `nstjax.transforms.style_swap`.
        swap_normalisation: the swap term's distance, see
            `nstjax.losses.gatys.content_loss`.
        swap_gradient: see `nstjax.losses.style_swap.swap_loss`.
        lap_pools: sides of the Laplacian term's pooling windows.
        lap_pool_weights: each pool's factor within the term.
        lap_channels: see `nstjax.ops.laplacian.laplacian_response`.
        lap_reduction: see `nstjax.losses.laplacian.laplacian_loss`.
        tv_kind: see `nstjax.losses.variation.total_variation_loss`.
        depth_norm: see `nstjax.losses.depth.depth_loss`.
        feature_scale: activations are multiplied by this before content,
            style and swap see them. Published weights belong to networks of a certain
            scale; Caffe's activations are 57 times those of the same VGG-19
            for normalised input (255 times a deviation of 0.225).
        pixel_scale: the Laplacian and variation terms see this many times a
            picture in [0, 1], whatever the domain; 256 in the Torch references.
        pixel_domain: one of `PIXEL_DOMAINS`. It changes the optimiser's
            coordinates, so its path, but no term's value.
        compute_dtype: what the encoder's convolutions compute in, one of
            `nstjax.precision.COMPUTE_DTYPES`; everything else is float32.

    Raises:
        NstjaxError: if a field is out of range or no weight is positive.
    """

    content_weight: float = 1.0
    style_weight: float = 1.0
    swap_weight: float = 0.0
    lap_weight: float = 0.0
    tv_weight: float = 0.0
    depth_weight: float = 0.0
    temporal_weight: float = 0.0
    picture_losses: tuple[tuple[str, float], ...] = ()
    content_layers: tuple[tuple[str, float], ...] = (("relu4_2", 1.0),)
    style_layers: tuple[tuple[str, float], ...] = tuple(
        (f"relu{block}_1", 1.0) for block in range(1, 6)
    )
    content_normalisation: str = "mean"
    gram_normalisation: str = "hw"
    style_normalisation: str = "mean"
    swap_layer: str = "relu3_1"
    patch_size: int = 3
    stride: int = 1
    alpha: float = 1.0
    swap_normalisation: str = "mean"
    swap_gradient: str = "plain"
    lap_pools: tuple[int, ...] = (4,)
    lap_pool_weights: tuple[float, ...] = (1.0,)
    lap_channels: str = "sum"
    lap_reduction: str = "mean"
    tv_kind: str = "mean_squares"
    depth_norm: str = "l1"
    feature_scale: float = 1.0
    pixel_scale: float = 1.0
    pixel_domain: str = "unit"
    compute_dtype: str = "float32"

    def __post_init__(self):
        check_compute_dtype(self.compute_dtype)
        for name in ("content_layers", "style_layers", "picture_losses"):
            object.__setattr__(self, name, _layer_pairs(name, getattr(self, name)))
        for name in ("lap_pools", "lap_pool_weights"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_choices()
        self._check_numbers()

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> "ObjectiveSpec":
        """Takes the spec's fields out of a larger set of options by name.

        Raises:
            KeyError: if one is missing.
            NstjaxError: if one is out of range.
        """
        names = [field.name for field in _fields(cls) if field.name != "picture_losses"]
        weights = {name: options.get(f"{name}_weight", 0.0) for name in PICTURE_LOSSES}
        return cls(
            picture_losses=tuple(weights.items()),
            **{name: options[name] for name in names},
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """The encoder layers that the picture's features are needed at."""
        content = self.content_layers if self.content_weight else ()
        style = self.style_layers if self.style_weight else ()
        swap = ((self.swap_layer, 1.0),) if self.swap_weight else ()
        return tuple(dict.fromkeys(layer for layer, _ in (*content, *style, *swap)))

    def _check_choices(self):
        for name, allowed in (
            ("content_normalisation", CONTENT_NORMALISATIONS),
            ("gram_normalisation", GRAM_NORMALISATIONS),
            ("style_normalisation", STYLE_NORMALISATIONS),
            ("swap_normalisation", CONTENT_NORMALISATIONS),
            ("swap_gradient", SWAP_GRADIENTS),
            ("lap_channels", LAPLACIAN_CHANNELS),
            ("lap_reduction", LAPLACIAN_REDUCTIONS),
            ("tv_kind", TV_KINDS),
            ("depth_norm", DEPTH_NORMS),
            ("pixel_domain", PIXEL_DOMAINS),
        ):
            if getattr(self, name) not in allowed:
                raise NstjaxError(
                    f"{name} must be one of {', '.join(allowed)}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.style_normalisation == "gatys" and self.gram_normalisation != "hw":
            raise NstjaxError(
                "style_normalisation 'gatys' is defined for gram_normalisation 'hw', "
                f"not {self.gram_normalisation!r}; set that too"
            )
        if self.lap_reduction == "relative" and self.pixel_scale != 1:
            raise NstjaxError(
                "lap_reduction 'relative' is defined for pixel_scale 1, "
                f"not {self.pixel_scale}; set that too"
            )

    def _check_numbers(self):
        weights = {
            field.name: getattr(self, field.name)
            for field in _fields(self)
            if field.name.endswith("_weight")
        }
        for name, weight in weights.items():
            _check_weight(name, weight)
        # A picture by itself has no temporal term.
        del weights["temporal_weight"]
        weights |= {f"{name}_weight": weight for name, weight in self.picture_losses}
        if not any(weights.values()):
            raise NstjaxError(
                f"there is nothing to optimise: {', '.join(weights)} are all 0; "
                "set at least one"
            )
        for name in ("content", "style"):
            if weights[f"{name}_weight"] and not getattr(self, f"{name}_layers"):
                raise NstjaxError(
                    f"{name}_weight is positive but {name}_layers names no layer; "
                    "name one or set the weight to 0"
                )
        if not 0 <= self.alpha <= 1:
            raise NstjaxError(f"alpha must be from 0 to 1, not {self.alpha!r}")
        for weight in self.lap_pool_weights:
            _check_weight("lap_pool_weights", weight)
        if len(self.lap_pools) != len(self.lap_pool_weights):
            raise NstjaxError(
                f"lap_pools {self.lap_pools} and lap_pool_weights "
                f"{self.lap_pool_weights} must have the same length"
            )
        for pool in self.lap_pools:
            if not isinstance(pool, int) or isinstance(pool, bool) or pool < 1:
                raise NstjaxError(
                    f"lap_pools must be whole numbers from 1 up, not {pool!r}"
                )
        for name in ("feature_scale", "pixel_scale"):
            scale = getattr(self, name)
            if not (math.isfinite(scale) and scale > 0):
                raise NstjaxError(f"{name} must be positive and finite, not {scale!r}")


def make_targets(
    params: Params,
    content: Array,
    style: Array | Sequence[Array],
    *,
    spec: ObjectiveSpec,
    encoder_spec: vgg.VGGSpec,
    style_blend: Sequence[float] | None = None,
    disparity: Disparity | None = None,
    last: tuple[Array, Array] | None = None,
) -> dict[str, Any]:
    """Computes all that `objective` compares a picture with.

    Args:
        params: ``{"encoder": ..., "depth": ...}``, the networks' weights;
            "depth" only where `spec` has a depth term.
        content: pictures of shape [B, H, W, 3], RGB in [0, 1].
        style: pictures of shape [B, H', W', 3], RGB in [0, 1], of any size, or
            several such arrays, whose Gram matrices are averaged, and among
            all of whose patches the swap term chooses.
        spec: the terms.
        encoder_spec: the lineage of ``params["encoder"]``.
        style_blend: a weight for each of several styles, in any scale; by
            default all are equal. With it, the swap term's target is the
            weighted sum of those that each style has by itself.
        disparity: the depth network, for a depth term.
        last: the last frame warped to this one's place, and where it holds; see
            `nstjax.losses.temporal.temporal_loss`. Without it there is no temporal
            term, whatever its weight.

    Returns:
        A dict of arrays with an entry for each term that has a target:
        "content" {layer: [B, H'', W'', C]}, "style" {layer: [B, C, C]}, "swap"
        [B, H'', W'', C], "lap" (one response for each pool), "depth"
        [B, H'', W'', 1], "temporal" (both arrays of `last`), and for each of
        `spec.picture_losses` what it prepares of every style, with the styles' weights.

    Raises:
        NstjaxError: if a layer is beyond the weights, a picture too small, or
            the blend does not fit the styles.
        ValueError: for a depth term without `disparity`.
    """
    targets: dict[str, Any] = {}
    encoder = params["encoder"]
    styles = list(style) if isinstance(style, Sequence) else [style]
    shares = _blend_shares(style_blend, len(styles))
    if spec.content_weight:
        layers = [layer for layer, _ in spec.content_layers]
        targets["content"] = _features(encoder, content, layers, spec, encoder_spec)
    if spec.style_weight:
        layers = [layer for layer, _ in spec.style_layers]
        grams = [
            _grams(_features(encoder, picture, layers, spec, encoder_spec), spec)
            for picture in styles
        ]
        targets["style"] = {
            layer: sum(
                share * gram[layer] for share, gram in zip(shares, grams, strict=True)
            )
            for layer in layers
        }
    if spec.swap_weight:
        blend = None if style_blend is None else shares
        targets["swap"] = _swap_target(
            encoder, content, styles, blend, spec, encoder_spec
        )
    if spec.lap_weight:
        targets["lap"] = laplacian_targets(
            spec.pixel_scale * content, pools=spec.lap_pools, channels=spec.lap_channels
        )
    if spec.depth_weight:
        targets["depth"] = _disparity(disparity, params, content)
    for name, _ in spec.picture_losses:
        prepare = PICTURE_LOSSES[name].prepare
        targets[name] = [prepare(content, picture) for picture in styles], shares
    if spec.temporal_weight and last is not None:
        targets["temporal"] = last
    return targets


def objective(
    x: Array,
    params: Params,
    targets: Mapping[str, Any],
    *,
    spec: ObjectiveSpec,
    encoder_spec: vgg.VGGSpec,
    disparity: Disparity | None = None,
) -> tuple[Array, Terms]:
    """Compares a picture with its targets.

    Args:
        x: the picture, [B, H, W, 3], in `spec.pixel_domain`, of the content's
            size; values out of range are allowed.
        params: as in `make_targets`.
        targets: from `make_targets`, with the same options.
        spec: the terms.
        encoder_spec: the lineage of ``params["encoder"]``.
        disparity: the depth network, for a depth term.

    Returns:
        The weighted sum of the terms, and each term by name, unweighted: both
        scalars, averages over the batch.
    """
    terms: dict[str, Array] = {}
    image = _to_unit(x, params, spec, encoder_spec)
    features = _encode(x, image, params, spec, encoder_spec)
    if spec.content_weight:
        terms["content"] = sum(
            weight
            * content_loss(
                features[layer],
                targets["content"][layer],
                normalisation=spec.content_normalisation,
            )
            for layer, weight in spec.content_layers
        )
    if spec.style_weight:
        grams = _grams({layer: features[layer] for layer, _ in spec.style_layers}, spec)
        terms["style"] = sum(
            weight
            * style_loss(
                grams[layer],
                targets["style"][layer],
                normalisation=spec.style_normalisation,
            )
            for layer, weight in spec.style_layers
        )
    if spec.swap_weight:
        terms["swap"] = swap_loss(
            features[spec.swap_layer],
            targets["swap"],
            normalisation=spec.swap_normalisation,
            gradient=spec.swap_gradient,
        )
    if spec.lap_weight:
        terms["lap"] = laplacian_loss(
            spec.pixel_scale * image,
            targets["lap"],
            pools=spec.lap_pools,
            weights=spec.lap_pool_weights,
            channels=spec.lap_channels,
            reduction=spec.lap_reduction,
        )
    if spec.tv_weight:
        terms["tv"] = total_variation_loss(spec.pixel_scale * image, kind=spec.tv_kind)
    if spec.depth_weight:
        terms["depth"] = depth_loss(
            _disparity(disparity, params, image),
            targets["depth"],
            norm=spec.depth_norm,
        )
    if "temporal" in targets:
        terms["temporal"] = temporal_loss(image, *targets["temporal"])
    weights = {name: getattr(spec, f"{name}_weight") for name in terms}
    for name, weight in spec.picture_losses:
        loss = PICTURE_LOSSES[name].loss
        prepared, shares = targets[name]
        terms[name] = sum(
            share * loss(image, one)
            for share, one in zip(shares, prepared, strict=True)
        )
        weights[name] = weight
    return sum(weights[name] * term for name, term in terms.items()), terms


def initial_pixels(
    image: Array, params: Params, *, spec: ObjectiveSpec, encoder_spec: vgg.VGGSpec
) -> Array:
    """Maps pictures [B, H, W, 3], RGB in [0, 1], to the optimiser's domain."""
    return to_network(image, _domain(spec, encoder_spec), params["encoder"])


def noise_pixels(
    key: Array,
    shape: Sequence[int],
    params: Params,
    *,
    deviation: float,
    spec: ObjectiveSpec,
    encoder_spec: vgg.VGGSpec,
) -> Array:
    """White Gaussian noise to start from.

    It lies around 0, which is the mean colour, where the domain has a mean taken
    off, as in the references; elsewhere around ImageNet's mean.

    Args:
        key: a random key.
        shape: [B, H, W, 3].
        params: as in `make_targets`.
        deviation: the noise's standard deviation, in units of the domain.
        spec: names the domain.
        encoder_spec: the lineage of ``params["encoder"]``.

    Returns:
        Pixels in the optimiser's domain.
    """
    if _domain(spec, encoder_spec) in ("caffe", "imagenet"):
        centre = 0.0
    else:
        mean = jnp.broadcast_to(jnp.asarray(IMAGENET_MEAN), shape)
        centre = initial_pixels(mean, params, spec=spec, encoder_spec=encoder_spec)
    return centre + deviation * jax.random.normal(key, tuple(shape))


def final_image(
    x: Array, params: Params, *, spec: ObjectiveSpec, encoder_spec: vgg.VGGSpec
) -> Array:
    """Maps the optimiser's pixels to pictures [B, H, W, 3] clipped to [0, 1]."""
    return jnp.clip(_to_unit(x, params, spec, encoder_spec), 0, 1)


def _domain(spec: ObjectiveSpec, encoder_spec: vgg.VGGSpec) -> str:
    if spec.pixel_domain == "network":
        return encoder_spec.input_map
    return spec.pixel_domain


def _to_unit(x, params, spec, encoder_spec) -> Array:
    domain = _domain(spec, encoder_spec)
    return x if domain == "unit" else from_network(x, domain, params["encoder"])


def _encode(x, image, params, spec, encoder_spec) -> Features:
    """Features of the picture, given in the domain and in [0, 1]."""
    if not spec.layers:
        return {}
    encoder, layers = params["encoder"], spec.layers
    if _domain(spec, encoder_spec) != encoder_spec.input_map:
        return _features(encoder, image, layers, spec, encoder_spec)
    return _features(
        encoder, x, layers, spec, encoder_spec, encode=vgg.features_from_pixels
    )


def _features(
    encoder, picture, layers, spec, encoder_spec, *, encode=vgg.features
) -> dict[str, Array]:
    """A picture's activations as the losses see them."""
    found = encode(
        encoder, picture, layers, spec=encoder_spec, compute_dtype=spec.compute_dtype
    )
    return {layer: spec.feature_scale * value for layer, value in found.items()}


def _grams(features: Features, spec: ObjectiveSpec) -> dict[str, Array]:
    return {
        layer: gram_matrix(feature, normalisation=spec.gram_normalisation)
        for layer, feature in features.items()
    }


def _swap_target(
    encoder: Params,
    content: Array,
    styles: Sequence[Array],
    blend: Sequence[float] | None,
    spec: ObjectiveSpec,
    encoder_spec: vgg.VGGSpec,
) -> Array:
    """The content's features rebuilt from the styles'; blended, or from all."""

    def encode(picture):
        layer = spec.swap_layer
        return _features(encoder, picture, (layer,), spec, encoder_spec)[layer]

    def swap(features):
        return style_swap(
            content_features,
            features,
            patch_size=spec.patch_size,
            stride=spec.stride,
            alpha=spec.alpha,
        )

    content_features = encode(content)
    style_features = [encode(style) for style in styles]
    if blend is None:
        return swap(style_features)
    pairs = zip(blend, style_features, strict=True)
    return sum(share * swap(features) for share, features in pairs if share)


def _disparity(disparity: Disparity | None, params: Params, image: Array) -> Array:
    if disparity is None:
        raise ValueError("a depth term needs the depth network, disparity=...")
    return disparity(params["depth"], image)


def _fields(spec) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(spec)


def _layer_pairs(
    name: str, layers: Mapping[str, float] | Iterable[tuple[str, float]]
) -> tuple[tuple[str, float], ...]:
    """Sorts out the two ways to write layers, and leaves out those of factor 0."""
    pairs = layers.items() if hasattr(layers, "items") else layers
    pairs = tuple((str(layer), float(weight)) for layer, weight in pairs)
    for layer, weight in pairs:
        _check_weight(f"{name}.{layer}", weight)
    return tuple((layer, weight) for layer, weight in pairs if weight)


def _check_weight(name: str, weight: float) -> None:
    if not (math.isfinite(weight) and weight >= 0):
        raise NstjaxError(f"{name} must be 0 or positive and finite, not {weight!r}")


def _blend_shares(blend: Sequence[float] | None, count: int) -> list[float]:
    if blend is None:
        blend = [1.0] * count
    if len(blend) != count:
        raise NstjaxError(
            f"{count} style pictures need as many blend weights, not {len(blend)}"
        )
    for weight in blend:
        _check_weight("each blend weight", weight)
    total = sum(blend)
    if not total:
        raise NstjaxError("at least one blend weight must be positive")
    return [weight / total for weight in blend]
