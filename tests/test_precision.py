"""Networks in bfloat16: how far from float32, and what stays float32."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax import examples
from nstjax.errors import NstjaxError
from nstjax.io.images import read_image
from nstjax.io.resizing import resize_image
from nstjax.methods import feedforward, objectives
from nstjax.methods.specs import PainterTransferSpec
from nstjax.models import vgg
from nstjax.precision import cast_floating, check_compute_dtype
from nstjax.weights.pretrained import load_decoder, load_encoder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def networks():
    return load_encoder("vgg19-slim"), load_decoder("adain-slim")


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """A smooth gradient and stripes, [1, 64, 64, 3]."""
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    first = np.stack(
        [*np.broadcast_arrays(ramp[:, None], ramp, 0.5 + 0 * ramp)], axis=-1
    )
    second = np.stack([np.outer(ramp, np.sin(40 * ramp) / 2 + 0.5)] * 3, axis=-1)
    return [first[None], second[None].astype(np.float32)]


def relative(found, wanted) -> float:
    found, wanted = np.asarray(found), np.asarray(wanted)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def test_features_are_within_three_per_cent(networks, pictures):
    encoder, _ = networks
    features = jax.jit(
        partial(vgg.features, layers=("relu1_1", "relu4_1"), spec=encoder.spec),
        static_argnames="compute_dtype",
    )
    exact = features(encoder.params, pictures[0])
    half = features(encoder.params, pictures[0], compute_dtype="bfloat16")
    for layer in exact:
        assert half[layer].dtype == jnp.float32
        # Each of ten layers rounds to 2^-9; nought would mean nothing was cast.
        assert 1e-4 < relative(half[layer], exact[layer]) < 0.03


@pytest.fixture(scope="module")
def paintable() -> list[np.ndarray]:
    """A photograph and a painting of the package's, [1, 128, 128, 3]."""
    style = read_image(examples.style_path("birches"))
    images = (examples.content_image("chelsea"), style)
    return [resize_image(image, (128, 128))[None] for image in images]


def test_a_transfer_is_within_three_per_cent(networks, paintable):
    _, painter = networks
    params = painter.params
    images = {}
    for dtype in ("float32", "bfloat16"):
        spec = PainterTransferSpec(painter.spec, compute_dtype=dtype)

        @jax.jit
        def transfer(params, content, style, spec=spec):
            statistics = feedforward.encode_style(params, style, spec=spec)
            return feedforward.adain_transfer(params, content, [statistics], spec=spec)

        images[dtype] = transfer(params, *paintable)
        assert images[dtype].dtype == jnp.float32
    assert 1e-5 < relative(images["bfloat16"], images["float32"]) < 0.03


def test_an_objective_and_its_gradient_are_near(networks, pictures):
    encoder, _ = networks
    params = {"encoder": encoder.params}
    found = {}
    for dtype in ("float32", "bfloat16"):
        spec = objectives.ObjectiveSpec.from_options(
            {
                "content_normalisation": "relative",
                "style_normalisation": "relative",
                "compute_dtype": dtype,
            }
        )
        specs = {"spec": spec, "encoder_spec": encoder.spec}
        targets = jax.jit(partial(objectives.make_targets, **specs))(params, *pictures)
        objective = partial(objectives.objective, **specs)
        evaluate = jax.jit(jax.value_and_grad(objective, has_aux=True))
        (total, _), gradient = evaluate(pictures[1], params, targets)
        assert total.dtype == gradient.dtype == jnp.float32
        found[dtype] = total, gradient
    (total, gradient), (half, half_gradient) = found["float32"], found["bfloat16"]
    assert float(half) == pytest.approx(float(total), rel=0.01)
    # What an optimiser follows, the direction: 0.94 on this picture.
    cosine = jnp.vdot(gradient, half_gradient) / (
        jnp.linalg.norm(gradient) * jnp.linalg.norm(half_gradient)
    )
    assert cosine > 0.9


def test_unknown_dtypes_are_refused(networks):
    _, painter = networks
    with pytest.raises(NstjaxError, match="float32, bfloat16, not 'float16'"):
        check_compute_dtype("float16")
    with pytest.raises(NstjaxError, match="compute_dtype"):
        objectives.ObjectiveSpec.from_options({"compute_dtype": "half"})
    with pytest.raises(NstjaxError, match="compute_dtype"):
        PainterTransferSpec(painter.spec, compute_dtype="half")


def test_only_floating_point_arrays_are_cast():
    tree = {"kernel": jnp.ones(3), "count": jnp.arange(3)}
    cast = cast_floating(tree, "bfloat16")
    assert cast["kernel"].dtype == jnp.bfloat16
    assert cast["count"].dtype == jnp.int32
    assert cast_floating(tree, None) is tree
