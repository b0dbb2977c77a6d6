"""Torch-form L-BFGS against torch.optim.LBFGS, evaluation for evaluation."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.models import vgg
from nstjax.optimize.engine import start
from nstjax.optimize.minimise import minimise
from nstjax.optimize.torch_lbfgs import torch_lbfgs

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Torch's threads would wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rosenbrock(x, shared, targets):
    valley = jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2)
    slope = jnp.sum((1 - x[:-1]) ** 2)
    return valley + slope, {"valley": valley, "slope": slope}


def torch_rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x[:-1]) ** 2).sum()


CURVATURES = np.logspace(0, 4, 30)


def quadratic(x, shared, targets):
    return 0.5 * jnp.sum(shared * x**2), {}


def torch_quadratic(x):
    return 0.5 * (torch.as_tensor(CURVATURES) * x**2).sum()


def flat_quartic(x, shared, targets):
    return jnp.sum(x**4), {}


def torch_flat_quartic(x):
    return (x**4).sum()


# Where nothing else is said; torch's own 100 take longer to compile.
HISTORY = 20


def run_torch(function, x, evaluations, *, history_size=HISTORY, **options):
    """Calls .step() until so many closure calls were made; gives their values."""
    parameter = torch.tensor(np.array(x), requires_grad=True)
    optimizer = torch.optim.LBFGS([parameter], history_size=history_size, **options)
    totals, points = [], []

    def closure():
        optimizer.zero_grad()
        total = function(parameter)
        total.backward()
        totals.append(total.item())
        points.append(parameter.detach().numpy().copy())
        return total

    while len(totals) < evaluations:
        optimizer.step(closure)
    return np.array(totals[:evaluations]), np.array(points[:evaluations])


def run_jax(objective, x, evaluations, *, shared=(), history=HISTORY, **options):
    solver = torch_lbfgs(history=history, **options)
    return minimise(
        objective,
        start(jnp.asarray(x), solver=solver),
        shared=shared,
        solver=solver,
        evaluations=evaluations,
    )


@pytest.mark.parametrize("rate", [1e-3, 1e-2])
def test_follows_torch_on_rosenbrock(rate):
    x = np.linspace(-1.2, 1.1, 8)
    expected, _ = run_torch(torch_rosenbrock, x, 50, lr=rate, history_size=100)
    with jax.enable_x64(True):
        result = run_jax(rosenbrock, x, 50, learning_rate=rate, history=100)
    np.testing.assert_allclose(result.trace.total, expected, rtol=1e-6)


@pytest.mark.parametrize("history", [5, 100])
def test_follows_torch_on_an_ill_conditioned_quadratic(history):
    # With a history of 5 the circular buffer goes round nine times.
    x = np.ones(30)
    expected, points = run_torch(torch_quadratic, x, 50, history_size=history)
    with jax.enable_x64(True):
        result = run_jax(quadratic, x, 50, shared=CURVATURES, history=history)
    np.testing.assert_allclose(result.trace.total, expected, rtol=1e-6)
    assert expected[-1] < 1e-3 * expected[0]


@pytest.mark.parametrize("updates", [1, 2, 3, 4])
def test_follows_torch_whatever_a_step_call_holds(updates):
    x = np.linspace(-1.2, 1.1, 8)
    expected, points = run_torch(torch_rosenbrock, x, 30, lr=1e-2, max_iter=updates)
    with jax.enable_x64(True):
        result = run_jax(
            rosenbrock, x, 30, learning_rate=1e-2, updates_per_call=updates
        )
    np.testing.assert_allclose(result.trace.total, expected, rtol=1e-6)
    # With 2 or 3, torch's limit of evaluations ends calls: points come twice.
    twice = (points[1:] == points[:-1]).all(axis=1).any()
    assert twice == (updates in (2, 3))


@pytest.mark.parametrize("tolerance", [1e-2, 3e-2])
def test_follows_torch_when_calls_end_for_want_of_change(tolerance):
    x = np.full(4, 0.9)
    expected, points = run_torch(
        torch_flat_quartic, x, 40, lr=0.1, tolerance_change=tolerance
    )
    with jax.enable_x64(True):
        result = run_jax(
            flat_quartic, x, 40, learning_rate=0.1, tolerance_change=tolerance
        )
    # The next call evaluates the point again, where the last one left it.
    assert (points[1:] == points[:-1]).all(axis=1).sum() > 5
    np.testing.assert_allclose(result.trace.total, expected, rtol=1e-6)


def test_converges_where_torch_stops():
    x = np.array([3.0, -2.0])
    unit = partial(run_torch, lambda x: 0.5 * (x**2).sum(), x)
    expected, points = unit(30)
    with jax.enable_x64(True):
        result = run_jax(lambda x, _, __: (0.5 * jnp.sum(x**2), {}), x, 30)
    made = len(result.trace)
    assert result.reason == "converged" and made < 30
    np.testing.assert_allclose(result.trace.total, expected[:made], atol=1e-14)
    assert np.max(np.abs(points[made - 1 :])) <= 1e-7
    np.testing.assert_allclose(result.x, points[-1], atol=1e-14)


@pytest.mark.parametrize("wrong", [{"history": 0}, {"updates_per_call": 0}])
def test_refuses_impossible_numbers(wrong):
    with pytest.raises(ValueError, match="1 or more"):
        torch_lbfgs(**wrong)


# A small style transfer: a random slim VGG, content and Gram terms.
SPEC = vgg.VGGSpec(widths=(8, 8, 12, 12, 16), input_map="unit")
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")
CONTENT_LAYER = "relu2_2"
LAYERS = ("relu1_1", "relu2_1", "relu2_2", "relu3_1")


def gram(feature):
    flat = feature.reshape(-1, feature.shape[-1])
    return flat.T @ flat / len(flat)


def style_transfer(x, params, targets):
    features = vgg.features_from_pixels(params, x, LAYERS, spec=SPEC)
    content = jnp.mean((features[CONTENT_LAYER] - targets["content"]) ** 2)
    style = sum(
        jnp.mean((gram(features[layer]) - targets["style"][layer]) ** 2)
        for layer in STYLE_LAYERS
    )
    return content + style, {"content": content, "style": style}


def torch_features(params, x):
    """The same network, from torch's own operations; x is [1, 3, H, W]."""
    functional = torch.nn.functional
    features, previous = {}, "1"
    for name in vgg.CONVOLUTIONS[: len(SPEC.widths)]:
        if name[4] != previous:
            x, previous = functional.max_pool2d(x, 2), name[4]
        kernel = torch.as_tensor(np.array(params[name]["kernel"])).permute(3, 2, 0, 1)
        bias = torch.as_tensor(np.array(params[name]["bias"]))
        x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
        features[name.replace("conv", "relu")] = x
    return features


