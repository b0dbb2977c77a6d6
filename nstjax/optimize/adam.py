"""Adam, from Optax."""

import functools

import jax
import optax

from nstjax.optimize.solver import Clamp, ObjectiveOfX, Solver, Step
from nstjax.types import Array


@functools.cache
def adam(
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Solver:
    """Makes Adam; one step is one evaluation, and it never says "converged".

    Args:
        learning_rate: the step size, in units of x.
        beta1: the decay of the mean of gradients.
        beta2: the decay of the mean of squared gradients.
        epsilon: added to the root of the latter.

    References:
        Kingma & Ba, 2015, https://arxiv.org/abs/1412.6980, algorithm 1.
    """
    transformation = optax.adam(learning_rate, b1=beta1, b2=beta2, eps=epsilon)

    def step(
        objective: ObjectiveOfX, x: Array, state: optax.OptState, clamp: Clamp
    ) -> Step:
        (total, terms), gradient = jax.value_and_grad(objective, has_aux=True)(x)
        updates, state = transformation.update(gradient, state, x)
        return Step(
            x=clamp(optax.apply_updates(x, updates)),
            state=state,
            total=total,
            terms=terms,
            evaluations=1,
            converged=False,
        )

    return Solver(transformation.init, step)
