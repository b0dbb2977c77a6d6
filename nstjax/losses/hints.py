"""The distance of a student's features from a teacher's, for distillation.

References:
    Romero et al., 2014, https://arxiv.org/abs/1412.6550.
    Heo et al., 2019, https://arxiv.org/abs/1904.01866, section 3.2 (distances of
    rectified features).
"""

import jax
import jax.numpy as jnp

from nstjax.lazy import chex
from nstjax.types import Array, Params


def hint_loss(
    linear_map: Params, feature: Array, target: Array, *, rectified: bool = False
) -> Array:
    """The part of a teacher's feature that a map of the student's does not explain.

    Args:
        linear_map: ``{"kernel": [C, D], "bias": [D]}``.
        feature: the student's, [B, H, W, C].
        target: the teacher's, [B, H, W, D].
        rectified: whether the target is the output of a ReLU and so not negative. Where
            it is 0, any mapped value of 0 or less then counts as exact, since the
            student's next layer has a ReLU, too.

    Returns:
        `unexplained_variance`, a scalar.
    """
    mapped = feature @ linear_map["kernel"] + linear_map["bias"]
    if rectified:
        mapped = jnp.where(target > 0, mapped, jnp.maximum(mapped, 0))
    return unexplained_variance(mapped, target)


def unexplained_variance(prediction: Array, target: Array) -> Array:
    """1 - R^2, pooled over channels.

    Args:
        prediction: of shape [B, H, W, C].
        target: of the same shape.

    Returns:
        The sum of squared errors divided by the target's sum of squared differences
        from each channel's mean, a float32 scalar.
    """
    chex.assert_equal_shape([prediction, target])
    prediction, target = (x.astype(jnp.float32) for x in (prediction, target))
    target = jax.lax.stop_gradient(target)
    centred = target - target.mean((0, 1, 2), keepdims=True)
    return jnp.sum((prediction - target) ** 2) / (jnp.sum(centred**2) + 1e-6)
