"""What is measured of a picture: metrics, each with the columns that it fills.

A metric looks once at every content and once at every style, however many
pictures are made of them, and then compares results with what it has seen.
Pictures are float32 [H, W, 3], RGB in [0, 1], all of one size.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

LOWER, HIGHER, NEITHER = "lower", "higher", ""
# Between a metric's name and its judge's in a column's key.
JUDGED_BY = "@"


class Column(NamedTuple):
    """One figure of a picture.

    Attributes:
        key: its name in tables, such as "lap4", or "style@vgg19-slim" where a
            network judges.
        better: `LOWER`, `HIGHER` or `NEITHER`.
    """

    key: str
    better: str

    @property
    def metric(self) -> str:
        """The name without the judge's."""
        return self.key.partition(JUDGED_BY)[0]

    @property
    def judge(self) -> str:
        """The judging network's name, or ""."""
        return self.key.partition(JUDGED_BY)[2]


class Metric(NamedTuple):
    """A group of figures that are measured together.

    Attributes:
        title: what the group is, for people.
        identity: says all that its figures depend on besides the pictures;
            figures measured under another identity are measured again.
        columns: what it measures.
        of_content: what it needs of a content.
        of_style: what it needs of a style.
        measure: from a result and those two, a figure for each column's key.
    """

    title: str
    identity: str
    columns: tuple[Column, ...]
    of_content: Callable[[np.ndarray], Any]
    of_style: Callable[[np.ndarray], Any]
    measure: Callable[[np.ndarray, Any, Any], Mapping[str, float]]


def nothing(picture: np.ndarray) -> None:
    """For a metric that does not look at contents, or at styles."""
    del picture


def judged(metric: str, judge: str) -> str:
    """A column's key for a metric that a network judges."""
    return f"{metric}{JUDGED_BY}{judge}"
