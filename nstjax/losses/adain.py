"""AdaIN's losses: the target's features, the style's statistics.

The normalisations of the publications, with their style weights:

    "mean": means of squares, of means and deviations alike. Style weight 10
        (irasin/Pytorch_AdaIN; naoto0804/pytorch-AdaIN).
    "sum": the content's mean of squares; the style's squares summed over
        channels and averaged over the batch. Style weight 1e-2 or 1e-1
        (xunhuang1995/AdaIN-style, ``train.lua``).
    "relative": every distance over the target's own size, so that weights
        hold for any encoder and each layer counts alike.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equations 11 to 13.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import lax

from nstjax.lazy import chex
from nstjax.ops.stats import Statistics, channel_mean_std
from nstjax.types import Array

ADAIN_NORMALISATIONS = ("mean", "sum", "relative")

# Keeps "relative" finite for a target without energy.
_FLOOR = 1e-4


def adain_content_loss(features: Array, target: Array, *, normalisation: str) -> Array:
    """Distance of the result's features f(g(t)) to AdaIN's output t.

    "Style Transfer: Laplacian, Depth loss and AdaIN" prints f(g(t) - t) for
    f(g(t)) - t; this is the latter, as in equation 12 of Huang & Belongie. They
    print its norm; their code, like all others, takes the mean of squares.

    Args:
        features: of shape [B, H, W, C].
        target: of the same shape.
        normalisation: one of `ADAIN_NORMALISATIONS`; "relative" is over the
            target's mean square.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: for an unknown normalisation.
    """
    _check(normalisation)
    chex.assert_equal_shape([features, target])
    features, target = (x.astype(jnp.float32) for x in (features, target))
    squares = jnp.square(features - target)
    if normalisation != "relative":
        return squares.mean()
    # Not over the variance: a style of one plain colour leaves next to none.
    energy = jnp.square(target).mean(axis=(1, 2, 3))
    return (squares.mean(axis=(1, 2, 3)) / (energy + _FLOOR)).mean()


def adain_style_loss(
    features: Mapping[str, Array],
    target: Mapping[str, Statistics],
    *,
    normalisation: str,
    eps: float,
    ddof: int = 0,
) -> Array:
    """Distance of channel means and deviations to the style's, over layers.

    "Style Transfer: Laplacian, Depth loss and AdaIN" prints mu(sigma_i) -
    mu(sigma_i) for the second term; it is sigma(phi_i(.)) - sigma(phi_i(.)), as
    in equation 13 of Huang & Belongie. As in their code, squares stand for
    the norms that they print.

    Args:
        features: the result's, [B, H, W, C], by layer.
        target: the style's statistics, [B, 1, 1, C], by the same layers.
        normalisation: one of `ADAIN_NORMALISATIONS`; "relative" is over the
            squares of the style's own, and averaged over layers, which the
            others sum.
        eps: added to the variances. irasin adds 1e-6 to the deviations in
            its place, whose gradient is infinite where a channel is constant.
        ddof: 1 for torch's unbiased variance.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: for an unknown normalisation, or different layers.
    """
    _check(normalisation)
    if set(features) != set(target):
        raise ValueError(f"layers {sorted(features)} are not {sorted(target)}")
    total = jnp.zeros((), jnp.float32)
    for layer in sorted(features):
        mean, std = channel_mean_std(
            features[layer].astype(jnp.float32), eps=eps, ddof=ddof
        )
        wanted = Statistics(*(x.astype(jnp.float32) for x in target[layer]))
        chex.assert_equal_shape([mean, wanted.mean])
        squares = jnp.square(mean - wanted.mean) + jnp.square(std - wanted.std)
        if normalisation == "mean":
            total += squares.mean()
        elif normalisation == "sum":
            total += squares.sum() / len(squares)
        else:
            energy = jnp.square(wanted.mean) + jnp.square(wanted.std)
            axes = (1, 2, 3)
            share = squares.sum(axes) / (energy.sum(axes) + _FLOOR)
            total += share.mean() / len(features)
    return total


def color_statistics(image: Array) -> Statistics:
    """Mean and deviation of brightness, of blue to yellow and of red to green.

    Args:
        image: of shape [B, H, W, 3].

    Returns:
        Statistics [B, 1, 1, 3] of (R + G + B) / 3, (R + G) / 2 - B and R - G.
    """
    red, green, blue = jnp.split(image.astype(jnp.float32), 3, axis=3)
    opponent = jnp.concatenate(
        [(red + green + blue) / 3, (red + green) / 2 - blue, red - green], axis=3
    )
    return channel_mean_std(opponent, eps=1e-5)


def color_loss(image: Array, target: Statistics) -> Array:
    """Distance of a picture's colours to the style's.

    The shallowest features know colours, but hardly feel them: one deviation of
    red to green weighs little beside all edges. This term, which is in no
    publication, compares the colours themselves.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1].
        target: `color_statistics` of the style.

    Returns:
        Sum of squared differences of means and deviations, a float32 scalar.
    """
    mine = color_statistics(image)
    squares = jnp.square(mine.mean - target.mean) + jnp.square(mine.std - target.std)
    return squares.sum(axis=(1, 2, 3)).mean()


def flat_noise_loss(image: Array, content: Array, style: Array) -> Array:
    """Fine noise where the content is flat, as far as the style has none of it.

    AdaIN's decoders are known to paint a restless pattern into clear skies.
    This is a price on it that is not in any publication: the local energy of
    the picture's high frequencies (what a 3x3 mean takes away), beyond the
    style's mean energy, where the content's own local energy is low.

    Args:
        image: the result, [B, H, W, 3], nominally in [0, 1].
        content: of the same shape.
        style: of any size, [B, H', W', 3].

    Returns:
        The mean excess over the flat area, a float32 scalar.
    """
    chex.assert_equal_shape([image, content])
    energy = local_energy(image)
    allowed = local_energy(style).mean(axis=(1, 2), keepdims=True)
    flat = lax.stop_gradient(flatness(content))
    excess = jnp.maximum(energy - lax.stop_gradient(allowed), 0)
    area = flat.sum(axis=(1, 2, 3)) + 1.0
    return ((flat * excess).sum(axis=(1, 2, 3)) / area).mean()


# Local energy of a content that counts as half flat: a deviation of 1/100
# between neighbours, about the grain of a clear sky.
_FLAT = 1e-4


def flatness(content: Array) -> Array:
    """How flat cells of pictures [B, H, W, 3] are, 0 to 1; see `local_energy`."""
    return _FLAT / (_FLAT + local_energy(content))


def local_energy(image: Array) -> Array:
    """Energy of high frequencies, what a 3x3 mean takes away, over 4x4 cells.

    Args:
        image: pictures of shape [B, H, W, 3].

    Returns:
        Mean squares, [B, (H - 2) // 4, (W - 2) // 4, 1].
    """
    image = image.astype(jnp.float32)
    detail = image[:, 1:-1, 1:-1] - _mean3(image)
    squares = jnp.square(detail).mean(axis=3)
    batch, height, width = squares.shape
    rows, columns = height // 4, width // 4
    cells = squares[:, : rows * 4, : columns * 4]
    cells = cells.reshape(batch, rows, 4, columns, 4)
    return cells.mean(axis=(2, 4))[..., None]


def _mean3(image: Array) -> Array:
    rows = image[:, :-2] + image[:, 1:-1] + image[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9


def _check(normalisation: str) -> None:
    if normalisation not in ADAIN_NORMALISATIONS:
        raise ValueError(
            f"the normalisation must be one of {ADAIN_NORMALISATIONS}, "
            f"not {normalisation!r}"
        )
