"""Optical flow: how things move from one frame to the next, and how reliable it is.

A flow is a float32 array [H, W, 2], in pixels: what a frame shows at (y, x), the frame
before showed at (y + flow[y, x, 1], x + flow[y, x, 0]).

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

from nstjax.io.levels import LUMINANCE_WEIGHTS
from nstjax.video.needs import opencv

# The longer side at which motion is estimated; a larger one takes more time and is
# hardly more precise.
_LONGEST = 768
# The tolerance of the forward-backward check: a fraction of the displacement, and
# squared pixels.
_RELATIVE, _ABSOLUTE = 0.01, 0.5
# Colour differences, 0 to 1, up to which two frames show the same thing, and from which
# they do not. A departure from Ruder et al., which assumes constant lighting.
_SAME, _OTHER = 0.04, 0.12
# Displacements, in pixels, that are noise, given 8-bit frames.
_STILL = 0.05


class Motion(NamedTuple):
    """The motion from one frame to the next.

    Attributes:
        flow: the flow of the later frame, [H, W, 2].
        holds: how reliable the flow is, [H, W] in [0, 1]; 0 where the earlier frame
            does not show what the later one does.
    """

    flow: np.ndarray
    holds: np.ndarray


def find_motion(before: np.ndarray, after: np.ndarray) -> Motion:
    """Estimates the motion between two frames, forwards and backwards.

    Args:
        before, after: uint8 [H, W, 3], of the same size.

    Returns:
        The motion; exactly 0 where the frames are equal.
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

    Uses OpenCV's DIS, or, without OpenCV, scikit-image's iterative Lucas-Kanade, which
    is slower and coarser.
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
    """Where following the flow there and back ends at the same place.

    A departure from Ruder et al.: pixels at edges of motion are not excluded. They
    would flicker if painted anew, and `_same_colours` excludes those that have changed.

    Args:
        backward: the flow of the later frame, [H, W, 2].
        forward: the flow of the earlier frame towards the later, [H, W, 2].

    Returns:
        [H, W], 1 where it does, 0 elsewhere.

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
    """Warps a picture to the next frame.

    Args:
        image: float32 [H, W] or [H, W, C], at the time of the earlier frame.
        flow: the flow of the later frame, [H, W, 2].
        sharp: whether to interpolate by a windowed sinc of 8 x 8 pixels, which keeps
            detail however often it is repeated, instead of bilinearly.

    Returns:
        [H, W] or [H, W, C]; beyond the picture, its border is repeated.
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
    """Scales the flow of a reduced frame to the frame's own (height, width)."""
    if flow.shape[:2] == size:
        return flow
    height, width = flow.shape[:2]
    scale = np.array([size[1] / width, size[0] / height], np.float32)
    return resize(flow, size, order=1, preserve_range=True).astype(np.float32) * scale


def _same_colours(
    before: np.ndarray, after: np.ndarray, flow: np.ndarray
) -> np.ndarray:
    """How similar two frames are along a flow, [H, W] in [0, 1]."""
    moved = warp_image(before.astype(np.float32), flow)
    difference = np.abs(after - moved).max(axis=2) / 255
    # Blurred, so that the noise of single pixels does not matter.
    difference = _blur(difference)
    return np.clip((_OTHER - difference) / (_OTHER - _SAME), 0, 1)


def _grey(frame: np.ndarray) -> np.ndarray:
    return np.rint(frame.astype(np.float32) @ LUMINANCE_WEIGHTS).astype(np.uint8)


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
    """A mask with soft edges, nowhere above the given one."""
    return np.minimum(mask, _blur(mask)).astype(np.float32)


def _blur(mask: np.ndarray) -> np.ndarray:
    return uniform_filter(mask, 5, mode="nearest")
