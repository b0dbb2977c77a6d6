"""Whole runs of a task so small that the right result is known.

One weight is drawn towards the brightness of the pictures. Training pictures
are white, held-out ones are grey, so that the validation loss falls until the
weight passes grey and rises from there on.
"""

import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from configs import common
from nstjax.errors import NstjaxError
from nstjax.interrupts import Stopped
from nstjax.io.crops import Crop
from nstjax.io.datasets import Stream, picture_loader
from nstjax.io.weights import WeightsMetadata, load_weights
from nstjax.training import trainer
from nstjax.training.task import Task

GREY = 0.3
# Adam's first steps are as long as its learning rate.
RATE = 0.02


def picture(level: float) -> np.ndarray:
    return np.full((8, 8, 3), round(255 * level), np.uint8)


def make_config(**leaves):
    config = common.training("brightness", "bright")
    config.update(
        {
            "steps": 30,
            "batch_size": 2,
            "learning_rate": RATE,
            "validation_batches": 1,
            "log_every": 10,
            "checkpoint_every": 5,
            "keep": 1,
            "threads": 1,
            "export_dtype": "float32",
        }
        | leaves
    )
    return config


def make_task(training=None, *, sample=None, begin=None, shape=()) -> Task:
    load = picture_loader(Crop(4, 8))

    def loss(params, frozen, batch, key):
        level = batch["content"].astype(jnp.float32) / 255
        error = jnp.mean((params["weight"] - level) ** 2)
        return error * frozen["scale"], {"error": error}

    def export(params, recipe):
        metadata = WeightsMetadata("weight", "w", {}, "test", "none", recipe=recipe)
        return params, metadata

    return Task(
        init=lambda key: {"weight": jnp.zeros(shape)},
        begin=begin,
        frozen={"scale": np.float32(1)},
        loss=loss,
        training={"content": Stream(training or [picture(1.0)] * 4, load)},
        validation={"content": Stream([picture(GREY)] * 2, load)},
        sample=sample,
        export=export,
    )


def train(config, workdir, task=None):
    reports = []
    path = trainer.train(
        task or make_task(), config, workdir, on_progress=reports.append, recipe="make"
    )
    return path, reports


def steps_kept(workdir) -> list[int]:
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished") / "run"
    path, reports = train(make_config(), workdir)
    return workdir, path, reports


def test_exports_the_best_not_the_last(finished):
    workdir, path, _ = finished
    # 0.02 a step passes 0.3 at step 15.
    assert steps_kept(workdir) == [15, 30]
    params, metadata = load_weights(path)
    np.testing.assert_allclose(params["weight"], GREY, atol=0.01)
    assert metadata.notes["step"] == 15
    assert metadata.recipe == "make"


def test_reports(finished):
    _, _, reports = finished
    assert [report.step for report in reports] == [
        *(0, 5, 10, 10, 15, 20, 20, 25, 30, 30)
    ]
    assert reports[0].report == {}
    assert {report.steps for report in reports} == {30}
    logged = [report for report in reports if "total" in report.report]
    assert [report.step for report in logged] == [10, 20, 30]
    for report in logged:
        assert set(report.report) == {
            *("total", "error", "gradient_norm", "learning_rate")
        }
        assert report.images_per_second > 0
        assert report.report["learning_rate"] == pytest.approx(RATE)
    validated = [report for report in reports if "validation/total" in report.report]
    assert [report.step for report in validated] == [5, 10, 15, 20, 25, 30]
    for report in validated:
        # Reported after the step: Adam has moved by its rate every time.
        expected = (min(report.step, 15) * RATE - GREY) ** 2
        if report.step <= 15:
            assert report.report["validation/total"] == pytest.approx(
                expected, abs=1e-3
            )


