"""Detects cuts, where a clip changes to another scene between two frames."""

from collections import deque

import numpy as np

# Rows and columns of the blocks by which frames are compared.
_CELLS = (9, 16)
# The mean difference of blocks, 0 to 1, below which nothing is a cut.
_LEAST = 0.06
# How much larger than earlier changes a sudden change must be.
_JUMP = 4.0
_MEMORY = 8
# How much of their brightness both scenes may share.
_SHARED = 0.75


class CutDetector:
    """Distinguishes cuts from motion by how much changes, and how suddenly.

    A cut changes the blocks of a frame several times more than previous frames did, and
    also the distribution of brightness in the whole frame.
    """

    def __init__(self) -> None:
        self._blocks: np.ndarray | None = None
        self._histogram: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=_MEMORY)

    def is_cut(self, frame: np.ndarray) -> bool:
        """Whether a scene begins with the next frame, uint8 [H, W, 3].

        This is true for the first frame.
        """
        blocks, histogram = _blocks(frame), _histogram(frame)
        before, self._blocks = self._blocks, blocks
        brightness, self._histogram = self._histogram, histogram
        if before is None or brightness is None:
            return True
        change = float(np.abs(blocks - before).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        shared = np.minimum(histogram, brightness).sum()
        found = change > max(_LEAST, _JUMP * usual) and shared < _SHARED
        if found:
            self._changes.clear()
        else:
            self._changes.append(change)
        return found

    def state(self) -> dict[str, np.ndarray]:
        """The state for `restore`."""
        return {"changes": np.array(self._changes, np.float64)}

    def restore(self, state: dict[str, np.ndarray], frame: np.ndarray) -> None:
        """Continues after the frame at which `state` was called."""
        self._blocks, self._histogram = _blocks(frame), _histogram(frame)
        self._changes.extend(float(change) for change in state["changes"])


def _blocks(frame: np.ndarray) -> np.ndarray:
    """Mean colours of the blocks, [rows, columns, 3] in [0, 1]."""
    rows, columns = (
        np.array_split(np.arange(side), count)
        for side, count in zip(frame.shape, _CELLS, strict=False)
    )
    values = np.add.reduceat(frame, [r[0] for r in rows], axis=0, dtype=np.float64)
    values = np.add.reduceat(values, [c[0] for c in columns], axis=1)
    sizes = np.outer([len(r) for r in rows], [len(c) for c in columns])
    return values / sizes[..., None] / 255


def _histogram(frame: np.ndarray) -> np.ndarray:
    """The fractions of 16 levels of brightness."""
    levels = frame[::2, ::2].astype(np.uint16).sum(axis=2) // 48
    counts = np.bincount(levels.ravel(), minlength=16)
    return counts / counts.sum()
