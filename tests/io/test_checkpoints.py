"""Real checkpoints: which are kept, and that they come back as they went."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.io.checkpoints import Checkpoints


def state(step: int) -> dict:
    return {
        "step": jnp.asarray(step, jnp.int32),
        "params": {"kernel": jnp.full((3, 4), step / 7), "half": jnp.ones(2) / 3},
    }


def save_all(folder, losses: dict[int, float], *, keep: int) -> None:
    with Checkpoints(folder, keep=keep) as checkpoints:
        for step, loss in losses.items():
            checkpoints.save(step, state(step), validation=loss)


def steps(folder) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir())


def test_keeps_the_newest_and_the_best(tmp_path):
    losses = {1: 3.0, 2: 1.0, 3: 2.0, 4: 5.0, 5: 4.0, 6: 6.0}
    save_all(tmp_path, losses, keep=2)
    assert steps(tmp_path) == [2, 5, 6]
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        assert checkpoints.latest_step == 6
        assert checkpoints.best_step == 2


def test_keeps_the_best_of_an_earlier_sitting(tmp_path):
    save_all(tmp_path, {1: 3.0, 2: 1.0, 3: 2.0}, keep=1)
    save_all(tmp_path, {4: 5.0, 5: 4.0}, keep=1)
    assert steps(tmp_path) == [2, 5]
    save_all(tmp_path, {6: 0.5}, keep=1)
    assert steps(tmp_path) == [6]


def test_restores_bit_for_bit(tmp_path):
    save_all(tmp_path, {1: 1.0}, keep=1)
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(1, state(0))
    jax.tree.map(np.testing.assert_array_equal, restored, state(1))
    assert restored["step"].dtype == jnp.int32


def test_saves_what_it_was_given_though_it_is_donated_at_once(tmp_path):
    advance = jax.jit(
        lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree), donate_argnums=0
    )
    with Checkpoints(tmp_path, keep=5) as checkpoints:
        value = advance({"x": jnp.zeros((256, 1024))})
        for step in range(1, 6):
            checkpoints.save(step, value, validation=1.0)
            for _ in range(10):
                value = advance(value)
    with Checkpoints(tmp_path) as checkpoints:
        for step in range(1, 6):
            x = checkpoints.restore(step, {"x": jnp.zeros((256, 1024))})["x"]
            assert (np.asarray(x) == 10 * step - 9).all()


def test_an_empty_folder_has_none(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step is None
        assert checkpoints.best_step is None


def test_passes_over_a_save_that_was_cut_off(tmp_path):
    save_all(tmp_path, {1: 1.0, 2: 2.0}, keep=2)
    # What a killed process leaves of step 3.
    shutil.copytree(tmp_path / "2", tmp_path / "3.orbax-checkpoint-tmp")
    (tmp_path / "3.orbax-checkpoint-tmp" / "commit_success.txt").unlink(missing_ok=True)
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        assert checkpoints.latest_step == 2
        checkpoints.save(3, state(3), validation=0.5)
    assert steps(tmp_path) == [2, 3]


@pytest.mark.parametrize("lost", ["state", "metrics", "_CHECKPOINT_METADATA"])
def test_survives_a_removal_that_was_cut_off(tmp_path, lost):
    save_all(tmp_path, {1: 3.0, 2: 1.0, 3: 2.0}, keep=5)
    path = tmp_path / "1" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        assert checkpoints.latest_step == 3
        assert checkpoints.best_step == 2
        checkpoints.save(4, state(4), validation=4.0)
    assert steps(tmp_path) == [2, 4]


def test_saving_a_step_again_changes_nothing(tmp_path):
    save_all(tmp_path, {1: 1.0}, keep=2)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state(9), validation=0.0)
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(1, state(0))
    assert restored["step"] == 1


@pytest.mark.parametrize(
    "like",
    [
        {"step": jnp.zeros((), jnp.int32), "params": {"kernel": jnp.zeros((9, 9))}},
        {"step": jnp.zeros((), jnp.int32), "others": jnp.zeros(2)},
    ],
    ids=["fewer", "other"],
)
def test_another_structure_is_one_sentence(tmp_path, like):
    save_all(tmp_path, {1: 1.0}, keep=1)
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(NstjaxError, match="does not fit this configuration"):
            checkpoints.restore(1, like)


def test_another_shape_is_one_sentence(tmp_path):
    save_all(tmp_path, {1: 1.0}, keep=1)
    like = state(0)
    like["params"]["kernel"] = jnp.zeros((3, 5))
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(NstjaxError, match="does not fit this configuration"):
            checkpoints.restore(1, like)