@pytest.mark.parametrize(("optimizer", "shape"), [("adam", ()), ("muon", (1, 3))])
def test_goes_on_if_asked_for_more(optimizer, shape, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for workdir, steps in ((whole, 20), (parts, 10), (parts, 20)):
        config = make_config(steps=steps, optimizer=optimizer)
        train(config, workdir, make_task(shape=shape))
    assert steps_kept(parts) == steps_kept(whole)
    ours, theirs = (load_file(w / "bright.safetensors") for w in (parts, whole))
    np.testing.assert_array_equal(ours["weight"], theirs["weight"])


def test_who_stops_a_run_waits_for_no_validation(finished, tmp_path):
    reports = []

    def tell(progress):
        reports.append(progress)
        if progress.step == 10 and "total" in progress.report:
            signal.raise_signal(signal.SIGINT)

    workdir = tmp_path / "run"
    with pytest.raises(Stopped):
        trainer.train(make_task(), make_config(), workdir, on_progress=tell, recipe="")
    stopped_at = reports[-1].step
    assert 10 < stopped_at < 15
    assert stopped_at in steps_kept(workdir)
    validated = [r.step for r in reports if "validation/total" in r.report]
    assert validated == [5, 10]
    train(make_config(), workdir)
    assert steps_kept(workdir) == [15, 30]
    ours, whole = (load_file(w / "bright.safetensors") for w in (workdir, finished[0]))
    np.testing.assert_array_equal(ours["weight"], whole["weight"])


def test_a_finished_run_only_exports_again(finished):
    workdir, path, _ = finished
    before = load_file(path)
    path.unlink()
    _, reports = train(make_config(), workdir)
    assert [report.step for report in reports] == [30]
    np.testing.assert_array_equal(load_file(path)["weight"], before["weight"])


def test_refuses_a_run_with_other_settings(finished):
    workdir, _, _ = finished
    note = (workdir / "config.json").read_text()
    with pytest.raises(
        NstjaxError,
        match=r"learning_rate \(.* before, 1.0 now\), seed \(0 before, 1 now\); resume",
    ):
        train(make_config(learning_rate=1.0, seed=1), workdir)
    assert (workdir / "config.json").read_text() == note


def test_refuses_to_export_nothing(tmp_path):
    with pytest.raises(NstjaxError, match="has no checkpoint to export"):
        trainer.export(make_task(), make_config(), tmp_path / "none", recipe="")
    assert not (tmp_path / "none").exists()


def test_names_what_it_could_not_read(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    task = make_task([picture(1.0), broken, picture(1.0)])
    _, reports = train(make_config(steps=10), tmp_path / "run", task)
    assert reports[-1].corrupt == 1
    assert (tmp_path / "run" / "unreadable.txt").read_text() == f"{broken}\n"


def test_begins_only_once(tmp_path):
    calls = []

    def begin(params):
        calls.append(1)
        return {"weight": np.float32(0.5)}

    task = make_task(begin=begin)
    _, reports = train(make_config(steps=5), tmp_path, task)
    _, more = train(make_config(steps=10), tmp_path, task)
    assert len(calls) == 1
    (validation,) = [r for r in reports if "validation/total" in r.report]
    expected = (0.5 + 5 * RATE - GREY) ** 2
    assert validation.report["validation/total"] == pytest.approx(expected, abs=2e-3)


def test_draws_samples_with_the_averaged_weights(tmp_path):
    def sample(params, frozen, batch):
        return jnp.ones((2, 4, 4, 3)) * params["weight"] * frozen["scale"]

    config = make_config(steps=5, average_decay=0.99)
    _, reports = train(config, tmp_path, make_task(sample=sample))
    drawn = reports[-1].sample
    assert drawn.shape == (2, 4, 4, 3)
    average, weight = 0.0, 0.0
    for n in range(5):
        weight += RATE
        decay = (1 + n) / (10 + n)
        average = decay * average + (1 - decay) * weight
    np.testing.assert_allclose(drawn, average, atol=2e-3)


def test_a_diverging_loss_ends_the_run_and_is_not_saved(tmp_path):
    config = make_config(learning_rate=1e30, checkpoint_every=1, log_every=1000)
    with pytest.raises(NstjaxError, match=r"the loss is (inf|nan) after step 1;"):
        train(config, tmp_path)
    assert steps_kept(tmp_path) == []


def test_refuses_a_batch_that_does_not_fit_the_devices(tmp_path, monkeypatch):
    one = jax.devices()[0]
    mesh = type("Mesh", (), {"size": 3, "devices": [one]})()
    monkeypatch.setattr(trainer, "make_data_mesh", lambda: mesh)
    with pytest.raises(NstjaxError, match="batch of 2 cannot be split over 3 devices"):
        train(make_config(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
