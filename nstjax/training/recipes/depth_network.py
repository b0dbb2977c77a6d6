"""The shape of trained depth networks, and examples for their initialisation."""

import numpy as np
from ml_collections import ConfigDict

from nstjax.io.datasets import Stream, fixed_batches
from nstjax.models import monodepth

# The number of examples that the maps of hints are first fitted to.
_CALIBRATION_EXAMPLES = 256


def network_spec(config: ConfigDict) -> monodepth.MonodepthSpec:
    """The spec that a config describes."""
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


def calibration_batches(training: Stream, batch_size: int) -> list[np.ndarray]:
    """Some unchanged batches of the training pictures."""
    count = max(_CALIBRATION_EXAMPLES // batch_size, 1)
    batches = fixed_batches({"example": training}, batch_size=batch_size, count=count)
    return [batch["example"] for batch in batches]
