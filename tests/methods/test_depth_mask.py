"""Styles for what is near and for what is far."""

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.cli.stylize import main
from nstjax.errors import NstjaxError
from nstjax.methods import images

CONTENT = np.random.default_rng(0).random((48, 64, 3), np.float32)


@pytest.fixture
def disparities(monkeypatch):
    """A depth network that sees 4 on the left, 1 on the right, and 2 between."""
    seen = np.ones((48, 64), np.float32)
    seen[:, :32], seen[:, 32:34] = 4, 2

    def disparity(params, image, *, spec):
        assert image.shape == (1, 48, 64, 3)
        return seen[None, ..., None]

    monkeypatch.setattr(images, "_disparity", disparity)
    return seen


def test_near_is_white_far_is_black_and_between_is_grey(disparities):
    depth = nstjax.load_depth("slim")
    mask = images.near_mask(CONTENT, depth=depth)
    assert mask.shape == (48, 64, 1) and mask.dtype == np.float32
    # By logarithms: 4 and 1 are the near and the far, of whose ratio 2 is the root.
    assert (mask[:, :32] > 0.99).all() and (mask[:, 34:] < 0.04).all()
    np.testing.assert_allclose(mask[:, 32:34], 0.5, atol=0.04)


def test_a_wall_is_near_everywhere(disparities):
    disparities[:] = 3
    mask = images.near_mask(CONTENT, depth=nstjax.load_depth("slim"))
    assert (mask == 1).all()


def test_each_style_goes_to_its_depth(disparities):
    styles = ["night", "sunflowers"]
    image = nstjax.stylize(CONTENT, styles, mask="depth")
    mask = images.near_mask(CONTENT, depth=nstjax.load_depth("slim"))[..., 0]
    np.testing.assert_array_equal(image, nstjax.stylize(CONTENT, styles, mask=mask))
    swapped = nstjax.stylize(CONTENT, styles[::-1], mask="depth")
    assert np.abs(image - swapped)[:, :24].mean() > 0.05


@pytest.mark.slow
def test_the_bundled_network_sees_the_astronaut_before_the_wall():
    astronaut = images.read_picture("astronaut")
    mask = images.near_mask(astronaut, depth=nstjax.load_depth("slim"))[..., 0]
    # The suit and the helmet before the wall.
    assert mask[380:, 100:450].mean() > 0.7 > 0.3 > mask[:150, 250:330].mean()


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert images.is_depth_mask("depth")
    Image.new("L", (64, 48), 255).save("depth", "PNG")
    assert not images.is_depth_mask("depth")


@pytest.mark.parametrize(
    ("styles", "options", "words"),
    [
        (["night", "wave", "river"], {}, "3 styles and 1 masks do not match"),
        (["night", "wave"], {"method": "gatys"}, "takes no mask"),
        (["night", "wave"], {"style_blend": (1, 2)}, "blended or masked"),
    ],
)
def test_what_does_not_fit_is_refused(styles, options, words, disparities):
    with pytest.raises(NstjaxError, match=words):
        nstjax.stylize(CONTENT, styles, mask="depth", **options)


def test_the_command_takes_depth_for_pictures_only(tmp_path, capsys):
    frames = [Image.new("RGB", (32, 32), shade) for shade in ("red", "blue")]
    clip = tmp_path / "clip.gif"
    frames[0].save(clip, save_all=True, append_images=frames[1:])
    command = ["--style", "night", "wave", "--mask", "depth", "--quiet"]
    assert main([*command, "--content", str(clip)]) == 2
    assert "a depth mask is for pictures" in capsys.readouterr().err
