"""The objective of per-image methods: a weighted sum of named terms.

An `ObjectiveSpec` selects losses of `nstjax.losses.table`, each with its options.
Everything that depends on the content and style pictures is computed once, by
`make_targets`; `objective` then compares a picture with it, encoding the picture only
once for all terms. Terms of weight 0 are left out. Gatys' loss on Gram matrices is
called "style".

Frames of a clip have a further term, "temporal".
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.losses.base import Picture, check_choice, check_weight
from nstjax.losses.table import Term, layers_needed, make_terms, needs_depth
from nstjax.losses.temporal import temporal_loss
from nstjax.models import vgg
from nstjax.ops.preprocess import IMAGENET_MEAN, from_network, to_network
from nstjax.precision import check_compute_dtype
from nstjax.types import Array, Params, Terms

# The coordinates that an optimiser works in: RGB in [0, 1]; Caffe's BGR * 255 - mean;
# ImageNet-normalised RGB; or the encoder's own (which may be a learned map).
PIXEL_DOMAINS = ("unit", "caffe", "imagenet", "network")

# disparity(params, image): [B, H, W, 3] in [0, 1] to [B, H', W', 1].
Disparity = Callable[[Params, Array], Array]


@dataclasses.dataclass(frozen=True)
class ObjectiveSpec:
    """The terms of an objective; hashable plain data.

    Attributes:
        terms: the losses with their names and weights.
        temporal_weight: the weight of the distance from a clip's last frame.
        feature_scale: a factor for activations before the losses. Published weights
            assume networks of a certain scale; Caffe's activations are 57 times those
            of the same VGG-19 for normalised input (255 times a deviation of 0.225).
        pixel_domain: one of `PIXEL_DOMAINS`. It changes the optimiser's coordinates and
            so its path, but not the value of any term.
        compute_dtype: the dtype of the encoder's convolutions, one of
            `nstjax.precision.COMPUTE_DTYPES`; everything else is float32.
    """

    terms: tuple[Term, ...]
    temporal_weight: float = 0.0
    feature_scale: float = 1.0
    pixel_domain: str = "unit"
    compute_dtype: str = "float32"

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "ObjectiveSpec":
        """Makes the spec from the entries of a per-image config, ignoring others.

        Missing entries have the values of ``configs/common.py``, except
        ``temporal_weight``, which is then 0.

        Raises:
            NstjaxError: if an entry is out of range or no weight is positive.
        """
        options = {"content_weight": 1.0, "style_weight": 1.0, **options}
        terms = make_terms(options, called={"gram": "style"})
        if not terms:
            # A single picture has no temporal term.
            weights = [
                name
                for name in options
                if name.endswith("_weight") and name != "temporal_weight"
            ]
            raise NstjaxError(
                f"there is nothing to optimise: {', '.join(weights)} are all 0; set at "
                "least one"
            )
        names = [field.name for field in dataclasses.fields(cls)[1:]]
        given = {name: options[name] for name in names if name in options}
        spec = cls(terms, **given)
        check_weight("temporal_weight", spec.temporal_weight)
        check_choice("pixel_domain", spec.pixel_domain, PIXEL_DOMAINS)
        check_compute_dtype(spec.compute_dtype)
        if not (math.isfinite(spec.feature_scale) and spec.feature_scale > 0):
            raise NstjaxError(
                f"feature_scale must be positive and finite, not {spec.feature_scale!r}"
            )
        return spec

    @property
    def layers(self) -> tuple[str, ...]:
        """The encoder layers that the terms need."""
        return layers_needed(self.terms, content=True, style=True)

    @property
    def needs_depth(self) -> bool:
        """Whether a depth network is needed."""
        return needs_depth(self.terms)


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
    """Computes everything that `objective` compares a picture with.

    Args:
        params: ``{"encoder": ..., "depth": ...}``, the networks' weights;
            "depth" only if `spec` has a term that needs it.
        content: pictures of shape [B, H, W, 3], RGB in [0, 1].
        style: pictures of shape [B, H', W', 3], RGB in [0, 1], of any size, or
            several such arrays; see `nstjax.losses.base.Loss.targets`.
        spec: the terms.
        encoder_spec: the spec of ``params["encoder"]``.
        style_blend: a weight for each of several styles, on any scale; equal by
            default.
        disparity: the depth network, if a term needs it.
        last: the last frame warped to the current one, and where it is reliable; see
            `nstjax.losses.temporal.temporal_loss`. Without it, there is no temporal
            term, whatever its weight.

    Returns:
        For each term, its targets with their weights; for "temporal", both arrays of
        `last`.

    Raises:
        NstjaxError: if a layer is deeper than the weights, a picture is too small, or
            the blend does not match the styles.
        ValueError: if there is a depth term but no `disparity`.
    """
    styles = list(style) if isinstance(style, Sequence) else [style]
    weights = _blend_weights(style_blend, len(styles))
    blend = None if style_blend is None else weights
    encoder = params["encoder"]

    def encoded(image: Array, *, of: str) -> dict[str, Array]:
        layers = layers_needed(spec.terms, **{of: True})
        return _features(encoder, image, layers, spec, encoder_spec)

    of_content = Picture(
        content,
        encoded(content, of="content"),
        _disparity(disparity, params, content) if spec.needs_depth else None,
    )
    of_styles = [Picture(image, encoded(image, of="style")) for image in styles]
    targets: dict[str, Any] = {
        term.name: term.loss.targets(of_content, of_styles, blend)
        for term in spec.terms
    }
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
        x: the picture, [B, H, W, 3], in `spec.pixel_domain`, with the content's size;
            values out of range are allowed.
        params: as in `make_targets`.
        targets: from `make_targets`, with the same options.
        spec: the terms.
        encoder_spec: the spec of ``params["encoder"]``.
        disparity: the depth network, if a term needs it.

    Returns:
        The weighted sum of the terms, and each unweighted term by name; all are
        scalars, averaged over the batch.
    """
    image = _to_unit(x, params, spec, encoder_spec)
    picture = Picture(
        image,
        _encode(x, image, params, spec, encoder_spec),
        _disparity(disparity, params, image) if spec.needs_depth else None,
    )
    weights = {term.name: term.weight for term in spec.terms}
    terms = {
        term.name: sum(
            weight * term.loss.loss(picture, target)
            for weight, target in targets[term.name]
        )
        for term in spec.terms
    }
    if "temporal" in targets:
        weights["temporal"] = spec.temporal_weight
        terms["temporal"] = temporal_loss(image, *targets["temporal"])
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
    """White Gaussian noise as a starting point.

    Its mean is 0, the mean colour, in domains that subtract a mean, as in the reference
    code; in other domains it is ImageNet's mean.

    Args:
        key: a random key.
        shape: [B, H, W, 3].
        params: as in `make_targets`.
        deviation: the noise's standard deviation, in units of the domain.
        spec: determines the domain.
        encoder_spec: the spec of ``params["encoder"]``.

    Returns:
        Pixels in the optimiser's domain.
    """
    if _domain(spec, encoder_spec) in ("caffe", "imagenet"):
        centre = jnp.zeros(())
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


