"""The planner, and its model against what XLA says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.methods import feedforward
from nstjax.methods.canvas import LARGEST_SHARE
from nstjax.methods.memory import costs, planner
from nstjax.methods.memory.planner import check_optimisation, plan_transfer, tiled_bytes
from nstjax.methods.options import method_options
from nstjax.methods.plan import make_plan
from nstjax.methods.specs import PainterTransferSpec, TransferSpec
from nstjax.methods.tiling.transfer import Tiling
from nstjax.models import decoders, painter, vgg
from nstjax.models.decoders import DecoderSpec
from nstjax.models.vgg import VGGSpec

# As the first bundled networks were.
SLIM = TransferSpec(
    VGGSpec((24, 32, 48, 112, 144, 96, 96, 96, 160), "reflect"),
    DecoderSpec(input_width=160, widths=(128, 80, 80, 64, 48, 32, 24, 16, 3)),
)
FULL = TransferSpec(
    VGGSpec(vgg.FULL_WIDTHS[:9], "reflect"),
    DecoderSpec.mirror("relu4_1", vgg.FULL_WIDTHS[:9]),
)


def _needed_by_xla(function, *arguments) -> float:
    """Bytes of scratch memory for each pixel of a picture of 128 x 128."""
    compiled = jax.jit(function).lower(*arguments).compile()
    return compiled.memory_analysis().temp_size_in_bytes / 128**2


def _shapes(tree):
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        tree,
        is_leaf=lambda node: isinstance(node, tuple),
    )


def test_the_model_is_near_what_the_compiler_plans_and_not_below():
    params = _shapes(
        {
            "encoder": vgg.param_shapes(SLIM.encoder),
            "decoder": decoders.param_shapes(SLIM.decoder),
        }
    )
    image = jax.ShapeDtypeStruct((1, 128, 128, 3), jnp.float32)
    features = jax.ShapeDtypeStruct((1, 16, 16, 160), jnp.float32)
    encoding = _needed_by_xla(
        lambda p, x: feedforward.encode(p, x, spec=SLIM), params, image
    )
    decoding = _needed_by_xla(
        lambda p, x: feedforward.decode(
            p, feedforward.Restyled({"relu4_1": x}, []), size=(128, 128), spec=SLIM
        ),
        params,
        features,
    )
    # Padding counts for more in a picture as small as this.
    assert encoding / 1.1 <= costs.encoder_bytes(SLIM) <= 1.5 * encoding
    assert decoding / 1.1 <= costs.decoder_bytes(SLIM) <= 1.5 * decoding


def test_the_model_is_near_for_a_painter():
    spec = PainterTransferSpec(painter.PainterSpec())
    params = _shapes(painter.param_shapes(spec.painter))
    image = jax.ShapeDtypeStruct((1, 128, 128, 3), jnp.float32)
    features = jax.eval_shape(
        lambda p, x: feedforward.encode(p, x, spec=spec), params, image
    )
    told = jax.eval_shape(
        lambda f: feedforward.content_statistics(f, spec=spec), features
    )
    encoding = _needed_by_xla(
        lambda p, x: feedforward.encode(p, x, spec=spec), params, image
    )
    decoding = _needed_by_xla(
        lambda p, x, told: feedforward.decode(
            p, feedforward.Restyled(x, told), size=(128, 128), spec=spec
        ),
        params,
        features,
        told,
    )
    kept = costs.feature_bytes(spec)
    assert kept == 4 * (40 / 4 + 80 / 16)
    # What XLA counts leaves out what a function is given and gives.
    encoding, decoding = encoding + kept, decoding + kept
    assert encoding / 1.2 <= costs.encoder_bytes(spec) + kept <= 2 * encoding
    assert decoding / 1.2 <= costs.decoder_bytes(spec) + kept <= 2 * decoding


def test_costs_of_the_full_networks_by_hand():
    # conv2_2 at half the sides, 128 channels to 128 by Winograd's form.
    assert costs.encoder_bytes(FULL) == 4 * (2 + 5.5) * 128 / 4
    # Narrow networks have their peak at conv1_2: its input and its output.
    assert costs.encoder_bytes(SLIM) == 4 * (24 + 32)
    # The decoder's last convolution, to pixels, has nine products for each value.
    assert costs.decoder_bytes(SLIM) == 4 * (16 + 27)
    # The decoder's conv1_2, whose input is a quarter, by nine products a block.
    assert costs.decoder_bytes(FULL) == pytest.approx(4 * (16 + 64 + 3.2 * 64))
    assert costs.feature_bytes(FULL) == 4 * 512 / 64
    encoder = 9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256)
    encoder += 9 * (3 * 256 * 256 + 256 * 512)
    decoder = encoder
    assert costs.weight_bytes(FULL) == 4 * (encoder + decoder)


def test_what_fits_is_painted_at_once():
    assert plan_transfer((512, 512), SLIM, max_memory=10**9) is None


def test_what_is_kept_beside_counts():
    size, amount = (1024, 1024), 9 * 10**8
    assert planner.whole_bytes(size, SLIM) < amount
    assert plan_transfer(size, SLIM, max_memory=amount) is None
    spare = int(amount - planner.whole_bytes(size, SLIM))
    assert plan_transfer(size, SLIM, max_memory=amount, held=spare) is None
    assert plan_transfer(size, SLIM, max_memory=amount, held=spare + 1) is not None


def test_tiles_become_smaller_and_then_features_are_dropped():
    plans = [
        plan_transfer((8192, 8192), SLIM, max_memory=int(amount * 1e9))
        for amount in (30, 6, 4, 3.1, 2.3)
    ]
    assert plans[0] is None
    sides = [plan.side for plan in plans[1:]]
    assert sides[:3] == sorted(sides[:3], reverse=True) and sides[0] > sides[2]
    assert [plan.keep_features for plan in plans[1:]] == [True, True, True, False]
    for amount, plan in zip((6, 4, 3.1, 2.3), plans[1:], strict=True):
        assert tiled_bytes((8192, 8192), SLIM, plan) <= amount * 1e9


def test_style_swap_keeps_its_features_and_needs_more():
    plan = plan_transfer((4096, 4096), SLIM, max_memory=3 * 10**9, swaps=True)
    assert plan.keep_features
    assert tiled_bytes((4096, 4096), SLIM, plan, swaps=True) > tiled_bytes(
        (4096, 4096), SLIM, plan
    )


def test_a_style_counts_at_the_size_at_which_it_is_seen():
    content = np.full((64, 64, 3), 0.5, np.float32)
    style = np.full((300, 400, 3), 0.5, np.float32)

    def plan(scale, amount):
        options = method_options("adain", options={"style_scale": scale})
        make_plan(content, [style], options=options, max_memory=amount)

    # A process that paints so was found to take 1010 MB.
    with pytest.raises(NstjaxError) as caught:
        plan(16.0, "1000MB")
    sentence = str(caught.value)
    assert sentence.startswith("a style that is seen at 1365 x 1024 pixels takes")
    assert "smaller --style-scale" in sentence and "--size" not in sentence
    plan(16.0, "1300MB")
    # And 320 MB with the style as it is, or 480 MB with a long one.
    plan(1.0, "500MB")
    options = method_options("adain")
    long, content = (
        np.full(s, 0.5, np.float32) for s in ((600, 2400, 3), (512, 640, 3))
    )
    make_plan(content, [long], options=options, max_memory="700MB")
    content = content[:64, :64]
    with pytest.raises(NstjaxError, match="a picture of 64 x 64 .*smaller --size"):
        plan(16.0, "100MB")


def test_too_little_is_refused_in_one_sentence():
    with pytest.raises(NstjaxError) as caught:
        plan_transfer((8192, 4096), SLIM, max_memory=10**9)
    sentence = str(caught.value)
    assert "4096 x 8192 pixels takes at least 1." in sentence
    assert "1.0 GB is allowed" in sentence and "--size" in sentence


def test_without_an_amount_a_share_of_what_is_available_counts(monkeypatch):
    monkeypatch.setattr(planner, "available_memory", lambda: 40 * 10**9)
    assert plan_transfer((4096, 4096), SLIM) is None
    monkeypatch.setattr(planner, "available_memory", lambda: 4 * 10**9)
    assert isinstance(plan_transfer((4096, 4096), SLIM), Tiling)
    # Too little for more than a share of it: the smallest tiles are tried.
    monkeypatch.setattr(planner, "available_memory", lambda: 10**9)
    least = plan_transfer((4096, 4096), SLIM)
    assert not least.keep_features and least.side < 512
    monkeypatch.setattr(planner, "available_memory", lambda: 10**8)
    with pytest.raises(NstjaxError, match="100 MB is available"):
        plan_transfer((4096, 4096), SLIM)
    monkeypatch.setattr(planner, "available_memory", lambda: None)
    assert plan_transfer((4096, 4096), SLIM) is None


def test_optimisation_is_refused_where_it_does_not_fit():
    spec = VGGSpec((24, 32, 48, 112, 144, 96, 96, 96, 160), "reflect")
    size = (2048, 2048)
    with pytest.raises(NstjaxError, match="is available; choose a smaller"):
        check_optimisation((10**6, 10**6), spec, solver_pictures=24)
    check_optimisation(size, spec, solver_pictures=24, max_memory=16 * 10**9)
    with pytest.raises(NstjaxError, match="2048 x 2048 pixels takes at least"):
        check_optimisation(size, spec, solver_pictures=24, max_memory=2 * 10**9)


def test_as_many_pictures_are_painted_together_as_memory_takes():
    size = (512, 384)
    fixed = costs.BASE + costs.weight_bytes(FULL)
    # Each lies in a canvas, which may be a little larger.
    each = LARGEST_SHARE * 512 * 384 * (costs.PICTURE + costs.transfer_bytes(FULL))
    for pictures, expected in ((3.5, 3), (3.01, 3), (99, 8), (0.5, 1)):
        budget = int(fixed + pictures * each)
        found = planner.largest_batch(size, FULL, wanted=8, max_memory=budget)
        assert found == expected
