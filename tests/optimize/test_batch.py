import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.ops.convolution import conv3x3
from nstjax.optimize.adam import adam
from nstjax.optimize.batch import minimise_batch, start_batch
from nstjax.optimize.engine import start
from nstjax.optimize.lbfgs import lbfgs
from nstjax.optimize.minimise import minimise
from nstjax.optimize.torch_lbfgs import torch_lbfgs

SOLVERS = {
    "adam": adam(learning_rate=0.05),
    "lbfgs": lbfgs(),
    "torch_lbfgs": torch_lbfgs(learning_rate=0.3, history=8),
}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())

PICTURES = 3
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(size=(PICTURES, 6, 5, 3)).astype(np.float32)
X64 = X.astype(np.float64)
KERNEL = RANDOM.normal(0, 0.3, (3, 3, 3, 4)).astype(np.float32)
TARGETS = {
    "features": RANDOM.uniform(-0.3, 0.3, (PICTURES, 6, 5, 4)).astype(np.float32),
    "mean": RANDOM.uniform(size=PICTURES).astype(np.float32),
}


def objective(x, kernel, targets):
    """Wants one convolution's output; sees one picture with its batch axis."""
    chex.assert_shape(x, (1, 6, 5, 3))
    chex.assert_shape(targets["mean"], (1,))
    features = jnp.tanh(conv3x3(x, kernel.astype(x.dtype), padding="zero"))
    terms = {
        "features": jnp.mean((features - targets["features"]) ** 2),
        "mean": jnp.sum((jnp.mean(x, axis=(1, 2, 3)) - targets["mean"]) ** 2),
    }
    return terms["features"] + terms["mean"], terms


def run_batch(solver, evaluations=25, *, x=X, targets=TARGETS, **options):
    return minimise_batch(
        objective,
        options.pop("state", None) or start_batch(jnp.asarray(x), solver=solver),
        shared=KERNEL,
        targets=targets,
        solver=solver,
        evaluations=evaluations,
        **options,
    )


def run_single(solver, index, evaluations=25, *, pictures=X):
    return minimise(
        objective,
        start(jnp.asarray(pictures[index : index + 1]), solver=solver),
        shared=KERNEL,
        targets=jax.tree.map(lambda target: target[index : index + 1], TARGETS),
        solver=solver,
        evaluations=evaluations,
    )


def assert_like_singles(batch, solver, *, pictures=X, tolerance):
    assert batch.x.shape == pictures.shape
    for index in range(PICTURES):
        single = run_single(solver, index, pictures=pictures)
        np.testing.assert_allclose(
            batch.x[index], single.x[0], rtol=tolerance, atol=tolerance
        )
        chex.assert_trees_all_close(
            batch.traces[index].to_arrays(),
            single.trace.to_arrays(),
            rtol=tolerance,
            atol=tolerance,
        )
        assert batch.reasons[index] == single.reason


@every_solver
def test_gives_each_picture_what_it_gets_alone(solver):
    assert_like_singles(run_batch(solver), solver, tolerance=1e-6)


@every_solver
def test_works_on_pictures_together(solver):
    # In float64: in float32, rounding otherwise shows after some steps.
    with jax.enable_x64(True):
        batch = run_batch(solver, x=X64, at_a_time=3)
        assert_like_singles(batch, solver, pictures=X64, tolerance=1e-8)


def test_works_on_pictures_together_with_some_left_over():
    solver = SOLVERS["adam"]
    assert_like_singles(run_batch(solver, at_a_time=2), solver, tolerance=1e-5)


@every_solver
@pytest.mark.parametrize(("at_a_time", "pictures"), [(None, X), (3, X64)])
def test_a_picture_that_is_not_finite_leaves_the_others_alone(
    solver, at_a_time, pictures
):
    features = TARGETS["features"].copy()
    features[1] = np.nan
    broken = TARGETS | {"features": features}
    with jax.enable_x64(pictures is X64):
        whole = run_batch(solver, x=pictures, at_a_time=at_a_time)
        batch = run_batch(solver, x=pictures, targets=broken, at_a_time=at_a_time)
    assert batch.reasons[1] == "not_finite"
    np.testing.assert_array_equal(batch.x[1], pictures[1])
    assert len(batch.traces[1]) == 1
    for index in (0, 2):
        assert batch.reasons[index] == whole.reasons[index] != "not_finite"
        np.testing.assert_array_equal(batch.x[index], whole.x[index])


@every_solver
def test_an_interrupted_batch_resumes_to_the_same_bits(solver):
    whole = run_batch(solver)

    def press_ctrl_c(progress):
        raise KeyboardInterrupt

    first = run_batch(solver, on_chunk=press_ctrl_c)
    assert set(first.reasons) == {"interrupted"}
    second = run_batch(solver, state=jax.device_get(first.state))
    chex.assert_trees_all_equal(second.state, whole.state)
    assert set(second.reasons) == {"finished"}


def test_progress_tells_of_every_picture():
    seen = []
    batch = run_batch(
        SOLVERS["adam"],
        12,
        on_chunk=lambda progress: seen.append((progress, progress.current())),
    )
    assert [progress.evaluations for progress, _ in seen] == [10, 12]
    progress, x = seen[-1]
    np.testing.assert_array_equal(x, batch.x)
    for index, trace in enumerate(batch.traces):
        assert progress.total.shape == (PICTURES,)
        assert progress.total[index] == trace.total[-1]
        assert progress.terms["mean"][index] == trace.terms["mean"][-1]


def test_refuses_targets_of_another_number_of_pictures():
    with pytest.raises(AssertionError, match="prefix"):
        run_batch(SOLVERS["adam"], x=X[:2])


_ON_EIGHT_DEVICES = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
import test_batch as t
assert len(jax.devices()) == 8

devices = set()
advance = t.minimise_batch.__globals__["_advance"]
def watched(state, **rest):
    devices.update(shard.device for shard in state.x.addressable_shards)
    return advance(state, **rest)
t.minimise_batch.__globals__["_advance"] = watched

# Three pictures leave devices without any; nine give one of them two.
for name, copies in (("adam", 1), ("torch_lbfgs", 3)):
    devices.clear()
    x = np.concatenate([t.X] * copies)
    targets = jax.tree.map(lambda a: np.concatenate([a] * copies), t.TARGETS)
    solver = t.SOLVERS[name]
    batch = t.run_batch(solver, x=x, targets=targets)
    assert len(devices) == 8, devices
    assert batch.x.shape == x.shape and len(batch.traces) == len(x)
    for index in range(len(x)):
        single = t.run_single(solver, index % t.PICTURES)
        np.testing.assert_allclose(batch.x[index], single.x[0], rtol=1e-5, atol=1e-5)
        assert batch.reasons[index] == single.reason
print("passed")
"""


def test_shares_the_pictures_out_over_eight_devices():
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_PLATFORMS": "cpu",
    }
    done = subprocess.run(
        [sys.executable, "-c", _ON_EIGHT_DEVICES, str(Path(__file__).parent)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "passed"
