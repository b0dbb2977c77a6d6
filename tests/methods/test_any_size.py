"""Pictures in the corner of a larger array against the same by themselves."""

import functools

import jax
import numpy as np
import pytest

from nstjax.methods import canvas as canvas_module
from nstjax.methods import feedforward, one_pass
from nstjax.methods.canvas import Thrift, choose_canvas, place
from nstjax.methods.networks import Networks
from nstjax.methods.specs import PainterTransferSpec, TransferSpec
from nstjax.methods.styles import encode_style
from nstjax.models import decoders, painter, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.painter import PainterSpec
from nstjax.models.vgg import VGGSpec

WIDTHS = (4, 4, 6, 6, 8, 8, 8, 8, 12)


def draw(shapes, seed=0):
    rng = np.random.default_rng(seed)

    def one(shape):
        deviation = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        return (deviation * rng.standard_normal(shape)).astype(np.float32)

    return jax.tree.map(one, shapes, is_leaf=lambda node: isinstance(node, tuple))


def make_painter():
    spec = PainterSpec(((4, 6), (8,), (10,)), ((9,), (8,), (6, 6)), 5)
    params = draw(painter.param_shapes(spec))
    params["decoder"]["pixels"]["kernel"] *= 0.05
    return params, PainterTransferSpec(spec)


def make_decoder(padding):
    encoder = VGGSpec(WIDTHS, padding, "max", "ceil", "imagenet")
    decoder = DecoderSpec.mirror("relu3_1", WIDTHS[:5])
    params = {
        "encoder": draw(vgg.param_shapes(encoder)),
        "decoder": draw(decoders.param_shapes(decoder)),
    }
    params["decoder"]["conv1_1"]["kernel"] *= 0.05
    params["decoder"]["conv1_1"]["bias"] += 0.5
    return params, TransferSpec(encoder, decoder, ddof=1)


@pytest.mark.parametrize(
    ("make", "batch"),
    [
        (make_painter, 1),
        pytest.param(make_painter, 2, marks=pytest.mark.slow),
        pytest.param(
            functools.partial(make_decoder, "reflect"), 1, marks=pytest.mark.slow
        ),
        pytest.param(
            functools.partial(make_decoder, "zero"), 2, marks=pytest.mark.slow
        ),
    ],
)
def test_what_lies_beyond_a_picture_changes_nothing(make, batch):
    params, spec = make()
    rng = np.random.default_rng(1)
    sizes = [(48, 72), (80, 40)][:batch]
    canvas = rng.random((batch, 80, 96, 3)).astype(np.float32)
    style = rng.random((1, 64, 56, 3)).astype(np.float32)

    def whole(params, content, style):
        wanted = feedforward.encode_style(params, style, spec=spec)
        return feedforward.adain_transfer(params, content, [wanted], spec=spec)

    def within(params, content, style, size):
        wanted = feedforward.encode_style(params, style, spec=spec)
        features = feedforward.encode(params, content, spec=spec, size=size)
        own = feedforward.content_statistics(features, spec=spec, size=size)
        restyled = feedforward.restyle(features, [wanted], own=own, spec=spec)
        return feedforward.decode(
            params, restyled, size=content.shape[1:3], spec=spec, within=size
        )

    painted = jax.jit(within)(params, canvas, style, np.array(sizes, np.int32))
    assert painted.shape == canvas.shape
    for image, content, (height, width) in zip(painted, canvas, sizes, strict=True):
        alone = jax.jit(whole)(params, content[None, :height, :width], style)[0]
        assert np.std(alone) > 0.01
        np.testing.assert_allclose(image[:height, :width], alone, atol=2e-5)


def test_canvases_are_few_and_little_larger_than_their_pictures():
    sizes = [(h, w) for h in range(64, 800, 5) for w in range(64, 800, 5)]
    canvases = set()
    for height, width in sizes:
        rows, columns = canvas = choose_canvas((height, width), 8)
        assert height <= rows < height * 1.13 + 8 and columns >= width
        assert rows % 8 == columns % 8 == 0
        canvases.add(canvas)
    assert len(canvases) < len(sizes) / 3


def test_a_canvas_that_is_ready_is_taken_unless_it_is_much_larger():
    ready = [(512, 512), (512, 416), (2048, 2048)]
    assert choose_canvas((500, 375), 8, ready.__contains__) == (512, 416)
    assert choose_canvas((500, 430), 8, ready.__contains__) == (512, 512)
    assert choose_canvas((400, 300), 8, ready.__contains__) == (512, 416)
    assert choose_canvas((300, 500), 8, ready.__contains__) == (512, 512)
    assert choose_canvas((600, 600), 8, ready.__contains__) == (608, 608)
    assert choose_canvas((1800, 1800), 8, ready.__contains__) == (2048, 2048)
    # With less to spare.
    most = 1.3 * 300 * 300
    assert choose_canvas((300, 300), 8, ready.__contains__, most=most) == (304, 304)


def test_larger_canvases_are_painted_in_until_another_would_have_paid():
    thrift, size = Thrift(), (288, 384)
    pictures = 0
    while thrift.most_pixels(size, "here") >= 512 * 512:
        thrift.spend(512 * 512 - 288 * 384, "here")
        pictures += 1
    assert pictures == 1 + 3_000_000 // (512 * 512 - 288 * 384)
    assert thrift.most_pixels(size, "here") == pytest.approx(1.3 * 288 * 384)
    assert thrift.most_pixels(size, "there") == 288 * 384 + 160_000
    # Pictures that fill theirs cost nothing.
    for _ in range(100):
        thrift.spend(0, "full")
    assert thrift.most_pixels((512, 512), "full") > 512 * 512


def test_a_style_without_a_program_is_measured_in_windows_of_the_contents(monkeypatch):
    params, spec = make_painter()
    networks = Networks(params, spec, ())
    # Of whole positions in height only.
    style = np.random.default_rng(2).random((64, 100, 3), np.float32)
    style[:, 50:] *= 0.5
    canvases = []

    def placing(image, canvas, multiple):
        canvases.append(canvas)
        return place(image, canvas, multiple)

    monkeypatch.setattr("nstjax.methods.programs.place", placing)

    def encode(content):
        canvases.clear()
        return encode_style(style, networks=networks, short_side=64, content=content)

    one_pass.prepare_programs((64, 64), networks=networks, blend=[1.0])
    found = encode((64, 64))
    assert canvases == [(64, 64)] * 3
    expected = jax.jit(feedforward.encode_style, static_argnames="spec")(
        params, style[None], spec=spec
    )
    assert found.keys() == expected.keys()
    for level, statistics in expected.items():
        assert np.std(statistics.mean) > 0.01
        np.testing.assert_allclose(found[level].mean, statistics.mean, atol=1e-5)
        np.testing.assert_allclose(found[level].std, statistics.std, atol=1e-5)
    # Once that has cost as much as compiling would have, it gets a program.
    monkeypatch.setattr(canvas_module, "_WORTH_COMPILING", 1000)
    encode((64, 64))
    assert canvases == [(64, 104)]


def test_a_placed_picture_is_continued_to_whole_cells_by_reflection():
    image = np.arange(5 * 3, dtype=np.float32).reshape(5, 3, 1)
    placed, size = place(image, (12, 8), 4)
    assert size.tolist() == [[8, 4]] and placed.shape == (1, 12, 8, 1)
    expected = np.pad(image, ((0, 3), (0, 1), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(placed[0, :8, :4], expected)
    assert not placed[0, 8:].any() and not placed[0, :, 4:].any()