def torch_gram(feature):
    flat = feature.reshape(feature.shape[1], -1)
    return flat @ flat.T / flat.shape[1]


def torch_style_transfer(params, content, style):
    params = jax.tree.map(np.array, params)

    def channels_first(image):
        return torch.as_tensor(np.array(image)).permute(0, 3, 1, 2)

    wanted = torch_features(params, channels_first(content))[CONTENT_LAYER]
    style = torch_features(params, channels_first(style))
    grams = {layer: torch_gram(style[layer]) for layer in STYLE_LAYERS}

    def loss(x):
        features = torch_features(params, x.permute(0, 3, 1, 2))
        content = ((features[CONTENT_LAYER] - wanted) ** 2).mean()
        style = sum(
            ((torch_gram(features[layer]) - grams[layer]) ** 2).mean()
            for layer in STYLE_LAYERS
        )
        return content + style

    return loss


@pytest.fixture(scope="module")
def pictures():
    """Weights, a smooth picture and a rough one of 32 px, in float64."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32] / 32
    content = np.stack(
        [np.sin(5 * rows + k) * np.cos(3 * columns - k) for k in range(3)], axis=-1
    )
    style = random.uniform(-1, 1, (1, 32, 32, 3))
    params = {}
    for name, shapes in vgg.param_shapes(SPEC).items():
        fan_in = np.prod(shapes["kernel"][:-1])
        params[name] = {
            "kernel": random.normal(0, np.sqrt(2 / fan_in), shapes["kernel"]),
            "bias": random.normal(0, 0.1, shapes["bias"]),
        }
    return params, content[None], style


def run_both(pictures, evaluations, dtype):
    params, content, style = jax.tree.map(lambda a: a.astype(dtype), pictures)
    loss = torch_style_transfer(params, content, style)
    expected, _ = run_torch(loss, content, evaluations, history_size=100)
    wanted = vgg.features_from_pixels(params, jnp.asarray(content), LAYERS, spec=SPEC)
    styles = vgg.features_from_pixels(params, jnp.asarray(style), LAYERS, spec=SPEC)
    targets = {
        "content": wanted[CONTENT_LAYER],
        "style": {layer: gram(styles[layer]) for layer in STYLE_LAYERS},
    }
    solver = torch_lbfgs()
    result = minimise(
        style_transfer,
        start(jnp.asarray(content), solver=solver),
        shared=params,
        targets=targets,
        solver=solver,
        evaluations=evaluations,
    )
    chex.assert_type(result.x, dtype)
    return result.trace.total, expected


def test_follows_torch_on_a_style_transfer_in_float64(pictures):
    with jax.enable_x64(True):
        totals, expected = run_both(pictures, 50, np.float64)
    np.testing.assert_allclose(totals, expected, rtol=1e-6)
    assert expected[-1] < 0.2 * expected[0]


def test_stays_near_torch_on_a_style_transfer_in_float32(pictures):
    totals, expected = run_both(pictures, 500, np.float32)
    np.testing.assert_allclose(totals[:15], expected[:15], rtol=0.01)
    # Rounding parts the two ways later on, but not where they lead.
    np.testing.assert_allclose(totals[-1], expected[-1], rtol=0.02)
