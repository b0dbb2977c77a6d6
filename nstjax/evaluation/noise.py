"""Restlessness where the content is flat, such as in a clear sky, and grids.

The energy of high frequencies is the mean square of what a 3x3 mean takes away,
over cells of 4x4 pixels; a cell is flat as far as the content has little of it
(`nstjax.losses.artifacts.flatness`).

    flat_noise: the square root of the mean, over the flat cells, of the energy
        beyond the style's own mean energy, in steps of an 8-bit channel. It is
        the root of the term that the bundled decoders are trained with,
        `nstjax.losses.artifacts.flat_noise_loss`: 0 where the result is no rougher
        than the style anywhere.
    flat_ratio: the mean energy over the flat cells over the style's mean energy:
        1 where flat cells are as rough as the painting, 0 where they are smooth.
    grid: the share of all high-frequency energy that repeats every 8 pixels, as
        decoders' patterns do (`nstjax.losses.artifacts.checkerboard_loss`), in
        per cent; 0 for a picture that is too small to tell.

No network takes part, and the definitions are this project's.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.evaluation.metrics import LOWER, NEITHER, Column, Metric
from nstjax.losses.artifacts import (
    CHECKERBOARD_BLOCK,
    checkerboard_loss,
    flat_noise_loss,
    flatness,
    local_energy,
)
from nstjax.types import Array

# A style of one plain colour has no energy to compare with.
_LEAST_ENERGY = 1e-8


def make_noise_metric() -> Metric:
    """flat_noise, flat_ratio and grid."""

    def measure(result, content, style):
        noise, ratio, grid = map(float, _measure(result[None], content, style))
        return {"flat_noise": noise, "flat_ratio": ratio, "grid": grid}

    return Metric(
        title="Noise where the content is flat, and grids, without a network",
        identity="noise 2",
        columns=(
            Column("flat_noise", LOWER),
            Column("flat_ratio", NEITHER),
            Column("grid", LOWER),
        ),
        of_content=_batch,
        of_style=_batch,
        measure=measure,
    )


def _batch(picture: np.ndarray) -> np.ndarray:
    return picture[None]


@jax.jit
def _measure(result: Array, content: Array, style: Array) -> tuple[Array, ...]:
    noise = 255 * jnp.sqrt(flat_noise_loss(result, content, style))
    flat = flatness(content)
    energy = (flat * local_energy(result)).sum() / flat.sum()
    ratio = energy / jnp.maximum(local_energy(style).mean(), _LEAST_ENERGY)
    large = min(result.shape[1:3]) >= CHECKERBOARD_BLOCK
    return noise, ratio, 100 * checkerboard_loss(result) if large else jnp.zeros(())
