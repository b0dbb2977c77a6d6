"""Who may use a run's folder."""

import json

import pytest

from configs import common
from nstjax.errors import NstjaxError
from nstjax.training import workdirs


def make_config(**leaves):
    config = common.training("any", "any")
    config.update(leaves)
    return config


def test_a_new_folder_is_free_and_not_made(tmp_path):
    workdirs.check(tmp_path / "new", make_config())
    assert not (tmp_path / "new").exists()


def test_the_same_settings_may_go_on(tmp_path):
    workdirs.claim(tmp_path, make_config())
    workdirs.check(tmp_path, make_config())


def test_the_note_is_the_config(tmp_path):
    workdirs.claim(tmp_path / "new", make_config(steps=7))
    note = json.loads((tmp_path / "new" / "config.json").read_text())
    assert note == make_config(steps=7).to_dict()


@pytest.mark.parametrize("name", ["log_every", "checkpoint_every", "keep", "threads"])
def test_what_changes_no_step_may_change(tmp_path, name):
    workdirs.claim(tmp_path, make_config())
    workdirs.check(tmp_path, make_config(**{name: 77}))


def test_other_settings_are_named(tmp_path):
    workdirs.claim(tmp_path, make_config())
    with pytest.raises(
        NstjaxError,
        match=r"batch_size \(.* before, 2 now\), crop_size \(.*, 64 now\)",
    ):
        workdirs.check(tmp_path, make_config(crop_size=64, batch_size=2))


def test_a_leaf_more_or_less_is_another_setting(tmp_path):
    config = make_config()
    config.extra = 1
    workdirs.claim(tmp_path, config)
    with pytest.raises(NstjaxError, match=r"extra \(1 before, absent now\); resume"):
        workdirs.check(tmp_path, make_config())


def test_settings_that_earlier_versions_lacked_change_nothing(tmp_path):
    workdirs.claim(tmp_path, make_config())
    for name, usual, other in (("feature_scale", 1.0, 0.5), ("new_weight", 0.0, 1.0)):
        config = make_config()
        config[name] = usual
        workdirs.check(tmp_path, config)
        config[name] = other
        with pytest.raises(NstjaxError, match=rf"{name} \(absent before, {other} now"):
            workdirs.check(tmp_path, config)


def test_a_run_may_be_prolonged(tmp_path):
    workdirs.claim(tmp_path, make_config(steps=10))
    workdirs.check(tmp_path, make_config(steps=20))


def test_unless_its_schedule_ends_with_it(tmp_path):
    workdirs.claim(tmp_path, make_config(schedule="cosine", steps=10))
    with pytest.raises(NstjaxError, match=r"steps \(10 before, 20 now\); resume"):
        workdirs.check(tmp_path, make_config(schedule="cosine", steps=20))
    workdirs.claim(tmp_path, make_config(schedule="cosine", schedule_steps=10))
    workdirs.check(
        tmp_path, make_config(schedule="cosine", schedule_steps=10, steps=20)
    )


def test_a_start_that_failed_leaves_the_folder_free(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    workdirs.check(tmp_path, make_config())


def test_data_are_known_by_what_they_are(tmp_path, monkeypatch):
    first, moved = tmp_path / "data", tmp_path / "moved"
    (first / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.jpg"):
        (first / name).write_bytes(b"picture")
    workdir = tmp_path / "run"
    workdirs.claim(workdir, make_config(content=str(first)))
    monkeypatch.chdir(tmp_path)
    workdirs.check(workdir, make_config(content="./data"))
    first.rename(moved)
    workdirs.check(workdir, make_config(content=str(moved)))
    (moved / "sub/c.jpg").write_bytes(b"one more")
    with pytest.raises(NstjaxError, match=r"content.files \(2 before, 3 now\)"):
        workdirs.check(workdir, make_config(content=str(moved)))


def test_checkpoints_of_nobody_are_refused(tmp_path):
    (tmp_path / "checkpoints" / "10").mkdir(parents=True)
    with pytest.raises(NstjaxError, match="checkpoints but no config.json"):
        workdirs.check(tmp_path, make_config())


@pytest.mark.parametrize("text", ["", "{", "3"])
def test_a_damaged_note_is_one_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(NstjaxError, match="config.json cannot be read"):
        workdirs.check(tmp_path, make_config())
