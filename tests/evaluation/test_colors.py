"""Colour values on pictures whose values follow from their definitions."""

import numpy as np
import pytest

from nstjax.evaluation import pixels

RNG = np.random.default_rng(0)


def plain(*color, size=64):
    return np.broadcast_to(np.float32(color), (size, size, 3)).copy()


def test_palette_of_plain_colours_is_the_mean_projected_distance():
    """One point each: |direction . difference|, averaged over directions."""
    from nstjax.evaluation.pixels import directions

    difference = np.array([0.4, -0.2, 0.1])
    expected = 255 * np.abs(directions(3) @ difference).mean()
    found = pixels.palette(plain(0.5, 0.3, 0.2), plain(0.1, 0.5, 0.1))
    assert found == pytest.approx(expected, rel=1e-5)


def test_palette_does_not_see_where_colours_are():
    picture = RNG.random((32, 32, 3), np.float32)
    shuffled = RNG.permutation(picture.reshape(-1, 3)).reshape(picture.shape)
    assert pixels.palette(shuffled, picture) == pytest.approx(0, abs=1e-4)


def test_chroma_of_greys_and_of_a_known_colour():
    assert pixels.chroma(plain(0.3, 0.3, 0.3)) == pytest.approx(0, abs=0.01)
    # sRGB's red is L*a*b* 53.24, 80.09, 67.20.
    assert pixels.chroma(plain(1, 0, 0)) == pytest.approx(np.hypot(80.09, 67.20), 1e-3)


def test_fringe_is_zero_for_greys_and_grows_with_coloured_edges():
    grey = np.repeat(RNG.random((48, 48, 1), np.float32), 3, axis=2)
    assert pixels.fringe(grey) == pytest.approx(0, abs=1e-5)
    # A pattern in red alone: R - G and (R + G) / 2 - B are p and p / 2, grey .299 p.
    red = np.zeros_like(grey)
    red[..., 0] = grey[..., 0]
    expected = np.sqrt((1 + 0.25) / 2) / 0.299
    assert pixels.fringe(red) == pytest.approx(expected, rel=1e-3)


def test_flat_looks_only_where_the_content_is_flat():
    content = plain(0.5, 0.5, 0.5)
    content[:, 32:] = RNG.random((64, 32, 1))
    restless = content.copy()
    restless[:, 40:] = RNG.random((64, 24, 1))
    assert pixels.flat(restless, content) == pytest.approx(
        pixels.flat(content, content)
    )
    # A chequered field of +-d has a Laplacian of 8 d everywhere.
    checks = plain(0.5, 0.5, 0.5) + 0.05 * (
        (-1.0) ** np.add.outer(np.arange(64), np.arange(64))
    )[..., None].astype(np.float32)
    found = pixels.flat(checks, plain(0.5, 0.5, 0.5))
    assert found == pytest.approx(255 * 8 * 0.05, rel=0.02)


def test_metric_gives_its_columns():
    metric = pixels.make_color_metric()
    content, style = RNG.random((2, 48, 48, 3), np.float32)
    values = metric.measure(content, metric.of_content(content), metric.of_style(style))
    assert values.keys() == {column.key for column in metric.columns}
    greys = metric.measure(plain(0.2, 0.2, 0.2), content, style)
    assert greys["chroma"] == 0
