"""`nstjax.Painter` against `nstjax.stylize`, which it is to equal."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nstjax
from nstjax.methods.styles import encode_style

STYLE = np.random.default_rng(1).random((40, 50, 3)).astype(np.float32)
OTHER = np.random.default_rng(2).random((40, 50, 3)).astype(np.float32)


def picture(seed):
    return np.random.default_rng(seed).random((48, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def painter():
    return nstjax.Painter(style=STYLE)


def test_it_paints_what_stylize_paints(painter):
    content = picture(3)
    expected = nstjax.stylize(content, STYLE)
    np.testing.assert_allclose(painter(content), expected, atol=1e-6)
    mixed = painter.paint(content, style=[STYLE, OTHER], style_blend=[1, 3], alpha=0.5)
    expected = nstjax.stylize(content, [STYLE, OTHER], style_blend=[1, 3], alpha=0.5)
    np.testing.assert_allclose(mixed, expected, atol=1e-6)
    assert abs(mixed - painter(content)).max() > 0.05


# Of canvases' sizes, and between those.
@pytest.mark.parametrize("size", [(48, 64), (33, 47)])
@pytest.mark.parametrize("options", [{}, {"preserve_color": "luminance"}])
def test_results_are_one_s_own(painter, size, options):
    for paint in (painter.paint, lambda *a, **k: nstjax.stylize(*a, STYLE, **k)):
        content = picture(3)
        image = paint(content, size=size, **options)
        assert image.flags.writeable and image.flags.c_contiguous
        image[:] = 0
        np.testing.assert_array_equal(content, picture(3))


def test_a_painter_that_was_pickled_paints_the_same(tmp_path):
    nstjax.Painter(style=OTHER).save_style(tmp_path / "other.style")
    styles = [STYLE, tmp_path / "other.style"]
    painter = nstjax.Painter(style=styles, size=40, max_memory="2 GB", alpha=0.5)
    content = picture(3)
    again = pickle.loads(pickle.dumps(painter))
    np.testing.assert_array_equal(again(content), painter(content))


def test_it_keeps_a_style_as_it_was_given():
    style, content = STYLE.copy(), picture(3)
    painter = nstjax.Painter(style=style)
    before = painter(content)
    style[:] = 0
    np.testing.assert_array_equal(painter(content), before)


def test_it_keeps_what_to_start_from_as_it_was_given():
    start, content = OTHER.copy(), picture(3)
    painter = nstjax.Painter("gatys", style=STYLE, init=start, iterations=1)
    before = painter(content)
    start[:] = 0
    np.testing.assert_allclose(painter(content), before, atol=1e-4)


def test_threads_get_each_their_own_picture(painter):
    contents = [picture(seed) for seed in range(4, 10)]
    styles = [STYLE, OTHER] * 3
    expected = [
        nstjax.stylize(content, style)
        for content, style in zip(contents, styles, strict=True)
    ]
    with ThreadPoolExecutor(6) as pool:
        painted = pool.map(lambda c, s: painter.paint(c, style=s), contents, styles)
        for image, wanted in zip(painted, expected, strict=True):
            np.testing.assert_allclose(image, wanted, atol=1e-6)


def test_networks_and_styles_are_seen_once(monkeypatch):
    painter, content = nstjax.Painter(), picture(3)
    encoded = []
    monkeypatch.setattr(
        "nstjax.methods.styles.encode_style",
        lambda *a, **k: encoded.append(a) or encode_style(*a, **k),
    )
    monkeypatch.setattr("nstjax.methods.networks.load_networks", None)
    for style in (STYLE, OTHER, STYLE.copy(), OTHER):
        painter.paint(content, style=style)
    assert len(encoded) == 2


def test_contents_of_nearly_one_size_share_a_styles_statistics(monkeypatch):
    sides = {}

    def encoding(style, **options):
        sides[size] = options["short_side"]
        return encode_style(style, **options)

    monkeypatch.setattr("nstjax.methods.styles.encode_style", encoding)
    painter = nstjax.Painter(style=STYLE)
    for size in ((72, 60), (66, 62), (58, 90), (280, 300)):
        painter.paint(picture(3), size=size)
    assert sides == {(72, 60): 64, (58, 90): 56, (280, 300): 288}


def test_sizes_and_pictures_of_pil(painter):
    small = painter.paint(picture(3), size=(40, 32), as_pil=True)
    assert small.size == (32, 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at_once": 0}, "at_once"),
        ({"max_memory": "lots"}, "lots"),
        ({"size": "x"}, "a size must be a whole number"),
        ({"style": 3}, "or a list of pictures"),
        ({"method": "no"}, "no method 'no'"),
        ({"style": "missing.jpg"}, "missing.jpg"),
        ({"strength": 2}, "no option 'strength'"),
    ],
)
def test_bad_painters_are_refused(options, message):
    with pytest.raises(nstjax.NstjaxError, match=message):
        nstjax.Painter(**options)


def test_bad_pictures_are_refused_and_harm_no_other(painter):
    with pytest.raises(nstjax.NstjaxError, match="no style of its own"):
        nstjax.Painter().paint(picture(3))
    for _ in range(3):
        with pytest.raises(nstjax.NstjaxError, match="decoder decides which networks"):
            painter.paint(picture(3), decoder="adain-lap-slim")
        with pytest.raises(nstjax.NstjaxError, match=r"missing\.jpg"):
            painter.paint("missing.jpg")
    assert painter(picture(3)).shape == (48, 64, 3)


def test_a_saved_style_paints_as_its_picture(painter, tmp_path):
    path = tmp_path / "my.style"
    painter.save_style(path)
    # Its shorter side is the style's, at which both see it.
    content = picture(3)[:40]
    by_file = painter.paint(content, style=str(path))
    np.testing.assert_allclose(by_file, nstjax.stylize(content, STYLE), atol=1e-4)
    assert abs(by_file - painter.paint(content, style=OTHER)).max() > 0.1
    with pytest.raises(nstjax.NstjaxError, match="exists"):
        painter.save_style(path)
    for other, message in (
        (nstjax.Painter(), "has 0"),
        (nstjax.Painter(style=[STYLE, OTHER]), "has 2"),
        (nstjax.Painter("style-swap-net", style=STYLE), "cannot save styles"),
    ):
        with pytest.raises(nstjax.NstjaxError, match=message):
            other.save_style(tmp_path / "other.style")


def test_a_saved_style_keeps_the_painter_s_strokes(tmp_path):
    content = picture(3)[:40]
    for number, option in enumerate(({"style_scale": 0.8}, {"stroke_scale": 0.0625})):
        painter = nstjax.Painter(style=STYLE, **option)
        path = tmp_path / f"{number}.style"
        painter.save_style(path)
        by_file = nstjax.stylize(content, str(path))
        np.testing.assert_allclose(by_file, painter(content), atol=1e-4)
    painter = nstjax.Painter(style=STYLE, stroke_scale=3.0)
    with pytest.raises(nstjax.NstjaxError, match="stroke_scale above 1"):
        painter.save_style(tmp_path / "large.style")


def test_a_method_is_no_option_of_a_picture(painter):
    with pytest.raises(nstjax.NstjaxError, match="the method is adain"):
        painter.paint(picture(3), method="adain-lap")


def test_a_saved_style_has_its_own_strokes(painter, tmp_path):
    painter.save_style(tmp_path / "my.style")
    for option in ("style_scale", "stroke_scale"):
        with pytest.raises(nstjax.NstjaxError, match="was saved"):
            nstjax.stylize(picture(3), str(tmp_path / "my.style"), **{option: 0.5})


def test_what_networks_are_made_of_is_the_painter_s():
    painter = nstjax.Painter("gatys", style=STYLE)
    with pytest.raises(nstjax.NstjaxError, match="pooling decides which networks"):
        painter.paint(picture(3), pooling="average")
