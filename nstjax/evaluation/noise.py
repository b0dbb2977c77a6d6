"""Restlessness where the content is flat, such as in a clear sky, by no network.

The energy of high frequencies is the mean square of what a 3x3 mean takes away,
over cells of 4x4 pixels; a cell is flat as far as the content has little of it
(`nstjax.losses.adain.flatness`).

    flat_noise: the square root of the mean, over the flat cells, of the energy
        beyond the style's own mean energy, in steps of an 8-bit channel. It is
        the root of the term that the bundled decoders are trained with,
        `nstjax.losses.adain.flat_noise_loss`: 0 where the result is no rougher
        than the style anywhere.
    flat_ratio: the mean energy over the flat cells over the style's mean energy:
        1 where flat cells are as rough as the painting, 0 where they are smooth.

Both definitions are this project's.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nstjax.evaluation.gauges import LOWER, NEITHER, Column, Gauge
from nstjax.losses.adain import flat_noise_loss, flatness, local_energy
from nstjax.types import Array

# A style of one plain colour has no energy to compare with.
_LEAST_ENERGY = 1e-8


def make_noise_gauge() -> Gauge:
    """flat_noise and flat_ratio."""

    def measure(result, content, style):
        noise, ratio = _measure(result[None], content, style)
        return {"flat_noise": float(noise), "flat_ratio": float(ratio)}

    return Gauge(
        title="Noise where the content is flat, without a network",
        identity="noise 1",
        columns=(Column("flat_noise", LOWER), Column("flat_ratio", NEITHER)),
        of_content=_batch,
        of_style=_batch,
        measure=measure,
    )


def _batch(picture: np.ndarray) -> np.ndarray:
    return picture[None]


@jax.jit
def _measure(result: Array, content: Array, style: Array) -> tuple[Array, Array]:
    noise = 255 * jnp.sqrt(flat_noise_loss(result, content, style))
    flat = flatness(content)
    energy = (flat * local_energy(result)).sum() / flat.sum()
    return noise, energy / jnp.maximum(local_energy(style).mean(), _LEAST_ENERGY)
