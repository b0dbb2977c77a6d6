"""What the bundled depth network sees in photos that it was not trained on."""

from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from nstjax.models.depth import disparity
from nstjax.models.fast_depth import FastDepthSpec
from nstjax.weights.conversion.command import convert
from nstjax.weights.pretrained import load_depth

pytestmark = pytest.mark.slow

SIZE, CELLS = 224, 32


@pytest.fixture(scope="module")
def held_out(shared):
    """Files of the photos that configs/depth_slim.py holds out."""
    return sorted((shared / "data/train/photos").iterdir())[::10]


@pytest.fixture(scope="module")
def photos(held_out):
    """[N, H, W, 3] in [0, 1]."""
    pixels = []
    for path in held_out:
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((SIZE, SIZE), Image.BICUBIC)
        pixels.append(np.asarray(resized, np.float32) / 255)
    return np.stack(pixels)


@pytest.fixture(scope="module")
def found(photos):
    network = load_depth("slim")
    look = jax.jit(partial(disparity, network.params, spec=network.spec))
    return in_cells(look, photos)


def in_cells(look, photos):
    """Means of disparities over cells of 7 x 7 pixels, [N, CELLS, CELLS]."""
    maps = np.concatenate([look(photo[None]) for photo in photos])
    return maps.reshape(-1, CELLS, SIZE // CELLS, CELLS, SIZE // CELLS).mean((2, 4))


def test_it_orders_photos_as_their_labels_do(held_out, found, shared):
    correlations = []
    for path, disparities in zip(held_out, found, strict=True):
        with Image.open(shared / "data/train/photos_disparity" / path.name) as image:
            wanted = image.convert("L").resize((CELLS, CELLS), Image.BOX)
        correlations.append(spearmanr(disparities.ravel(), np.ravel(wanted))[0])
    assert np.mean(correlations) > 0.85


def test_it_sees_how_deep_a_picture_is(photos, found, fast_depth_weights):
    """Labels in files are stretched to their whole range; the teacher's are not."""
    teacher = convert("fast_depth", fast_depth_weights)
    spec = FastDepthSpec.from_dict(teacher.metadata.spec)
    expected = in_cells(jax.jit(partial(disparity, teacher.params, spec=spec)), photos)
    relative = [maps / maps.mean((1, 2), keepdims=True) for maps in (found, expected)]
    contrasts = [maps.std((1, 2)) for maps in relative]
    assert spearmanr(*contrasts)[0] > 0.75
    assert 0.8 < np.median(contrasts[0] / contrasts[1]) < 1.25
    assert np.abs(relative[0] - relative[1]).mean() < 0.12
