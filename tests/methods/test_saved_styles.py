"""Files of saved styles, and what is taken for one."""

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, save_weights

CONTENT = np.random.default_rng(0).random((48, 64, 3)).astype(np.float32)
STYLE = np.random.default_rng(1).random((48, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def painter():
    return nstjax.Painter(style=STYLE)


def test_the_ending_is_one_in_capitals_too(painter, tmp_path):
    path = tmp_path / "NIGHT.STYLE"
    painter.save_style(path)
    painted = painter.paint(CONTENT, style=path)
    np.testing.assert_allclose(painted, painter(CONTENT), atol=1e-4)


def _damage(painter, path):
    painter.save_style(path)
    path.write_bytes(path.read_bytes()[:-100])


def _draw(painter, path):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(path, "PNG")


def _decode(painter, path):
    about = WeightsMetadata("decoder", "a", {}, source="", licence="")
    save_weights(path, {"conv": np.zeros(3)}, about)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_damage, "is not a saved style, or damaged"),
        (_draw, "is a PNG picture, not a saved style"),
        (_decode, "holds a decoder, not a saved style"),
    ],
)
def test_what_is_no_saved_style_is_told_and_how_one_is_made(
    painter, tmp_path, make, expected
):
    path = tmp_path / "night.style"
    make(painter, path)
    with pytest.raises(NstjaxError) as caught:
        painter.paint(CONTENT, style=path)
    sentence = str(caught.value)
    assert f"{path} {expected};" in sentence
    assert "--save-style" in sentence and "Painter.save_style" in sentence


def test_a_saved_style_that_is_not_there(painter):
    with pytest.raises(NstjaxError, match=r"there is no saved style absent\.style"):
        painter.paint(CONTENT, style="absent.style")
