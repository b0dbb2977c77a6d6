"""Adversarial pictures for depth networks: a few gradient steps on a depth term.

Optimising a picture finds the changes of pixels that affect the network's output most,
which need not be changes of depth. A network that was trained on such pictures, with
its teacher's answer, is harder to mislead.

References:
    Madry et al., 2017, https://arxiv.org/abs/1706.06083 (training on pictures made by
    the network's own gradient; there the labels are those of the unchanged pictures).
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from nstjax.losses.depth import depth_loss
from nstjax.types import Array

# Smaller than any useful gradient.
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
    """Moves pictures a few steps towards the disparities of others.

    Args:
        look: maps pictures to disparities [B, h, w, 1].
        image: pictures [B, H, W, 3] in [0, 1].
        other: the pictures whose disparities they move towards, of the same shape.
        key: a random key for the step sizes, one for each picture.
        steps: the number of steps.
        sizes: the smallest and largest root mean square of a step.

    Returns:
        Pictures like `image`, in [0, 1]; gradients are stopped.
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
