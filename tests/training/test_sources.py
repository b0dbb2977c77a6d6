"""Which pictures a config means."""

import numpy as np
import pytest
from PIL import Image

from configs import common
from nstjax.errors import NstjaxError
from nstjax.io.datasets import Stream, open_picture
from nstjax.training.sources import (
    Joined,
    by_texture,
    content_source,
    likelihood,
    pictures_of,
    style_source,
    texture,
)


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


def test_texture_is_that_of_pairs_of_pixels():
    columns = np.repeat(np.array([0, 0, 60, 60], np.uint8), 3).reshape(1, 4, 3)
    picture = np.repeat(columns, 4, axis=0)
    assert texture(picture) == 60**2
    # Half as many edges, half as much; none that two pixels average out.
    wide = np.concatenate([picture, picture[:, -1:], picture[:, -1:]], axis=1)
    np.testing.assert_allclose(texture(wide), 60**2 / 2)
    fine = np.indices((4, 4)).sum(axis=0) % 2 * 200
    assert texture(np.stack([fine] * 3, axis=2).astype(np.uint8)) == 0


def test_pictures_are_drawn_by_their_texture_within_bounds():
    shares = likelihood(np.array([0.0, 5, 10, 15, 1000]), (0.35, 2.5))
    np.testing.assert_allclose(shares, [0.35, 0.5, 1, 1.5, 2.5])
    assert np.isfinite(likelihood(np.zeros(3), (0.35, 2.5))).all()


def test_textured_pictures_come_more_often():
    def load(item, random):
        assert random is None
        if item == "broken":
            raise OSError(item)
        picture = np.zeros((4, 4, 3), np.uint8)
        picture[:, 2:] = item
        return picture

    source = [10, 1, 14, 100, "broken"]
    stream = by_texture(Stream(source, load), (0.5, 2.5), threads=2)
    items = [stream.source[i] for i in range(len(stream.source))]
    # Mean squares 100, 1, 196, 10,000: the usual one is 148.
    assert [items.count(item) for item in source] == [3, 2, 5, 10, 4]
    assert stream.load is load


def test_pictures_of_which_none_can_be_read_are_left_to_who_reads_them():
    def load(item, random):
        raise OSError(item)

    stream = by_texture(Stream(["a", "b"], load), (0.35, 2.5), threads=1)
    assert [stream.source[i] for i in range(len(stream.source))] == ["a", "b"]
