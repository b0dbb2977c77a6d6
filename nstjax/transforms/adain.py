"""Adaptive instance normalisation: gives content features a style's statistics.

References:
    Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 8.
"""

import operator
from collections.abc import Sequence
from functools import reduce

import jax.numpy as jnp

from nstjax.errors import NstjaxError
from nstjax.lazy import chex
from nstjax.ops.cpu.sums import sum_over_positions
from nstjax.ops.stats import Statistics, channel_mean_std
from nstjax.precision import check_floating
from nstjax.types import Array

# Added to variances; small compared with those of activations whose channels have a
# mean of about 1, as in normalised networks.
EPS = 1e-5


def feature_statistics(
    features: Array, mask: Array | None = None, *, eps: float = EPS, ddof: int = 0
) -> Statistics:
    """Mean and standard deviation of every channel.

    Args:
        features: of shape [B, H, W, C].
        mask: non-negative weights of positions, [B, H, W, 1]; equal by default.
        eps: added to the variance.
        ddof: 1 for torch's unbiased variance. With a mask, it is subtracted from the
            sum of the weights, so that a mask of ones changes nothing.
    """
    if mask is None:
        return channel_mean_std(features, eps=eps, ddof=ddof)
    chex.assert_equal_shape_prefix([features, mask], 3)
    # An empty region must have harmless statistics, not NaN; nor does a region of a
    # single position have an unbiased variance.
    total = mask.sum(axis=(1, 2), keepdims=True)
    weights = mask / jnp.maximum(total, 1e-6)
    mean = sum_over_positions(weights * features)
    variance = sum_over_positions(weights * jnp.square(features - mean))
    if ddof:
        variance *= jnp.where(total > ddof, total / jnp.maximum(total - ddof, 1e-6), 1)
    return Statistics(mean, jnp.sqrt(variance + eps))


def blend_statistics(
    statistics: Sequence[Statistics], weights: Sequence[float]
) -> Statistics:
    """Interpolates between styles.

    Since AdaIN is linear in the style's mean and deviation, this is the same as
    interpolating between its results (equation 15 of the paper).

    Args:
        statistics: one for each style.
        weights: one for each style, summing to 1.

    Raises:
        ValueError: if there are not as many weights as styles.
    """
    pairs = list(zip(statistics, weights, strict=True))
    # A weight of 0 leaves a style out entirely: 1 : 0 is exactly the first.
    used = [(style, weight) for style, weight in pairs if weight] or pairs[:1]
    if len(used) == 1:
        return used[0][0]
    return Statistics(
        mean=reduce(operator.add, (weight * style.mean for style, weight in used)),
        std=reduce(operator.add, (weight * style.std for style, weight in used)),
    )


def adain(
    content: Array,
    style: Statistics,
    *,
    alpha: float | Array = 1.0,
    mask: Array | None = None,
    own: Statistics | None = None,
    eps: float = EPS,
    ddof: int = 0,
) -> Array:
    """Gives content features a style's mean and deviation, channel by channel.

    Args:
        content: features of shape [B, H, W, C].
        style: statistics [B, 1, 1, C], or [1, 1, 1, C] for all of a batch; from
            `nstjax.channel_mean_std` of the style's features.
        alpha: strength; 0 returns `content`, 1 is the paper's AdaIN.
        mask: weights [B, H, W, 1] of the positions that the content's statistics are
            computed from; all by default.
        own: the content's statistics, if `content` is only a part of the picture;
            computed by default.
        eps: added to the content's variance, so that a constant channel stays constant,
            with a finite gradient.
        ddof: see `feature_statistics`.

    Returns:
        (1 - alpha) * content + alpha * AdaIN(content, style), [B, H, W, C].

    Raises:
        NstjaxError: for features of integers, or a style that is not `Statistics`.
        ValueError: without a mask, if `eps` is not positive or there are no more
            positions than `ddof`.

    References:
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868, equation 8.
    """
    check_floating(content=content)
    if not isinstance(style, Statistics):
        raise NstjaxError(
            f"style must be Statistics, not {type(style).__name__}; of features, give "
            "nstjax.channel_mean_std(features, eps=1e-5)"
        )
    chex.assert_rank([content, *style], 4)
    if own is None:
        own = feature_statistics(content, mask, eps=eps, ddof=ddof)
    normalised = (content - own.mean) / own.std
    transferred = normalised * style.std + style.mean
    return content + alpha * (transferred - content)


def adain_regions(
    content: Array,
    styles: Sequence[Statistics],
    masks: Sequence[Array],
    *,
    alpha: float | Array = 1.0,
    own: Sequence[Statistics] | None = None,
    eps: float = EPS,
    ddof: int = 0,
) -> Array:
    """AdaIN for each region with its own style.

    Every region is normalised by its own statistics and gets those of its style,
    regardless of the other regions.

    Args:
        content: features of shape [B, H, W, C].
        styles: one for each region.
        masks: each region's weight at every position, [B, H, W, 1]; where they sum to
            less than 1, the content fills the rest.
        alpha, eps, ddof: see `adain`.
        own: each region's own statistics, see `adain`.

    Returns:
        Features of shape [B, H, W, C].

    References:
        Huang & Belongie, 2017, section 7.3 (spatial control).
    """
    transferred = (1 - sum(masks)) * content
    known = [None] * len(masks) if own is None else own
    for style, mask, region in zip(styles, masks, known, strict=True):
        transferred += mask * adain(
            content, style, mask=mask, own=region, eps=eps, ddof=ddof
        )
    return content + alpha * (transferred - content)
