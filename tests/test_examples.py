import itertools
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from skimage.color import rgb2lab
from skimage.filters import gaussian

from nstjax import examples
from nstjax.errors import NstjaxError

ROOT = Path(__file__).resolve().parents[1]
BANDS = (0.7, 1.4, 2.8, 5.6, 11.2)


def read_style(name):
    with Image.open(examples.style_path(name)) as picture:
        assert picture.format == "JPEG" and picture.mode == "RGB"
        return np.asarray(picture)


@pytest.fixture(scope="module")
def styles():
    return {name: read_style(name) for name in examples.style_names()}


@pytest.fixture(scope="module")
def statistics(styles):
    return {name: stroke_statistics(lightness(p)) for name, p in styles.items()}


def lightness(picture):
    """CIE L of a [H, W, 3] uint8 picture."""
    return rgb2lab(picture)[..., 0]


def gaussian_distance(one, other):
    """Wasserstein-2 distance of normal distributions fitted to [N, C] samples."""
    a, b = np.cov(one.T), np.cov(other.T)
    # tr((a^1/2 b a^1/2)^1/2) is the sum of the roots of the eigenvalues of a b.
    cross = np.sqrt(np.clip(np.linalg.eigvals(a @ b).real, 0, None)).sum()
    shift = ((one.mean(0) - other.mean(0)) ** 2).sum()
    return np.sqrt(max(shift + np.trace(a) + np.trace(b) - 2 * cross, 0))


def stroke_statistics(field):
    """What strokes look like, whatever their colours.

    Returns:
        Share of the detail in each band of scale; share of the contrast in each
        of 12 directions; and how much strokes run in parallel, from 0 (dots) to
        1, by the coherence of the structure tensor over some 10 pixels.
    """
    blurred = [field, *(gaussian(field, sigma) for sigma in BANDS)]
    detail = np.array([np.std(a - b) for a, b in itertools.pairwise(blurred)])
    dy, dx = np.gradient(gaussian(field, 1.0))
    # Direction along the stroke, modulo half a turn, weighted by contrast.
    angle = np.arctan2(dx, -dy) % np.pi
    direction, _ = np.histogram(angle, 12, (0, np.pi), weights=np.hypot(dx, dy))
    xx, yy, xy = (gaussian(a * b, 5.0) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    parallel = np.hypot(xx - yy, 2 * xy).sum() / (xx + yy).sum()
    return detail / detail.sum(), direction / direction.sum(), parallel


def test_there_are_enough_styles_and_they_are_small(styles):
    assert len(styles) >= 8
    for name, picture in styles.items():
        assert 512 <= max(picture.shape) <= 640, name
        assert min(picture.shape[:2]) >= 400, name
    sizes = [examples.style_path(name).stat().st_size for name in styles]
    assert max(sizes) < 150_000
    assert sum(sizes) < 1_200_000


def test_styles_differ_in_palette(styles):
    labs = {n: rgb2lab(p[::4, ::4]).reshape(-1, 3) for n, p in styles.items()}
    for one, other in itertools.combinations(labs, 2):
        # A difference of 2.3 in CIE Lab is just noticeable.
        assert gaussian_distance(labs[one], labs[other]) > 12, (one, other)


def test_styles_differ_in_size_or_direction_of_strokes(statistics):
    for one, other in itertools.combinations(statistics, 2):
        # Each between 0 and 1: two total variation distances and a difference.
        distances = [
            np.abs(a - b).sum() / (2 if np.ndim(a) else 1)
            for a, b in zip(statistics[one], statistics[other], strict=True)
        ]
        assert np.linalg.norm(distances) > 0.1, (one, other)


def test_styles_are_neither_noise_nor_gradients(statistics):
    height, width = 200, 300
    noise = np.random.default_rng(0).standard_normal((height, width))
    ramp = np.broadcast_to(np.linspace(0, 100, width), (height, width))
    finest_of_noise = stroke_statistics(noise)[0][0]
    coarsest_of_ramp = stroke_statistics(ramp)[0][-1]
    for name, (detail, _, _) in statistics.items():
        assert detail[0] < 0.6 * finest_of_noise, name
        assert detail[-1] < 0.6 * coarsest_of_ramp, name


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("astronaut", (512, 512, 3)),
        ("chelsea", (300, 451, 3)),
        ("coffee", (400, 600, 3)),
    ],
)
def test_content_comes_from_the_wheel_of_scikit_image(name, shape):
    image = examples.content_image(name)
    assert image.shape == shape and image.dtype == np.float32
    path = Path(skimage.data.__file__).parent / f"{name}.png"
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_allclose(image * 255, expected, atol=1e-4)
    assert image.min() >= 0 and image.max() <= 1


def test_content_names():
    assert examples.content_names() == ("astronaut", "chelsea", "coffee")


@pytest.mark.parametrize("load", [examples.style_path, examples.content_image])
def test_unknown_names_are_answered_with_the_known_ones(load):
    with pytest.raises(NstjaxError) as caught:
        load("mona_lisa")
    known = {
        examples.style_path: examples.style_names(),
        examples.content_image: examples.content_names(),
    }[load]
    assert all(name in str(caught.value) for name in ("mona_lisa", *known))


def test_is_example():
    assert examples.is_example("night") and examples.is_example("chelsea")
    assert not examples.is_example("night.jpg")
    assert not examples.is_example("")
    assert not examples.is_example("../styles/night")
