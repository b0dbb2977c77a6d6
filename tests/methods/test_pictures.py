"""Pictures as commands name them."""

import jax.numpy as jnp
import numpy as np
import pytest

import nstjax
from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.methods.images import read_mask, read_picture
from nstjax.methods.pictures import list_pictures, picture_labels
from nstjax.methods.styles import SavedStyle


def test_a_name_stands_for_an_example_unless_there_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list_pictures("night") == ["night"]
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "b.png").touch()
    # Nor by a folder, unless it is named as one: results may lie in it.
    with pytest.warns(NstjaxWarning, match="night/ for the folder"):
        assert list_pictures("night") == ["night"]
    assert list_pictures("night/") == ["night/b.png"]
    with pytest.raises(NstjaxError, match="cannot be read"):
        list_pictures("day")


def test_labels():
    others = ["x/a.png", "y/a.jpg", "b.png"]
    assert picture_labels(others) == ["a-png", "a-jpg", "b"]
    # A large folder takes no time that grows with its square: 20 s at 20,000.
    many = [f"{number}.png" for number in range(20_000)]
    assert picture_labels(many)[-1] == "19999"


def test_a_saved_style_is_none_for_methods_that_optimise():
    image = np.full((64, 64, 3), 0.5, np.float32)
    with pytest.raises(NstjaxError, match="night cannot be used by the method gatys"):
        nstjax.stylize(image, SavedStyle({}, "", "night"), method="gatys")


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16, jnp.float8_e4m3fn])
def test_arrays_of_any_floating_kind_are_taken(kind):
    # Fractions that each kind holds exactly.
    values = np.resize(np.float32([0, 0.25, 0.5, 1]), (16, 20, 3))
    for array in (jnp.asarray(values, kind), values.astype(kind)):
        picture = read_picture(array)
        assert picture.dtype == np.float32
        np.testing.assert_array_equal(picture, values)
        np.testing.assert_array_equal(read_mask(array[..., 0]), values[..., :1])


@pytest.mark.parametrize("value", [1.5, -1, float("nan")])
def test_small_floating_kinds_are_checked_as_others(value):
    with pytest.raises(NstjaxError, match="values in .0, 1"):
        read_picture(jnp.full((16, 20, 3), value, jnp.bfloat16))
    with pytest.raises(NstjaxError, match="values in .0, 1"):
        read_mask(jnp.full((16, 20), value, jnp.bfloat16))
