"""FastDepth against PyTorch, and with real weights against its own labels."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from nstjax.errors import NstjaxError
from nstjax.io.weights import load_weights, save_weights
from nstjax.models.depth import disparity
from nstjax.models.fast_depth import activations, forward
from nstjax.training.recipes.depth_teacher import label
from nstjax.weights.conversion.command import convert
from nstjax.weights.pretrained import load_depth


def test_same_depth_as_torch(fast_depth_layers, fast_depth_file, torch_reference):
    image = np.random.default_rng(1).random((2, 224, 224, 3), np.float32)
    expected = torch_reference("torch_fast_depth").run(fast_depth_layers, image)
    assert expected.std() > 0.01
    params = convert("fast_depth", fast_depth_file).params
    seen = jax.jit(forward)(params, image)
    for rows, columns in ((0, 0), (1, 1)):
        np.testing.assert_allclose(
            seen.depth, expected[:, rows::2, columns::2], rtol=1e-3, atol=1e-4
        )
    assert [x.shape[1] for x in seen.encoder] == [112, 56, 28, 14, 7]
    assert {level: x.shape[1] for level, x in seen.decoder.items()} == {
        5: 7,
        4: 14,
        3: 28,
        2: 56,
        1: 112,
    }


def test_parts_are_looked_at_as_they_are(fast_depth_converted):
    params = load_depth(fast_depth_converted).params
    image = np.random.default_rng(1).random((1, 224, 224, 3), np.float32)
    look = jax.jit(activations)
    whole, part = look(params, image), look(params, image[:, 64:160, 32:160])
    assert part.depth.shape == (1, 48, 64, 1)
    # Away from the cut, a feature is that of the whole at the same place.
    for block, margin, rows, columns in (("block1", 4, 32, 16), ("block3", 4, 16, 8)):
        (_, found), (_, expected) = part.encoder[block], whole.encoder[block]
        np.testing.assert_allclose(
            found[:, margin:-margin, margin:-margin],
            expected[
                :,
                rows + margin : rows + found.shape[1] - margin,
                columns + margin : columns + found.shape[2] - margin,
            ],
            rtol=1e-4,
            atol=1e-5,
        )


def test_disparity_is_one_over_the_depth_at_the_pictures_size(fast_depth_converted):
    network = load_depth(fast_depth_converted)
    look = jax.jit(disparity, static_argnames="spec")
    image = np.random.default_rng(1).random((2, 112, 112, 3), np.float32)
    seen = jax.jit(forward)(network.params, image).depth
    assert seen.shape == (2, 112, 112, 1)
    found = look(network.params, image, spec=network.spec)
    np.testing.assert_allclose(found, 1 / np.maximum(seen, 0.1), rtol=1e-5)
    other = look(network.params, image[:, :60, :80], spec=network.spec)
    assert other.shape == (2, 60, 80, 1)


def test_a_file_of_other_widths_is_refused(fast_depth_converted, tmp_path):
    params, metadata = load_weights(fast_depth_converted)
    spec = dict(metadata.spec)
    for change, message in (
        ({"stem_width": 7}, "stem/bias has shape"),
        ({"stem_width": None}, "malformed"),
        ({"encoder_widths": [6, 6]}, "13 and 5 blocks, not 2 and 5"),
    ):
        wrong = dataclasses.replace(metadata, spec=spec | change)
        path = tmp_path / "wrong.safetensors"
        save_weights(path, params, wrong, overwrite=True)
        with pytest.raises(NstjaxError, match=message):
            load_depth(path)


def test_real_weights_give_the_labels_they_gave(shared, fast_depth_weights):
    params = convert("fast_depth", fast_depth_weights).params
    look = jax.jit(lambda image: label(forward(params, image).depth, (56, 56)))
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
