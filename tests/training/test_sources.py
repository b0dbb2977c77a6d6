"""Which pictures a config means."""

import numpy as np
import pytest
from PIL import Image

from configs import common
from nstjax.errors import NstjaxError
from nstjax.io.datasets import open_picture
from nstjax.training.sources import Joined, content_source, pictures_of, style_source


def make_config(**leaves):
    config = common.training("any", "any")
    config.update(leaves)
    return config


def test_folders(tmp_path):
    for kind, count in (("content", 3), ("style", 2)):
        (tmp_path / kind).mkdir()
        for number in range(count):
            Image.new("RGB", (4, 4)).save(tmp_path / kind / f"{number}.png")
    config = make_config(
        content=str(tmp_path / "content"), style=str(tmp_path / "style")
    )
    assert len(content_source(config)) == 3
    assert len(style_source(config)) == 2
    both = pictures_of(config)
    assert [both[i] for i in range(len(both))] == [
        *(tmp_path / "content" / f"{n}.png" for n in range(3)),
        *(tmp_path / "style" / f"{n}.png" for n in range(2)),
    ]


@pytest.mark.parametrize("source", [content_source, style_source])
def test_without_data_the_demonstration_is_named(source):
    with pytest.raises(NstjaxError, match="--config.data=demo"):
        source(make_config())


def test_unknown_data_are_refused():
    with pytest.raises(NstjaxError, match="folders or demo, not 'coco'"):
        content_source(make_config(data="coco"))


def test_the_demonstration_is_of_real_pictures():
    config = make_config(data="demo")
    for source in (content_source(config), style_source(config)):
        assert len(source) >= 3
        for item in source:
            pixels = np.asarray(open_picture(item).convert("RGB"))
            assert min(pixels.shape[:2]) >= 128
            assert pixels.std() > 20  # no plain surface


def test_joined_keeps_the_order():
    joined = Joined("ab", "cde")
    assert [joined[i] for i in range(len(joined))] == list("abcde")