def _encode(x, image, params, spec, encoder_spec) -> dict[str, Array]:
    """Features of a picture that is given both in the domain and in [0, 1]."""
    encoder, layers = params["encoder"], spec.layers
    if _domain(spec, encoder_spec) != encoder_spec.input_map:
        return _features(encoder, image, layers, spec, encoder_spec)
    return _features(
        encoder, x, layers, spec, encoder_spec, encode=vgg.features_from_pixels
    )


def _features(
    encoder, picture, layers, spec, encoder_spec, *, encode=vgg.features
) -> dict[str, Array]:
    """A picture's activations, on the scale of the losses."""
    if not layers:
        return {}
    found = encode(
        encoder, picture, layers, spec=encoder_spec, compute_dtype=spec.compute_dtype
    )
    return {layer: spec.feature_scale * value for layer, value in found.items()}


def _disparity(disparity: Disparity | None, params: Params, image: Array) -> Array:
    if disparity is None:
        raise ValueError("a depth term needs the depth network, disparity=...")
    return disparity(params["depth"], image)


def _blend_weights(blend: Sequence[float] | None, count: int) -> list[float]:
    if blend is None:
        blend = [1.0] * count
    if len(blend) != count:
        raise NstjaxError(
            f"{count} style pictures need as many blend weights, not {len(blend)}"
        )
    for weight in blend:
        check_weight("each blend weight", weight)
    total = sum(blend)
    if not total:
        raise NstjaxError("at least one blend weight must be positive")
    return [weight / total for weight in blend]
