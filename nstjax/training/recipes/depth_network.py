"""The depth network that trainings share: its shape, its beginning, its moments."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from nstjax.io.datasets import Stream, fixed_batches
from nstjax.models import batch_norm, monodepth
from nstjax.training.recipes.initial import load_initial
from nstjax.training.task import to_unit
from nstjax.types import Array, Params

# How many examples hints' maps are first fitted to, and the moments of batch
# normalisation are taken over in the end.
_CALIBRATION_EXAMPLES = 256
# The kind of a file with the encoder's first stages, see `stages_spec`.
STAGES_KIND = "depth_stages"

# moments(network, normalise=...): see `monodepth.encoder_moments`.
Moments = Callable[..., Params]


def network_spec(config: ConfigDict) -> monodepth.MonodepthSpec:
    """The shape that a config's leaves of these names describe."""
    return monodepth.MonodepthSpec(
        block=config.block,
        layers=config.layers,
        stem_width=config.stem_width,
        widths=config.widths,
        decoder_widths=config.decoder_widths,
        scales=config.scales,
        input_size=config.input_size,
        flip_tta=config.flip_tta,
    )


def stages_spec(spec: monodepth.MonodepthSpec, stages: int) -> dict[str, Any]:
    """What a file says that holds the first stages of a network's encoder."""
    return {**spec.to_dict(), "stages": stages}


def first_stages(encoder: Params, stages: int) -> dict[str, Any]:
    """The layers of the stem and of the first stages."""
    begins = ("conv1", *(f"layer{stage}_" for stage in range(1, stages + 1)))
    return {name: layer for name, layer in encoder.items() if name.startswith(begins)}


def freeze(network: Params, stages: int) -> dict[str, Any]:
    """The network, without gradients for the stem and the first stages, if any."""
    if not stages:
        return dict(network)
    kept = first_stages(network["encoder"], stages)
    kept = jax.tree.map(jax.lax.stop_gradient, kept)
    return {**network, "encoder": {**network["encoder"], **kept}}


def initial_network(
    config: ConfigDict,
    spec: monodepth.MonodepthSpec,
    network: Params,
    moments: Moments | None,
) -> dict[str, Any]:
    """Puts what ``config.initial`` names into a network.

    Args:
        config: a training config.
        spec: of `network`.
        network: random weights, which layers that the file lacks keep.
        moments: see `Moments`; None where the network is trained without
            normalisation.

    Raises:
        NstjaxError: if the file is of another network.
    """
    params = load_initial(
        config,
        kind="depth",
        spec=spec,
        part_kind=STAGES_KIND,
        # How often a network looks is no matter of its weights.
        ignored=("flip_tta",),
    )
    joined = {
        part: {**network[part], **params.get(part, {})}
        for part in ("encoder", "decoder")
    }
    return normalised(joined, params["encoder"], moments)


def normalised(
    network: Params, encoder: Params, moments: Moments | None
) -> dict[str, Any]:
    """A network that sees the same, with batch normalisation in its encoder.

    Args:
        network: without normalisation.
        encoder: those of the encoder's layers that are to be normalised.
        moments: see `Moments`; None leaves the network as it is.
    """
    if moments is None:
        return dict(network)
    found = moments(network, normalise=False)
    unfolded = batch_norm.unfold(encoder, found)
    return {**network, "encoder": {**network["encoder"], **unfolded}}


def calibration_batches(training: Stream, batch_size: int) -> list[np.ndarray]:
    """Some batches that the network is trained on, as they are."""
    count = max(_CALIBRATION_EXAMPLES // batch_size, 1)
    batches = fixed_batches({"example": training}, batch_size=batch_size, count=count)
    return [batch["example"] for batch in batches]


def make_moments(
    spec: monodepth.MonodepthSpec,
    examples: Callable[[], Iterable[np.ndarray]],
    fit: Callable[[Array], Array] = lambda image: image,
) -> Moments:
    """Builds the function that takes moments over examples.

    Args:
        spec: of the network.
        examples: uint8 batches [B, H, W, 3 or more], RGB first.
        fit: what brings pictures in [0, 1] to the size that the network sees.
    """

    @partial(jax.jit, static_argnames="normalise")
    def of_all(network: Params, pictures: Array, *, normalise: bool) -> Params:
        image = fit(to_unit(pictures, jnp.float32))
        return monodepth.encoder_moments(network, image, spec=spec, normalise=normalise)

    def moments(network: Params, *, normalise: bool) -> Params:
        pictures = np.concatenate([batch[..., :3] for batch in examples()])
        return of_all(network, pictures, normalise=normalise)

    return moments
