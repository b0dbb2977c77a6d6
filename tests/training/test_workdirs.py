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
    with pytest.raises(NstjaxError, match="another batch_size, crop_size; resume"):
        workdirs.check(tmp_path, make_config(crop_size=64, batch_size=2))


def test_a_leaf_more_or_less_is_another_setting(tmp_path):
    config = make_config()
    config.extra = 1
    workdirs.claim(tmp_path, config)
    with pytest.raises(NstjaxError, match="another extra; resume"):
        workdirs.check(tmp_path, make_config())


def test_a_run_may_be_prolonged(tmp_path):
    workdirs.claim(tmp_path, make_config(steps=10))
    workdirs.check(tmp_path, make_config(steps=20))


def test_unless_its_schedule_ends_with_it(tmp_path):
    workdirs.claim(tmp_path, make_config(schedule="cosine", steps=10))
    with pytest.raises(NstjaxError, match="another steps; resume"):
        workdirs.check(tmp_path, make_config(schedule="cosine", steps=20))
    workdirs.claim(tmp_path, make_config(schedule="cosine", schedule_steps=10))
    workdirs.check(
        tmp_path, make_config(schedule="cosine", schedule_steps=10, steps=20)
    )


def test_checkpoints_of_nobody_are_refused(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(NstjaxError, match="checkpoints but no config.json"):
        workdirs.check(tmp_path, make_config())


@pytest.mark.parametrize("text", ["", "{", "3"])
def test_a_damaged_note_is_one_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(NstjaxError, match="config.json cannot be read"):
        workdirs.check(tmp_path, make_config())
