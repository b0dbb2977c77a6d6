"""FastDepth from its file: what fits, and what is refused."""

import numpy as np
import pytest

from nstjax.io.weights import load_weights
from nstjax.weights.conversion.command import main


def damaged(path, tmp_path, change):
    with np.load(path) as file:
        tensors = dict(file)
    change(tensors)
    result = tmp_path / "damaged.npz"
    np.savez(result, **tensors)
    return result


def test_layers_go_where_they_belong(fast_depth_file, fast_depth_layers, tmp_path):
    dest = tmp_path / "dest.safetensors"
    assert main("fast_depth", [str(fast_depth_file), str(dest)]) == 0
    params, metadata = load_weights(dest)
    assert metadata.kind == "depth" and "dwofk" in metadata.source
    np.testing.assert_array_equal(params["stem"]["kernel"], fast_depth_layers[0][0])
    first = params["encoder"]["block1"]
    np.testing.assert_array_equal(
        first["depthwise"]["kernel"], fast_depth_layers[1][0][:, :, 0]
    )
    np.testing.assert_array_equal(
        first["pointwise"]["kernel"], fast_depth_layers[2][0][0, 0]
    )
    np.testing.assert_array_equal(params["head"]["bias"], fast_depth_layers[-1][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("00_w"), "has 37 layers"),
        (
            lambda tensors: tensors.update({"03_w": np.ones((3, 3, 1, 9), "f")}),
            "not FastDepth's form",
        ),
        (
            lambda tensors: tensors.update(
                {"03_w": np.ones((3, 3, 1, 9), "f"), "03_b": np.ones(9, "f")}
            ),
            "block2 does not take the 6 channels",
        ),
        (
            lambda tensors: tensors.update(
                {"37_w": np.ones((1, 1, 6, 2), "f"), "37_b": np.ones(2, "f")}
            ),
            "does not give one channel",
        ),
    ],
)
def test_another_network_is_refused(change, message, fast_depth_file, tmp_path, capsys):
    path = damaged(fast_depth_file, tmp_path, change)
    assert main("fast_depth", [str(path), str(tmp_path / "dest")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
