"""L-BFGS with Optax's zoom line search: `optax.lbfgs`, made to report terms."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nstjax.optimize.solver import Clamp, ObjectiveOfX, Solver, Step
from nstjax.types import Array, Terms


class LBFGSState(NamedTuple):
    """What is known at the current x.

    Attributes:
        memory: the pairs, Optax's.
        known: whether the objective was evaluated at x, bool; if not, total
            and gradient mean nothing.
        total: the objective at x.
        gradient: its gradient there, of the shape of x.
    """

    memory: optax.ScaleByLBFGSState
    known: Array
    total: Array
    gradient: Array


class _Point(NamedTuple):
    x: Array
    total: Array
    terms: Terms
    gradient: Array


@functools.cache
def lbfgs(
    *,
    history: int = 10,
    line_search_evaluations: int = 20,
    tolerance_gradient: float = 1e-7,
) -> Solver:
    """Makes L-BFGS with a line search for the strong Wolfe conditions.

    The first step only evaluates x. Each later one searches along a line,
    which takes one evaluation if the first guess is good, as it mostly is,
    and reports the point it accepts. All evaluations are counted, but those of
    trial points that are not accepted are not reported: Optax keeps them to
    itself. A trial point where the objective is not finite is one of those.

    A step says "converged" if the gradient vanishes or no lower point was
    found, and that it is not finite if no trial point was. A clamp that
    changes the accepted point costs one more evaluation.

    Args:
        history: how many pairs to keep.
        line_search_evaluations: the most trial points on one line.
        tolerance_gradient: x has converged where the gradient's largest
            component is at most this.

    References:
        Nocedal & Wright, 2006, "Numerical Optimization", algorithms 7.4, 7.5
        and 3.5, 3.6.
    """
    preconditioner = optax.scale_by_lbfgs(memory_size=history)
    line_search = optax.scale_by_zoom_linesearch(
        max_linesearch_steps=line_search_evaluations, initial_guess_strategy="one"
    )

    def init(x: Array) -> LBFGSState:
        return LBFGSState(
            memory=preconditioner.init(x),
            known=jnp.zeros((), bool),
            total=jnp.zeros((), x.dtype),
            gradient=jnp.zeros_like(x),
        )

    def step(
        objective: ObjectiveOfX, x: Array, state: LBFGSState, clamp: Clamp
    ) -> Step:
        terms = jax.tree.map(
            lambda term: jnp.zeros(term.shape, term.dtype),
            jax.eval_shape(objective, x)[1],
        )
        here = _Point(x, state.total, terms, state.gradient)

        def search() -> tuple[_Point, optax.ScaleByLBFGSState, Array, Array]:
            direction, memory = _descent(preconditioner, state, x)
            there, info = _search_line(line_search, objective, here, direction)
            trials = jnp.asarray(info.num_linesearch_steps, jnp.int32)
            return there, memory, trials, jnp.asarray(info.decrease_error, x.dtype)

        def stay() -> tuple[_Point, optax.ScaleByLBFGSState, Array, Array]:
            return here, state.memory, jnp.int32(0), jnp.zeros((), x.dtype)

        there, memory, trials, error = jax.lax.cond(state.known, search, stay)
        # Optax steps to its last trial point even if nothing was gained.
        stuck = (error > 0) & ~(there.total < here.total)
        new_x = clamp(jnp.where(stuck, x, there.x))
        evaluate = ~state.known | stuck | jnp.any(new_x != there.x)

        def evaluated() -> _Point:
            value_and_grad = jax.value_and_grad(objective, has_aux=True)
            (total, terms), gradient = value_and_grad(new_x)
            return _Point(new_x, total, terms, gradient)

        new = jax.lax.cond(evaluate, evaluated, lambda: there)
        # An infinite error is Optax's sign of a last trial point that was NaN
        # or infinite.
        lost = stuck & jnp.isinf(error)
        stationary = jnp.max(jnp.abs(new.gradient)) <= tolerance_gradient
        return Step(
            x=new.x,
            state=LBFGSState(memory, jnp.ones((), bool), new.total, new.gradient),
            total=jnp.where(lost, jnp.nan, new.total),
            terms=new.terms,
            evaluations=trials + evaluate,
            converged=stationary | stuck,
        )

    return Solver(init, step)


def _descent(
    preconditioner: optax.GradientTransformation, state: LBFGSState, x: Array
) -> tuple[Array, optax.ScaleByLBFGSState]:
    """Gives the direction to search, and the memory with the newest pair."""
    gradient = state.gradient
    scaled, memory = preconditioner.update(gradient, state.memory, x)
    # A step that was clamped, or that met only one of Wolfe's conditions, can
    # leave a pair of negative curvature. If that turns the direction uphill,
    # the pairs are forgotten and the gradient is followed.
    downhill = jnp.vdot(scaled, gradient) > 0
    shortened = gradient * jnp.minimum(1, 1 / jnp.linalg.norm(gradient.ravel()))
    weights = jnp.where(downhill, memory.weights_memory, 0)
    direction = -jnp.where(downhill, scaled, shortened)
    return direction, memory._replace(weights_memory=weights)


def _search_line(
    line_search: optax.GradientTransformationExtraArgs,
    objective: ObjectiveOfX,
    here: _Point,
    direction: Array,
) -> tuple[_Point, optax.ZoomLinesearchInfo]:
    # Optax keeps the gradient of the point it accepts, but has no place for
    # terms. So they are disguised as the gradient for a second argument, which
    # is zero and stays so: the search makes no step in its direction.
    def value(arguments: tuple[Array, Terms]) -> Array:
        x, zeros = arguments
        total, terms = objective(x)
        return total + sum(
            jax.lax.stop_gradient(terms[name]) * zeros[name] for name in terms
        )

    zeros = jax.tree.map(jnp.zeros_like, here.terms)
    (move, _), found = line_search.update(
        (direction, zeros),
        line_search.init((here.x, zeros)),
        (here.x, zeros),
        value=here.total,
        grad=(here.gradient, here.terms),
        value_fn=value,
    )
    gradient, terms = found.grad
    return _Point(here.x + move, found.value, terms, gradient), found.info
