"""Loading networks: files whose spec is damaged."""

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.weights import pretrained


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        ("vgg19", pretrained.load_encoder),
        ("decoder", pretrained.load_decoder),
        ("painter", pretrained.load_decoder),
        ("depth", pretrained.load_depth),
        ("lpips", pretrained.load_lpips),
    ],
)
@pytest.mark.parametrize("spec", [5, "text", [1]])
def test_a_spec_that_is_no_spec(tmp_path, kind, load, spec):
    path = tmp_path / "network.safetensors"
    metadata = WeightsMetadata(kind, "name", spec, "", "")
    save_weights(path, {"conv1_1": {"bias": np.ones(3)}}, metadata)
    with pytest.raises(NstjaxError, match="has damaged metadata"):
        load(path)
