"""L-BFGS with a line search, based on Optax's preconditioner."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nstjax.optimize import line_search
from nstjax.optimize.solver import Clamp, ObjectiveOfX, Solver, Step
from nstjax.types import Array, Terms


class LBFGSState(NamedTuple):
    """What is known at the current x.

    Attributes:
        memory: Optax's pairs.
        known: whether the objective was evaluated at x, bool; if not, total and
            gradient are undefined.
        total: the objective at x.
        gradient: its gradient there, with the shape of x.
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


class _Walk(NamedTuple):
    """A step under way.

    Attributes:
        search: the search along the line.
        point: the lowest point so far.
        evaluations: the evaluations so far, int32.
        searching: whether the search continues, bool; if not, only the point remains to
            be evaluated.
        done: whether nothing remains to be done, bool.
    """

    search: line_search.Search
    point: _Point
    evaluations: Array
    searching: Array
    done: Array


@functools.cache
def lbfgs(
    *,
    history: int = 10,
    line_search_evaluations: int = 20,
    tolerance_gradient: float = 1e-7,
) -> Solver:
    """Makes L-BFGS with a line search for the strong Wolfe conditions.

    The first step only evaluates x. Each later step searches along a line and reports
    the accepted point; this takes one evaluation if the first guess is good, as it
    usually is. All evaluations are counted, but trial points that are not accepted are
    not reported; these include points where the objective is not finite.

    A step reports "converged" if the gradient vanishes or no lower point was found, and
    a total that is not finite if no trial point was finite. If clamping changes the
    accepted point, it costs one more evaluation.

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
        direction, memory = jax.lax.cond(
            state.known,
            lambda: _descent(preconditioner, state, x),
            lambda: (jnp.zeros_like(x), state.memory),
        )
        slope = jnp.vdot(state.gradient, direction)
        begin = _Walk(
            search=line_search.begin(state.total, slope),
            point=_Point(
                jnp.where(state.known, x, clamp(x)), state.total, terms, state.gradient
            ),
            evaluations=jnp.zeros((), jnp.int32),
            searching=state.known,
            done=jnp.zeros((), bool),
        )

        def walk(walk: _Walk) -> _Walk:
            # The objective is evaluated in this place only, since it takes long to
            # compile: at a trial of the search, or at its final point.
            trial_x = x + walk.search.next_step * direction
            trial_x = jnp.where(walk.searching, trial_x, walk.point.x)
            value_and_grad = jax.value_and_grad(objective, has_aux=True)
            (total, terms), gradient = value_and_grad(trial_x)
            trial = _Point(trial_x, total, terms, gradient)

            search, lower = line_search.advance(
                walk.search,
                total,
                jnp.vdot(gradient, direction),
                most_trials=line_search_evaluations,
            )
            take = lower | ~walk.searching
            point = jax.tree.map(
                lambda new, old: jnp.where(take, new, old), trial, walk.point
            )
            clamped = clamp(point.x)
            # The terms at x itself are no longer known.
            known = (search.low.step > 0) & jnp.all(clamped == point.x)
            ends = walk.searching & search.ended
            return _Walk(
                search=jax.tree.map(
                    lambda new, old: jnp.where(walk.searching, new, old),
                    search,
                    walk.search,
                ),
                point=point._replace(x=jnp.where(ends, clamped, point.x)),
                evaluations=walk.evaluations + 1,
                searching=walk.searching & ~search.ended,
                done=~walk.searching | (ends & known),
            )

        end = jax.lax.while_loop(lambda walk: ~walk.done, walk, begin)
        new, search = end.point, end.search
        stuck = state.known & (search.low.step == 0)
        stationary = jnp.max(jnp.abs(new.gradient)) <= tolerance_gradient
        return Step(
            x=new.x,
            state=LBFGSState(memory, jnp.ones((), bool), new.total, new.gradient),
            total=jnp.where(stuck & ~search.met_finite, jnp.nan, new.total),
            terms=new.terms,
            evaluations=end.evaluations,
            converged=stationary | stuck,
        )

    return Solver(init, step)


def _descent(
    preconditioner: optax.GradientTransformation, state: LBFGSState, x: Array
) -> tuple[Array, optax.ScaleByLBFGSState]:
    """Returns the search direction, and the memory with the newest pair."""
    gradient = state.gradient
    scaled, memory = preconditioner.update(gradient, state.memory, x)
    # A step that was clamped, or satisfied only one of the Wolfe conditions, can add a
    # pair with negative curvature. If that makes the direction point uphill, the pairs
    # are discarded and the gradient is used.
    downhill = jnp.vdot(scaled, gradient) > 0
    shortened = gradient * jnp.minimum(1, 1 / jnp.linalg.norm(gradient.ravel()))
    weights = jnp.where(downhill, memory.weights_memory, 0)
    direction = -jnp.where(downhill, scaled, shortened)
    return direction, memory._replace(weights_memory=weights)
