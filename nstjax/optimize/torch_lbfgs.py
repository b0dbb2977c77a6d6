"""L-BFGS as in ``torch.optim.LBFGS`` without a line search.

Most style transfer in PyTorch uses this method. Optax's L-BFGS cannot reproduce it,
since it scales the first step differently and keeps every pair.

References:
    torch/optim/lbfgs.py (PyTorch 2.13), ``step`` with ``line_search_fn=None``.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nstjax.optimize.inverse_hessian import (
    History,
    empty_history,
    remember,
    times_vector,
)
from nstjax.optimize.solver import Clamp, ObjectiveOfX, Solver, Step
from nstjax.types import Array

# Pairs with less curvature, y.s, are skipped (torch's constant).
_LEAST_CURVATURE = 1e-10


class TorchLBFGSState(NamedTuple):
    """The state that ``torch.optim.LBFGS`` keeps between evaluations.

    Attributes:
        history: the pairs.
        step: the last step that was added to x, torch's ``t * d``, [P].
        gradient: the gradient at the x that it was added to, [P].
        total: the total there.
        updates: the number of updates of x, int32 (torch's ``n_iter``).
        updates_in_call: those in torch's current ``.step()``, int32; 0 if the next
            evaluation starts a new one.
    """

    history: History
    step: Array
    gradient: Array
    total: Array
    updates: Array
    updates_in_call: Array


@functools.cache
def torch_lbfgs(
    *,
    learning_rate: float = 1.0,
    history: int = 100,
    updates_per_call: int = 20,
    tolerance_gradient: float = 1e-7,
    tolerance_change: float = 1e-9,
) -> Solver:
    """Makes torch's L-BFGS; one step is one evaluation.

    The evaluations are made at the same points as the closure calls of a
    ``torch.optim.LBFGS`` whose ``.step()`` is called repeatedly. Each evaluation moves
    x, with one exception: if torch leaves a ``.step()`` early because x or the total
    changed too little, the next ``.step()`` evaluates the same x again, and so does
    this solver.

    "Converged" means that torch would never move x again.

    Clamping affects x only, as in a PyTorch closure that clamps its picture: the pairs
    hold the computed steps, before clamping.

    Args:
        learning_rate: the length of a step, in units of the L-BFGS direction. The
            first step is min(1, 1 / |gradient|_1) times that long.
        history: how many pairs to keep.
        updates_per_call: torch's ``max_iter``.
        tolerance_gradient: x stops moving when the gradient's largest component is at
            most this.
        tolerance_change: a ``.step()`` ends early if the total, or every component of
            x, changed by less than this; x stops moving when the total falls by less
            than this per unit of the direction.

    Raises:
        ValueError: if `history` or `updates_per_call` is less than 1.
    """
    if history < 1 or updates_per_call < 1:
        raise ValueError(
            "torch_lbfgs needs a history and updates_per_call of 1 or more, not "
            f"{history} and {updates_per_call}"
        )
    # torch's default for ``max_eval``. It has an effect only with 2 or 3 updates per
    # call: without a line search, fewer evaluations are made otherwise.
    evaluations_per_call = updates_per_call * 5 // 4

    def init(x: Array) -> TorchLBFGSState:
        zeros = jnp.zeros(x.size, x.dtype)
        return TorchLBFGSState(
            history=empty_history(history, x.size, x.dtype),
            step=zeros,
            gradient=zeros,
            total=jnp.zeros((), x.dtype),
            updates=jnp.zeros((), jnp.int32),
            updates_in_call=jnp.zeros((), jnp.int32),
        )

    def step(
        objective: ObjectiveOfX, x: Array, state: TorchLBFGSState, clamp: Clamp
    ) -> Step:
        (total, terms), gradient = jax.value_and_grad(objective, has_aux=True)(x)
        gradient = gradient.ravel()

        call_ends = (state.updates_in_call > 0) & (
            (state.updates_in_call + 1 >= evaluations_per_call)
            | (jnp.max(jnp.abs(state.step)) <= tolerance_change)
            | (jnp.abs(total - state.total) < tolerance_change)
        )
        difference = gradient - state.gradient
        pairs = remember(
            state.history,
            state.step,
            difference,
            # When a call ends, the next one computes the pair, from the same gradient.
            # Before the first update, the step is zero.
            keep=(jnp.vdot(difference, state.step) > _LEAST_CURVATURE) & ~call_ends,
        )
        direction = -times_vector(pairs, gradient)
        first = jnp.minimum(1, 1 / jnp.sum(jnp.abs(gradient)))
        length = learning_rate * jnp.where(state.updates == 0, first, 1)
        move = length * direction

        stationary = jnp.max(jnp.abs(gradient)) <= tolerance_gradient
        flat = jnp.vdot(gradient, direction) > -tolerance_change
        moves = ~(call_ends | stationary | flat)
        new_state = TorchLBFGSState(
            history=pairs,
            step=jnp.where(moves, move, state.step),
            gradient=jnp.where(moves, gradient, state.gradient),
            total=jnp.where(moves, total, state.total),
            updates=state.updates + moves,
            updates_in_call=jnp.where(
                moves, (state.updates_in_call + 1) % updates_per_call, 0
            ),
        )
        return Step(
            x=jnp.where(moves, clamp(x + move.reshape(x.shape)), x),
            state=new_state,
            total=total,
            terms=terms,
            evaluations=1,
            converged=stationary | (flat & ~call_ends),
        )

    return Solver(init, step)
