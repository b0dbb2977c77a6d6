"""Indices into tables become the tables' values."""

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.weights.conversion.quantised import dequantised
from nstjax.weights.conversion.tensors import LazyTensor


def tensor(values):
    values = np.asarray(values)
    return LazyTensor(values.shape, values.dtype, lambda: values)


def test_pairs_become_floats_and_the_rest_stays():
    indices, table = np.uint8([[2, 0], [1, 2]]), np.float32([-1, 0.5, 3])
    tensors = {"W_q": tensor(indices), "W_table": tensor(table), "b": tensor([1.0])}
    found = dequantised(tensors)
    assert found.keys() == {"W", "b"}
    assert found["W"].shape == (2, 2) and found["W"].dtype == np.float32
    np.testing.assert_array_equal(found["W"].read(), [[3, -1], [0.5, 3]])


@pytest.mark.parametrize(
    ("indices", "table"),
    [
        (np.float32([0, 1]), np.float32([0, 1])),
        (np.uint8([0, 1]), np.int32([0, 1])),
        (np.uint8([0, 1]), np.float32([[0, 1]])),
    ],
)
def test_other_tensors_of_these_names_are_left_alone(indices, table):
    tensors = {"W_q": tensor(indices), "W_table": tensor(table)}
    assert dequantised(tensors) == tensors


def test_an_index_beyond_the_table_is_refused():
    tensors = {"W_q": tensor(np.uint8([0, 3])), "W_table": tensor(np.float32([0, 1]))}
    with pytest.raises(NstjaxError, match="beyond its table of 2"):
        dequantised(tensors)["W"].read()
