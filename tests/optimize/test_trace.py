import json

import numpy as np

from nstjax.optimize.engine import Record
from nstjax.optimize.trace import Trace, concatenate, join_records

TRACE = Trace(
    evaluations=np.int32([1, 3, 4]),
    total=np.float32([5.0, 2.5, 1.0]),
    terms={"content": np.float32([3.0, 2.0, 1.0]), "style": np.float32([2, 0.5, 0])},
)


def assert_equal(trace, expected):
    assert trace.terms.keys() == expected.terms.keys()
    for name, array in expected.to_arrays().items():
        np.testing.assert_array_equal(trace.to_arrays()[name], array)


def test_rows_are_json():
    rows = json.loads(json.dumps(TRACE.rows()))
    assert len(rows) == len(TRACE) == 3
    assert rows[1] == {
        "evaluation": 3,
        "total": 2.5,
        "terms": {"content": 2.0, "style": 0.5},
    }


def test_arrays_and_back():
    assert set(TRACE.to_arrays()) == {
        "evaluations",
        "total",
        "term/content",
        "term/style",
    }
    assert_equal(Trace.from_arrays(TRACE.to_arrays()), TRACE)


def test_joining_records_drops_their_empty_rows():
    records = [
        Record(
            np.int32(2),
            np.int32([1, 3, 0, 0]),
            np.float32([5, 2.5, 0, 0]),
            {"content": np.float32([3, 2, 0, 0]), "style": np.float32([2, 0.5, 0, 0])},
        ),
        Record(
            np.int32(1),
            np.int32([4, 0, 0, 0]),
            np.float32([1, 0, 0, 0]),
            {"content": np.float32([1, 0, 0, 0]), "style": np.float32([0, 0, 0, 0])},
        ),
    ]
    assert_equal(join_records(records), TRACE)


def test_concatenates_with_parts_that_know_no_terms():
    empty = concatenate([])
    assert len(empty) == 0
    assert_equal(concatenate([empty, TRACE, empty]), TRACE)
