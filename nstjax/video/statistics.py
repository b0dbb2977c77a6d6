"""Content statistics averaged over time, to reduce flicker."""

import math
from typing import Any

import jax
import numpy as np

# Seconds in which the average follows a change to 63 %.
SECONDS = 1.0


class RunningAverage:
    """An exponential average of any tree of arrays, over time.

    It restarts with every scene, and stays exactly constant for constant values.
    """

    def __init__(self, seconds: float = SECONDS):
        self._seconds = seconds
        self._average: Any = None

    def update(self, values: Any, *, step: float, restart: bool) -> Any:
        """Adds a frame's statistics.

        Args:
            values: a tree of arrays.
            step: seconds since the frame before.
            restart: whether a scene begins.

        Returns:
            The average, with the same structure, float32.
        """
        values = jax.tree.map(lambda a: np.asarray(a, np.float32), values)
        if restart or self._average is None:
            self._average = values
        else:
            rate = np.float32(1 - math.exp(-step / self._seconds))
            self._average = jax.tree.map(
                lambda old, new: old + rate * (new - old), self._average, values
            )
        return self._average

    def state(self) -> dict[str, np.ndarray]:
        """The average's arrays by name, for `restore`."""
        leaves = jax.tree.leaves(self._average)
        return {f"average_{i}": leaf for i, leaf in enumerate(leaves)}

    def restore(self, state: dict[str, np.ndarray], like: Any) -> None:
        """Continues from `state`; `like` has the structure of the values."""
        present, structure = jax.tree.flatten(like)
        leaves = [state[f"average_{i}"] for i in range(len(present))]
        self._average = jax.tree.unflatten(structure, leaves)
