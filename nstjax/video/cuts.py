"""Cuts: where a clip goes over to another scene from one frame to the next."""

from collections import deque

import numpy as np

# Rows and columns of the blocks that frames are compared by.
_CELLS = (9, 16)
# Mean difference of blocks, 0 to 1, below which nothing is a cut.
_LEAST = 0.06
# How much more must change at once than has changed before.
_JUMP = 4.0
_MEMORY = 8
# The part of brightness that both scenes may share.
_SHARED = 0.75


class CutDetector:
    """Tells cuts from motion, by how much changes and how suddenly.

    A cut changes blocks of the frame by several times what the frames before have
    changed, and the brightness of the frame as a whole, too.
    """

    def __init__(self) -> None:
        self._blocks: np.ndarray | None = None
        self._histogram: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=_MEMORY)

    def is_cut(self, frame: np.ndarray) -> bool:
        """Whether a scene begins with the next frame, uint8 [H, W, 3].

        The first frame begins one.
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
        """What `restore` needs."""
        return {"changes": np.array(self._changes, np.float64)}

    def restore(self, state: dict[str, np.ndarray], frame: np.ndarray) -> None:
        """Goes on after a frame at which `state` was taken."""
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
    """Shares of 16 levels of brightness."""
    levels = frame[::2, ::2].astype(np.uint16).sum(axis=2) // 48
    counts = np.bincount(levels.ravel(), minlength=16)
    return counts / counts.sum()
