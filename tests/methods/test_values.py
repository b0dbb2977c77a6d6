"""What users of the Python interface give, in all kinds and types."""

import io

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.errors import NstjaxError
from nstjax.methods.images import output_size, read_content, read_mask, read_picture
from nstjax.methods.options import method_options
from nstjax.methods.styles import save_style
from nstjax.methods.values import number, shares

IMAGE = np.full((32, 40, 3), 0.5, np.float32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 1e6}, "a size must be a whole number, not 1000000.0"),
        ({"size": "64"}, "a size must be a whole number, not '64'"),
        ({"size": float("nan")}, "a size must be a whole number"),
        ({"size": (64,)}, r"a size must be \(height, width\)"),
        ({"size": (64, 32.5)}, "a width must be a whole number, not 32.5"),
        ({"alpha": "0.5"}, "alpha must be a number, not '0.5'"),
        ({"alpha": [0.5]}, "alpha must be a number"),
        ({"alpha": True}, "alpha must be a number, not True"),
        ({"seed": "a"}, "the seed must be a whole number"),
        ({"seed": 1.5}, "the seed must be a whole number"),
        ({"style_blend": "ab"}, "the weights to blend must be a sequence"),
        ({"style_blend": 3}, "the weights to blend must be a sequence"),
        ({"style_blend": [-1]}, "the weights to blend must be 0 or more"),
        ({"style_blend": [float("nan")]}, "the weights to blend must be 0 or more"),
        ({"style_blend": [0, 0]}, "not all 0, not 0, 0"),
        ({"time_limit": "x", "method": "gatys"}, "the time limit must be a number"),
        ({"mask": 3}, "give a picture .* or a list of pictures, not int"),
        ({"stroke_scale": "x"}, "stroke_scale must be a number"),
        ({"decoder": 3}, "decoder must be a name or a file, not 3"),
        ({"method": ["gatys"]}, "there is no method"),
        ({"method": "gatys", "preset": ""}, "the preset has no name"),
        ({"method": "gatys", "iterations": 2.5}, "iterations must be a whole number"),
        ({"method": "gatys", "style_weight": "x"}, "style_weight must be a number"),
        ({"method": "gatys", "encoder": 3}, "encoder must be a name or a file"),
        ({"method": "gatys", "stages": 3}, "stages must be a sequence of numbers"),
        ({"method": "gatys", "stages": ((0.5,),)}, "stages must be pairs"),
        ({"method": "gatys", "stages": (0.5, 1.0)}, "stages must be pairs"),
        ({"method": "gatys", "clamp": 1}, "clamp must be True or False"),
        ({"method": "gatys", "style_layers": ["relu1_1"]}, "numbers by name"),
        ({"method": "gatys", "style_layers": {"relu1_1": "x"}}, "must be a number"),
    ],
)
def test_other_kinds_are_refused_in_a_sentence(given, message):
    with pytest.raises(NstjaxError, match=message):
        nstjax.stylize(IMAGE, IMAGE, **given)


def test_numpy_s_numbers_are_numbers():
    assert output_size(64, 128, np.int64(64)) == (32, 64)
    assert output_size(64, 128, (np.int64(20), 30)) == (20, 30)
    assert output_size(64, 128, np.array([20, 30])) == (20, 30)
    assert output_size(64, 128, jnp.int32(64)) == (32, 64)
    assert number("alpha", jnp.float32(0.5)) == 0.5
    options = method_options(
        "gatys",
        options={
            "iterations": np.int32(7),
            "style_weight": np.float32(2),
            "stages": np.array([[0.5, 2.0]]),
        },
    )
    assert options["iterations"] == 7 and type(options["iterations"]) is int
    assert options["style_weight"] == 2.0 and type(options["style_weight"]) is float
    assert options["stages"] == ((0.5, 2.0),)
    assert shares("shares", jnp.array([1.0, 3.0])) == (1.0, 3.0)


def _grey_of_16_bits():
    levels = np.linspace(0, 65535, 32 * 40).reshape(32, 40)
    return Image.fromarray(levels.astype(np.uint16))


def _half_transparent():
    pixels = np.zeros((32, 40, 4), np.uint8)
    pixels[..., 0] = 255
    pixels[:, 20:, 3] = 255
    return Image.fromarray(pixels)


def _palette():
    return _half_transparent().quantize(4)


def _turned():
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (32, 40, 3), np.uint8))
    image.getexif()[0x0112] = 6  # to be turned by a quarter
    return image


@pytest.mark.parametrize(
    "make", [_grey_of_16_bits, _half_transparent, _palette, _turned]
)
def test_a_picture_of_pil_is_what_its_file_is(make, tmp_path):
    image = make()
    path = tmp_path / "picture.png"
    image.save(path, exif=image.getexif())
    for of_pil in (image, Image.open(path)):
        np.testing.assert_array_equal(read_picture(of_pil), read_picture(path))
    ours, theirs = read_content(Image.open(path)), read_content(path)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert (ours[1] is None) == (theirs[1] is None)
    if make is _half_transparent:
        # Before white, not in the colour that nobody sees.
        np.testing.assert_array_equal(ours[0][0, 0], [1, 1, 1])
        np.testing.assert_array_equal(ours[0][0, -1], [1, 0, 0])
        np.testing.assert_array_equal(ours[1][0, [0, -1], 0], [0, 1])


def test_pictures_that_cannot_be_read_are_refused_in_a_sentence():
    file = io.BytesIO()
    _turned().save(file, "png")
    cut_off = Image.open(io.BytesIO(file.getvalue()[:500]))
    closed = _turned()
    closed.close()
    for picture in (cut_off, closed, Image.new("La", (32, 32))):
        for read in (read_picture, read_content, read_mask):
            with pytest.raises(NstjaxError, match="the PIL picture cannot be read"):
                read(picture)
    with pytest.raises(NstjaxError, match="sides of at least"):
        read_picture(Image.new("RGB", (1, 1)))
    deleted = jnp.zeros((32, 32, 3)) + 0.5
    deleted.delete()
    with pytest.raises(NstjaxError, match="has been deleted"):
        read_picture(deleted)


def test_arguments_the_wrong_way_round_are_named(tmp_path):
    with pytest.raises(NstjaxError, match=r"save_style\(path, style\)"):
        save_style(IMAGE, "night.style")
