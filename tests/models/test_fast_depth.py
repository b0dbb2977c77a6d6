"""FastDepth against PyTorch, and with real weights against its own labels."""

import jax
import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from nstjax.conversion.command import convert
from nstjax.models.fast_depth import see
from nstjax.tasks.depth_teacher import label

WEIGHTS = "weights/fast_depth_dequant_float32.npz"


@pytest.fixture(scope="module")
def weights(shared):
    path = shared / WEIGHTS
    if not path.is_file():
        pytest.skip(f"needs ../shared/{WEIGHTS}")
    return path


def test_same_depth_as_torch(fast_depth_layers, fast_depth_file, torch_reference):
    image = np.random.default_rng(1).random((2, 224, 224, 3), np.float32)
    expected = torch_reference("torch_fast_depth").run(fast_depth_layers, image)
    assert expected.std() > 0.01
    params = convert("fast_depth", fast_depth_file).params
    seen = jax.jit(see)(params, image)
    for rows, columns in ((0, 0), (1, 1)):
        np.testing.assert_allclose(
            seen.depth, expected[:, rows::2, columns::2], rtol=1e-3, atol=1e-4
        )
    assert [x.shape[1] for x in seen.encoder] == [112, 56, 28, 14, 7]
    assert {level: x.shape[1] for level, x in seen.decoder.items()} == {
        4: 14,
        3: 28,
        2: 56,
        1: 112,
    }


def test_pictures_of_any_size_are_resized(fast_depth_file):
    params = convert("fast_depth", fast_depth_file).params
    image = np.random.default_rng(1).random((1, 60, 80, 3), np.float32)
    assert jax.jit(see)(params, image).depth.shape == (1, 112, 112, 1)


def test_real_weights_give_the_labels_they_gave(shared, weights):
    params = convert("fast_depth", weights).params
    look = jax.jit(lambda image: label(see(params, image).depth, (56, 56)))
    photos = sorted((shared / "data/train/photos").iterdir())[::700]
    correlations = []
    for photo in photos:
        with Image.open(photo) as image:
            pixels = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        found = look(np.asarray(pixels, np.float32)[None] / 255)
        with Image.open(shared / "data/train/photos_disparity" / photo.name) as image:
            wanted = image.convert("L").resize((56, 56), Image.Resampling.BOX)
        correlations.append(spearmanr(np.ravel(found), np.ravel(wanted))[0])
    # The labels are averages over a mirrored view as well.
    assert np.mean(correlations) > 0.95 and min(correlations) > 0.85
