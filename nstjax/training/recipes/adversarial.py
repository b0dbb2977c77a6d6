"""Adversarial pictures for depth networks: a few steps down a depth term.

What optimises a picture finds those changes of pixels that please the network most,
and they need not be changes of depth. A network that has seen such pictures with its
teacher's answer is harder to please by anything else.

References:
    Madry et al., 2017, https://arxiv.org/abs/1706.06083 (training on pictures that the
    network's own gradient made; there its labels stay those of the unchanged ones).
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from nstjax.losses.depth import depth_loss
from nstjax.types import Array

# Below any gradient that a picture could follow.
_LEAST_GRADIENT = 1e-12


def adversarial_step(
    look: Callable[[Array], Array],
    image: Array,
    other: Array,
    key: Array,
    *,
    steps: int,
    sizes: Sequence[float],
) -> Array:
    """Pictures a few steps on their way to the disparities of others.

    Args:
        look: from pictures to disparities [B, h, w, 1].
        image: pictures [B, H, W, 3] in [0, 1].
        other: those whose disparities they move towards, of the same shape.
        key: for the steps' sizes, one for each picture.
        steps: how many.
        sizes: the least and the largest root mean square of a step.

    Returns:
        Pictures like `image`, in [0, 1]; no gradient leads back through them.
    """
    target = look(other)
    least, largest = sizes
    size = jnp.exp(
        jax.random.uniform(
            key,
            (len(image), 1, 1, 1),
            image.dtype,
            minval=jnp.log(least),
            maxval=jnp.log(largest),
        )
    )
    gradient = jax.grad(lambda x: depth_loss(look(x), target, norm="l1"))

    def step(x: Array, _) -> tuple[Array, None]:
        slope = gradient(x)
        length = jnp.sqrt(jnp.square(slope).mean((1, 2, 3), keepdims=True))
        moved = x - size * slope / jnp.maximum(length, _LEAST_GRADIENT)
        return jnp.clip(moved, 0, 1), None

    moved_image, _ = jax.lax.scan(step, image, length=steps)
    return jax.lax.stop_gradient(moved_image)
