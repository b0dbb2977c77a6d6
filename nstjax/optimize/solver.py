"""The interface of solvers: two pure functions.

A solver knows nothing about pictures. It is given an objective of one array,
`x -> (total, terms)`, and makes one step, which takes one or several evaluations of the
objective.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from nstjax.lazy import chex  # quoted below, so that it is not imported
from nstjax.types import Array, Terms

# x -> (total, terms): a scalar to minimise, and its parts by name, for the
# trace. Pure and differentiable in x.
ObjectiveOfX = Callable[[Array], tuple[Array, Terms]]
# Clamps an x to its bounds.
Clamp = Callable[[Array], Array]


class Step(NamedTuple):
    """The result of one step of a solver.

    Attributes:
        x: the next x, already clamped.
        state: the corresponding state of the solver.
        total: the objective's total, and
        terms: its terms, both at the x the solver reports: Adam and torch's
            L-BFGS report the x they started the step from, L-BFGS with line
            search the x it arrived at. Not finite if the run cannot go on.
        evaluations: how often the objective was evaluated, int32.
        converged: whether further steps would not move x any more, bool.
    """

    x: Array
    state: "chex.ArrayTree"
    total: Array
    terms: Terms
    evaluations: "chex.Numeric"
    converged: "chex.Numeric"


class Solver(NamedTuple):
    """A minimisation method.

    The factories (`adam`, `lbfgs`, `torch_lbfgs`) return the identical solver for equal
    options, so that compiled loops are reused.

    Attributes:
        init: x -> the solver's state, a pytree of arrays.
        step: (objective, x, state, clamp) -> `Step`.
    """

    init: Callable[[Array], "chex.ArrayTree"]
    step: Callable[[ObjectiveOfX, Array, Any, Clamp], Step]
