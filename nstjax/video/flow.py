"""Optical flow: where things have moved from one frame to the next, and where not.

A flow is a float32 array [H, W, 2], in pixels, of one frame: what it shows at
(y, x), the frame before showed at (y + flow[y, x, 1], x + flow[y, x, 0]).

References:
    Kroeger et al., 2016, https://arxiv.org/abs/1603.03590 (DIS).
    Ruder, Dosovitskiy & Brox, 2016, https://arxiv.org/abs/1604.08610, section 4.2.
    Lai et al., 2018, https://arxiv.org/abs/1808.00449, section 4.3.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter
from skimage.registration import optical_flow_ilk
from skimage.transform import resize, warp

from nstjax.video.needs import opencv

# The longer side at which motion is looked for; more adds time, hardly precision.
_LONGEST = 768
# How far going back and forth may miss: a part of the way, and squared pixels.
_RELATIVE, _ABSOLUTE = 0.01, 0.5
# Differences of colours, 0 to 1, up to which two frames show the same thing, and
# from which they do not. A departure from Ruder et al., whose scenes are lit evenly.
_SAME, _OTHER = 0.04, 0.12
# Displacements in pixels that are noise: 8-bit frames say no more.
_STILL = 0.05


class Motion(NamedTuple):
    """What has moved from one frame to the next.

    Attributes:
        flow: of the later frame, [H, W, 2].
        holds: how far it can be trusted, [H, W] in [0, 1]; 0 where the earlier
            frame does not show what the later one does.
    """

    flow: np.ndarray
    holds: np.ndarray


def find_motion(before: np.ndarray, after: np.ndarray) -> Motion:
    """Looks for motion between two frames, forth and back.

    Args:
        before, after: uint8 [H, W, 3], of one size.

    Returns:
        The motion. Where two frames are equal it is exactly 0.
    """
    if np.array_equal(before, after):
        size = before.shape[:2]
        return Motion(np.zeros((*size, 2), np.float32), np.ones(size, np.float32))
    size = before.shape[:2]
    scale = min(1.0, _LONGEST / max(size))
    small = tuple(max(16, round(side * scale)) for side in size)
    seen = [_shrink(frame, small) for frame in (before, after)]
    grey = [_grey(frame) for frame in seen]
    backward, forward = optical_flow(grey[1], grey[0]), optical_flow(*grey)
    holds = consistent(backward, forward) * _same_colours(seen[0], seen[1], backward)
    flow = enlarge_flow(backward, size)
    flow[np.abs(flow).max(axis=2) < _STILL] = 0
    return Motion(flow, _soft(_enlarge(holds, size)))


def optical_flow(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The flow of `after` towards `before`, both uint8 [H, W].

    By OpenCV's DIS; where it is missing by scikit-image's iterative Lucas-Kanade,
    which is slower and coarser.
    """
    cv2 = opencv()
    if cv2 is not None:
        solver = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        # Small patches down to single pixels, in twice the time of the preset's own,
        # with which motion reaches beyond what moves and takes still ground along.
        solver.setFinestScale(0)
        solver.setPatchSize(4)
        solver.setPatchStride(4)
        solver.setGradientDescentIterations(12)
        solver.setVariationalRefinementIterations(3)
        return solver.calc(after, before, None)
    rows, columns = optical_flow_ilk(
        after / np.float32(255), before / np.float32(255), radius=7, dtype=np.float32
    )
    return np.stack([columns, rows], axis=2)


def consistent(backward: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Where going back and forth ends at the same place.

    A departure from Ruder et al.: what lies at an edge of motion is not left out. It
    flickers when painted anew, and `_same_colours` leaves out what has changed.

    Args:
        backward: flow of the later frame, [H, W, 2].
        forward: flow of the earlier one towards the later, [H, W, 2].

    Returns:
        [H, W], 1 where it does, else 0.

    References:
        Sundaram, Brox & Keutzer, 2010, "Dense Point Trajectories by GPU-accelerated
        Large Displacement Optical Flow", equation 5.
    """
    returned = warp_image(forward, backward)
    gap = np.square(backward + returned).sum(axis=2)
    lengths = np.square(backward).sum(axis=2) + np.square(returned).sum(axis=2)
    found = gap < _RELATIVE * lengths + _ABSOLUTE
    return (found & inside(backward)).astype(np.float32)


def inside(flow: np.ndarray) -> np.ndarray:
    """Where a flow points into the frame, [H, W] bool."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rows += flow[..., 1]
    columns += flow[..., 0]
    return (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)


def warp_image(
    image: np.ndarray, flow: np.ndarray, *, sharp: bool = False
) -> np.ndarray:
    """Brings a picture to where the next frame shows it.

    Args:
        image: float32 [H, W] or [H, W, C], at the time of the earlier frame.
        flow: of the later frame, [H, W, 2].
        sharp: interpolates by a windowed sinc of 8 x 8 pixels, which loses no
            detail however often it is done, and not between two pixels.

    Returns:
        [H, W] or [H, W, C]; the picture's border goes on beyond it.
    """
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rows += flow[..., 1]
    columns += flow[..., 0]
    cv2 = opencv()
    if cv2 is not None:
        how = cv2.INTER_LANCZOS4 if sharp else cv2.INTER_LINEAR
        return cv2.remap(image, columns, rows, how, borderMode=cv2.BORDER_REPLICATE)
    planes = image.reshape(height, width, -1)
    moved = [
        warp(
            plane, np.stack([rows, columns]), order=3 if sharp else 1, mode="edge",
            preserve_range=True,
        )
        for plane in np.moveaxis(planes, 2, 0)
    ]  # fmt: skip
    return np.stack(moved, axis=2).reshape(image.shape).astype(np.float32)


def enlarge_flow(flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A flow of a frame seen smaller, for the frame's own (height, width)."""
    if flow.shape[:2] == size:
        return flow
    height, width = flow.shape[:2]
    scale = np.array([size[1] / width, size[0] / height], np.float32)
    return resize(flow, size, order=1, preserve_range=True).astype(np.float32) * scale


def _same_colours(
    before: np.ndarray, after: np.ndarray, flow: np.ndarray
) -> np.ndarray:
    """How alike two frames are along a flow, [H, W] in [0, 1]."""
    moved = warp_image(before.astype(np.float32), flow)
    difference = np.abs(after - moved).max(axis=2) / 255
    # Noise of single pixels says nothing of what they show.
    difference = _blur(difference)
    return np.clip((_OTHER - difference) / (_OTHER - _SAME), 0, 1)


def _grey(frame: np.ndarray) -> np.ndarray:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(frame.astype(np.float32) @ weights).astype(np.uint8)


def _shrink(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if frame.shape[:2] == size:
        return frame
    smaller = resize(frame, size, anti_aliasing=True, preserve_range=True)
    return np.rint(smaller).astype(np.uint8)


def _enlarge(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if mask.shape == size:
        return mask
    return resize(mask, size, order=1, preserve_range=True).astype(np.float32)


def _soft(mask: np.ndarray) -> np.ndarray:
    """A mask whose edges are not seen, nowhere above the given one."""
    return np.minimum(mask, _blur(mask)).astype(np.float32)


def _blur(mask: np.ndarray) -> np.ndarray:
    return uniform_filter(mask, 5, mode="nearest")
