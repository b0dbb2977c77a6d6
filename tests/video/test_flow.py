"""Motion whose truth is known, and measures on it."""

import numpy as np
import pytest

from nstjax.video import blending
from nstjax.video import flow as flows
from nstjax.video.blending import blend
from nstjax.video.cuts import CutDetector
from nstjax.video.flow import find_motion, warp_image
from nstjax.video.measures import sharpness, warping_error
from nstjax.video.statistics import RunningAverage


@pytest.fixture(params=["opencv", "scikit-image"])
def library(request, monkeypatch):
    """Both libraries that flow comes from."""
    if request.param == "opencv":
        pytest.importorskip("cv2")
    else:
        for module in (flows, blending):
            monkeypatch.setattr(module, "opencv", lambda: None)


def test_flow_of_a_pan(library, pan):
    motion = find_motion(pan[2], pan[3])
    inner = motion.flow[24:-24, 24:-24]
    # What the frame shows lay 3 pixels further right and 1 further down before.
    assert np.abs(np.median(inner, axis=(0, 1)) - [3, 1]).max() < 0.1
    assert motion.holds[24:-24, 24:-24].mean() > 0.9
    # The camera uncovers what is right and below.
    assert motion.holds[:, -3:].mean() < 0.2 and motion.holds[-1:].mean() < 0.3


def test_equal_frames_have_not_moved(pan):
    motion = find_motion(pan[0], pan[0].copy())
    assert not motion.flow.any() and (motion.holds == 1).all()


def test_what_a_figure_uncovers_does_not_hold(figure):
    # Every third frame, so that it moves by 12 pixels.
    motion = find_motion(figure[0], figure[3])
    left = 30 + 12
    uncovered = motion.holds[44:76, left - 10 : left - 2]
    assert uncovered.mean() < 0.4
    assert motion.holds[100:, :].mean() > 0.9
    inner = motion.flow[52:68, left + 12 : left + 28]
    assert np.abs(inner.mean(axis=(0, 1)) - [-12, 0]).max() < 0.5


def test_still_ground_beside_a_figure_is_not_taken_along(photograph):
    pytest.importorskip("cv2")

    def frame(left: int) -> np.ndarray:
        picture = photograph[50:250, 60:360].copy()
        picture[60:140, left : left + 80] = photograph[150:230, 250:330]
        return picture

    # Fur before fur, whose colours tell little.
    motion = find_motion(frame(100), frame(104))
    truth = np.zeros_like(motion.flow)
    truth[60:140, 104:184, 0] = -4
    wrong = np.abs(motion.flow - truth).max(axis=2) > 1
    wrong[60:140, 100:104] = False  # what the figure uncovers was nowhere before
    assert (wrong * motion.holds).sum() < 0.05 * 80 * 80


def test_unlike_frames_hold_nowhere(pan):
    assert find_motion(pan[0], 255 - pan[0]).holds.mean() < 0.1


def test_warping_by_whole_pixels(library):
    rng = np.random.default_rng(0)
    image = rng.random((20, 24, 3), np.float32)
    flow = np.zeros((20, 24, 2), np.float32)
    flow[..., 0], flow[..., 1] = 2, -1
    for sharp in (False, True):
        moved = warp_image(image, flow, sharp=sharp)
        np.testing.assert_allclose(moved[6:-6, 6:-6], image[5:-7, 8:-4], atol=1e-5)


def test_warping_error_is_the_root_mean_square_where_it_holds():
    before, after = np.zeros((8, 8, 3)), np.full((8, 8, 3), 0.3)
    after[:, 4:] = 0.9
    holds = np.zeros((8, 8), np.float32)
    holds[:, :4] = 1
    flow = np.zeros((8, 8, 2), np.float32)
    assert warping_error(before, after, flow, holds) == pytest.approx(0.3, abs=1e-6)
    assert np.isnan(warping_error(before, after, flow, 0 * holds))


def test_sharpness_is_the_laplacians_variance():
    image = np.zeros((9, 9, 3))
    image[4, 4] = 1
    # The kernel's entries are -4 and four times 1; their sum is 0.
    assert sharpness(image) == pytest.approx((16 + 4) / 81)


def test_blending_equal_pictures_changes_nothing(library, pan):
    image = pan[0] / np.float32(255)
    np.testing.assert_allclose(
        blend(image, image, np.ones(image.shape[:2], np.float32)), image, atol=1e-6
    )


def test_blending_keeps_the_energy_of_detail(library):
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.5, 0.08, (2, 96, 96, 3)).astype(np.float32)
    holds = np.ones((96, 96), np.float32)
    joined = blend(one, other, holds, share=0.5)
    plain = (one + other) / 2
    assert sharpness(plain) == pytest.approx(sharpness(one) / 2, rel=0.1)
    assert sharpness(joined) == pytest.approx(sharpness(one), rel=0.1)
    # Where nothing holds, the new picture is taken as it is.
    np.testing.assert_allclose(blend(one, other, 0 * holds), one.clip(0, 1), atol=1e-6)


def test_cuts_are_found_and_motion_is_not(pan, figure, photograph):
    detector = CutDetector()
    other = [255 - frame for frame in figure]
    found = [detector.is_cut(frame) for frame in [*pan, *figure, *other, *pan]]
    starts = [0, 8, 14, 20]
    # Two parts of one photograph may pass for a quick pan; the inverse may not.
    assert [i for i, cut in enumerate(found) if cut and i != 8] == [0, 14, 20], starts


def test_a_detector_goes_on_where_it_was(pan, figure):
    whole, first, second = CutDetector(), CutDetector(), CutDetector()
    frames = [*pan, *(255 - frame for frame in figure)]
    expected = [whole.is_cut(frame) for frame in frames]
    found = [first.is_cut(frame) for frame in frames[:5]]
    second.restore(first.state(), frames[4])
    assert found + [second.is_cut(frame) for frame in frames[5:]] == expected


def test_running_averages():
    average = RunningAverage(seconds=2.0)
    tree = {"mean": np.array([1.0, 2.0])}
    average.update(tree, step=0, restart=True)
    moved = average.update({"mean": np.array([3.0, 2.0])}, step=0.5, restart=False)
    # The closed form of an exponential average over time.
    expected = 3 - 2 * np.exp(-0.5 / 2)
    np.testing.assert_allclose(moved["mean"], [expected, 2], rtol=1e-6)
    other = RunningAverage(seconds=2.0)
    other.restore(average.state(), tree)
    for a in (average, other):
        again = a.update(tree, step=1, restart=False)
        expected_again = 1 + (expected - 1) * np.exp(-1 / 2)
        np.testing.assert_allclose(again["mean"], [expected_again, 2], rtol=1e-6)
    begun = average.update({"mean": np.array([7.0, 7.0])}, step=1, restart=True)
    np.testing.assert_array_equal(begun["mean"], [7, 7])
