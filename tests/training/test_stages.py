"""Trainings in stages: settings, and a painter from random weights to its file."""

import json
from pathlib import Path

import jax
import pytest

import nstjax
from nstjax.cli.train import main
from nstjax.configuration import load_config
from nstjax.errors import NstjaxError
from nstjax.io.weights import WeightsMetadata, load_weights, save_weights
from nstjax.models import vgg
from nstjax.training.stages import stages_of


def test_a_training_without_stages_is_one():
    config = load_config("adain", ["--config.data=demo"])
    (stage,) = stages_of(config, Path("runs/x"))
    assert stage.config is config and stage.workdir == Path("runs/x") and stage.last


def test_stages_set_their_leaves_and_begin_where_the_last_ended():
    config = load_config("painter:adain-lap", ["--config.begin.steps=7"])
    stages = {s.name: s for s in stages_of(config, Path("runs/x"))}
    names = "begin", "paint", "refine", "again", "once_more", "finish", "lap"
    assert tuple(stages) == names
    begin, paint, refine = (stages[name] for name in ("begin", "paint", "refine"))
    finish, lap = stages["finish"], stages["lap"]
    assert begin.config.steps == 7 and begin.config.initial == ""
    assert begin.workdir == Path("runs/x/begin")
    assert paint.config.initial == "runs/x/begin/adain-lap-slim.safetensors"
    assert paint.config.gram_weight == 3 * begin.config.gram_weight
    assert refine.config.initial == "runs/x/paint/adain-lap-slim.safetensors"
    assert begin.config.lap_weight == paint.config.lap_weight == 0
    assert lap.config.initial == "runs/x/finish/adain-lap-slim.safetensors"
    assert lap.config.lap_weight > finish.config.lap_weight > 0
    assert refine.config.gram_weight == paint.config.gram_weight
    assert lap.workdir == Path("runs/x") and lap.last


def test_a_stage_that_sets_an_unknown_leaf_is_refused():
    config = load_config("painter", [])
    with config.unlocked():
        config.begin.nothing = 1
    with pytest.raises(NstjaxError, match="stage begin sets nothing"):
        list(stages_of(config, Path("x")))


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A narrow VGG-19 with random weights, to relu5_1."""
    spec = vgg.VGGSpec((4,) * 4 + (6,) * 9)
    params = jax.device_get(vgg.init_params(jax.random.key(0), spec))
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    metadata = WeightsMetadata("vgg19", "judge", spec.to_dict(), "a test", "CC0-1.0")
    save_weights(path, params, metadata)
    return path


@pytest.mark.slow
def test_a_painter_from_random_weights_to_a_picture(judge, tmp_path, capsys):
    workdir = tmp_path / "run"
    command = ["--config", "painter", f"--workdir={workdir}", "--config.data=demo"]
    command += [f"--config.loss_encoders=('{judge}', '{judge}')"]
    command += ["--config.loss_dtype=float32"]
    for leaf, value in {
        "encoder_widths": "((4,6),(8,))",
        "decoder_widths": "((8,),(6,))",
        "style_width": 4,
        "crop_size": 64,
        "lap_pools": "(4,16)",
        "lap_pool_weights": "(1.0,0.1)",
        "style_crop_size": 64,
        "short_side": 64,
        "style_short_side": 64,
        "batch_size": 2,
        "log_every": 10,
        "checkpoint_every": 20,
        "validation_batches": 1,
        "average_decay": 0.5,
        "begin.steps": 40,
        "paint.steps": 3,
        "refine.steps": 3,
        "refine.warmup_steps": 1,
        "again.steps": 3,
        "again.warmup_steps": 1,
        "once_more.steps": 3,
        "once_more.warmup_steps": 1,
        "finish.steps": 3,
        "finish.warmup_steps": 1,
        "warmup_steps": 1,
    }.items():
        command.append(f"--config.{leaf}={value}")
    assert main(command) == 0
    assert "stage begin" in capsys.readouterr().err
    params, metadata = load_weights(workdir / "adain-slim.safetensors")
    assert metadata.kind == "painter" and len(metadata.notes["loss_encoders"]) == 2
    note = json.loads((workdir / "config.json").read_text())
    assert note["initial"] == str(workdir / "once_more" / "adain-slim.safetensors")
    assert "stages" not in note
    painted = nstjax.stylize(
        "chelsea", "night", size=64, decoder=str(workdir / "adain-slim.safetensors")
    )
    assert painted.shape[2] == 3 and painted.std() > 0.01
    # The same command again has nothing left to do, and says where the file is.
    assert main(command) == 0
    assert "wrote" in capsys.readouterr().out


def test_a_painter_without_its_judge_is_refused():
    from nstjax.training.recipes.table import make_task

    config = load_config("painter", ["--config.data=demo"])
    config.loss_encoders = ()
    (begin, *_) = stages_of(config, Path("x"))
    with pytest.raises(NstjaxError, match="weights get vgg19"):
        make_task(begin.config)
    config.loss_encoders = ("vgg19", "vgg16")
    config.batch_size = 7
    (begin, *_) = stages_of(config, Path("x"))
    with pytest.raises(NstjaxError, match="batch_size must be a multiple of 2"):
        make_task(begin.config)
