"""The limited-memory approximation of an inverse Hessian, in compact form.

The textbook two-loop recursion goes through the pairs one by one, with hundreds of
small dependent operations. With its scalars written as two triangular systems, four
products of the whole history with a vector remain, and a fifth when a pair is added.
The direction is the same up to rounding, in two thirds of the time or less on two
cores.

References:
    Byrd, Nocedal & Schnabel, 1994, "Representations of quasi-Newton matrices
    and their use in limited memory methods", theorem 2.2.
    Nocedal & Wright, 2006, "Numerical Optimization", algorithm 7.4 (two loops).
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular

from nstjax.types import Array

# The history is held in blocks of this many rows. Empty blocks are skipped, so the
# first steps of a run do not pay for a long history.
_BLOCK_ROWS = 25

# On accelerators, the default precision would keep only ten bits of a product.
_matmul = partial(jnp.matmul, precision="highest")


class History(NamedTuple):
    """The last pairs (s, y) of steps and gradient differences.

    A circular buffer: pair k is in row k modulo the capacity M. P is the number of
    elements of a step.

    Attributes:
        steps: the s, as blocks of rows that together make [M, P].
        differences: the y, in the same form.
        products: s_i . y_j, [M, M]; valid where i is not newer than j.
        pairs: how many pairs were added in all, int32.
        scale: the newest pair's y.s / y.y; this times the identity is the initial
            approximation of the inverse Hessian; 1 at first.
    """

    steps: tuple[Array, ...]
    differences: tuple[Array, ...]
    products: Array
    pairs: Array
    scale: Array


def empty_history(capacity: int, size: int, dtype: jnp.dtype) -> History:
    """Makes a history for `capacity` pairs of vectors of `size` elements."""
    starts = range(0, capacity, _BLOCK_ROWS)
    blocks = tuple(
        jnp.zeros((min(_BLOCK_ROWS, capacity - start), size), dtype) for start in starts
    )
    return History(
        steps=blocks,
        differences=blocks,
        products=jnp.zeros((capacity, capacity), dtype),
        pairs=jnp.zeros((), jnp.int32),
        scale=jnp.ones((), dtype),
    )


def remember(
    history: History, step: Array, difference: Array, *, keep: Array
) -> History:
    """Adds a pair, replacing the oldest one if the history is full.

    Args:
        history: the pairs so far.
        step: s, of shape [P].
        difference: y, of shape [P], with y.s > 0.
        keep: whether to add it; if false, the history is unchanged.
    """
    slot = history.pairs % history.products.shape[0]
    pairs = history.pairs + keep
    # Only rows are masked: a conditional would copy the whole history.
    steps = _with_row(history.steps, slot, step, keep)
    differences = _with_row(history.differences, slot, difference, keep)
    products = history.products
    column = _rows_times(steps, difference, pairs)
    column = jnp.where(keep, column, products[:, slot])
    curvature = jnp.vdot(difference, step)
    scale = curvature / jnp.vdot(difference, difference)
    return History(
        steps=steps,
        differences=differences,
        products=products.at[:, slot].set(column),
        pairs=pairs,
        scale=jnp.where(keep, scale, history.scale),
    )


def times_vector(history: History, vector: Array) -> Array:
    """Multiplies a vector [P] by the approximate inverse Hessian."""
    pairs, capacity = history.pairs, history.products.shape[0]
    rows = jnp.arange(capacity)
    filled = jnp.minimum(pairs, capacity)
    oldest = pairs - filled
    by_age, to_slots = (oldest + rows) % capacity, (rows - oldest) % capacity

    products = history.products[by_age][:, by_age]
    # Unused rows are zero and come last; ones on the diagonal keep them so.
    curvatures = jnp.where(rows < filled, jnp.diagonal(products), 1)
    triangle = jnp.fill_diagonal(products, curvatures, inplace=False)

    # The first loop: alpha_i = s_i.q / s_i.y_i, q -= alpha_i y_i, newest first.
    projection = _rows_times(history.steps, vector, pairs)[by_age]
    alpha = solve_triangular(triangle, projection)
    vector = vector - _weighted_sum(history.differences, alpha[to_slots], pairs)
    result = history.scale * vector
    # The second: r += (alpha_i - y_i.r / s_i.y_i) s_i, oldest first.
    projection = _rows_times(history.differences, result, pairs)[by_age]
    weights = solve_triangular(triangle, curvatures * alpha - projection, trans=1)
    return result + _weighted_sum(history.steps, weights[to_slots], pairs)


def _with_row(
    blocks: tuple[Array, ...], slot: Array, row: Array, keep: Array
) -> tuple[Array, ...]:
    result = []
    for number, block in enumerate(blocks):
        local = slot - number * _BLOCK_ROWS
        inside = keep & (local >= 0) & (local < len(block))
        local = jnp.clip(local, 0, len(block) - 1)
        result.append(block.at[local].set(jnp.where(inside, row, block[local])))
    return tuple(result)


def _rows_times(blocks: tuple[Array, ...], vector: Array, pairs: Array) -> Array:
    """The product [M] of every row with a vector [P]."""
    return jnp.concatenate(
        [
            lax.cond(
                pairs > number * _BLOCK_ROWS,
                _matmul,
                lambda block, _: jnp.zeros(len(block), block.dtype),
                block,
                vector,
            )
            for number, block in enumerate(blocks)
        ]
    )


def _weighted_sum(blocks: tuple[Array, ...], weights: Array, pairs: Array) -> Array:
    """The sum [P] of all rows, each times its weight."""
    total = jnp.zeros(blocks[0].shape[1], blocks[0].dtype)
    for number, block in enumerate(blocks):
        start = number * _BLOCK_ROWS
        total = lax.cond(
            pairs > start,
            lambda total, weights, block: total + _matmul(weights, block),
            lambda total, weights, block: total,
            total,
            weights[start : start + len(block)],
            block,
        )
    return total
