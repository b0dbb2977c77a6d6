"""Detail against SciPy, scikit-image and brute force."""

import numpy as np
import pytest
from scipy.ndimage import convolve, gaussian_filter
from scipy.spatial.distance import cdist
from skimage.metrics import structural_similarity

from nstjax.evaluation.pixels import (
    compare_detail,
    describe_detail,
    edge_f1,
    find_edges,
    make_detail_metric,
)

KERNEL = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
WEIGHTS = np.array([0.299, 0.587, 0.114])


def laplacian(picture, pool):
    cells = picture.astype(np.float64).mean(2)
    side = len(cells) // pool
    cells = cells.reshape(side, pool, side, pool).mean((1, 3))
    return convolve(cells, KERNEL)[1:-1, 1:-1]


def compare(result, content):
    return compare_detail(describe_detail(result), describe_detail(content))


def test_laplacians_and_ssim(paint):
    result, content = paint(0), paint(1)
    found = compare(result, content)
    for pool in (4, 16):
        mine, wanted = laplacian(result, pool), laplacian(content, pool)
        expected = ((mine - wanted) ** 2).sum() / (wanted**2).sum()
        assert found[f"lap{pool}"] == pytest.approx(expected, rel=1e-4)
    expected = structural_similarity(
        result @ WEIGHTS,
        content @ WEIGHTS,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
    )
    assert found["ssim"] == pytest.approx(expected, abs=1e-4)


def test_the_content_itself_keeps_everything(paint):
    content = paint(0)
    metric = make_detail_metric()
    found = metric.measure(
        content, metric.of_content(content), metric.of_style(content)
    )
    assert found == {"lap4": 0, "lap16": 0, "ssim": 1, "edge_f1": 1}
    assert set(found) == {column.key for column in metric.columns}


@pytest.mark.parametrize("degrade", ["blur", "noise"])
def test_detail_is_lost_step_by_step(degrade, paint):
    content = paint(0)
    noise = np.random.default_rng(3).normal(size=content.shape).astype(np.float32)
    if degrade == "blur":
        results = [gaussian_filter(content, (s, s, 0)) for s in (1, 2, 5)]
    else:
        results = [np.clip(content + s * noise, 0, 1) for s in (0.05, 0.2, 0.5)]
    found = [compare(result, content) for result in results]
    for name, better in (("lap4", -1), ("ssim", 1), ("edge_f1", 1)):
        first, second, third = (better * one[name] for one in found)
        assert first > second > third, name


def test_contrast_does_not_matter_to_edges(paint):
    content = paint(0)
    assert compare(0.25 + content / 2, content)["edge_f1"] > 0.99


def test_edges_of_a_square():
    grey = np.zeros((64, 64), np.float32)
    grey[16:48, 16:48] = 1
    edges = find_edges(grey)
    rows, columns = np.nonzero(edges)
    assert len(rows) > 60
    from_side = np.minimum.reduce([abs(rows - 16), abs(rows - 47)])
    from_side = np.minimum(from_side, abs(columns - 16))
    from_side = np.minimum(from_side, abs(columns - 47))
    assert from_side.max() <= 3
    assert not find_edges(np.full((64, 64), 0.5, np.float32)).any()


def test_edge_f1_by_brute_force():
    random = np.random.default_rng(0)
    first, second = (random.random((40, 40)) > 0.97 for _ in range(2))
    distances = cdist(np.argwhere(first), np.argwhere(second))
    precision = (distances.min(1) <= 2).mean()
    recall = (distances.min(0) <= 2).mean()
    expected = 2 * precision * recall / (precision + recall)
    assert 0 < expected < 1
    assert edge_f1(first, second) == pytest.approx(expected)


def test_an_edge_may_be_off_by_the_tolerance():
    line = np.zeros((40, 40), bool)
    line[20] = True
    assert edge_f1(np.roll(line, 2, axis=0), line) == 1
    assert edge_f1(np.roll(line, 3, axis=0), line) == 0
    assert edge_f1(np.roll(line, 3, axis=0), line, tolerance=3) == 1


def test_pictures_without_edges():
    empty, line = np.zeros((2, 20, 20), bool)
    line[10] = True
    assert edge_f1(empty, empty) == 1
    assert edge_f1(line, empty) == edge_f1(empty, line) == 0
