"""Impossible settings are refused by name."""

import pytest

from configs import common
from nstjax.errors import NstjaxError
from nstjax.training.settings import check_settings


def make_config(**leaves):
    config = common.training("any", "any")
    config.update(leaves)
    return config


def test_the_common_config_is_fine():
    check_settings(make_config())


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("steps", 0, "--config.steps must be 1 or more, not 0"),
        ("batch_size", -8, "--config.batch_size must be 1 or more, not -8"),
        ("accumulate_steps", 0, "must be 1 or more"),
        ("log_every", 0, "must be 1 or more"),
        ("checkpoint_every", 0, "must be 1 or more"),
        ("keep", 0, "must be 1 or more"),
        ("validation_batches", 0, "must be 1 or more"),
        ("threads", -1, "must be 0 or more, and finite, not -1"),
        ("validation_every_nth", -1, "must be 0 or more"),
        ("warmup_steps", -1, "must be 0 or more"),
        ("learning_rate", float("nan"), "must be 0 or more, and finite, not nan"),
        ("learning_rate", float("inf"), "must be 0 or more, and finite, not inf"),
        ("clip_norm", -1.0, "must be 0 or more"),
        ("average_decay", 1.0, "must be from 0 to below 1, not 1.0"),
        ("seed", -1, "must be from 0 to 4294967295, not -1"),
        ("seed", 2**32, "must be from 0 to 4294967295, not 4294967296"),
        ("name", "", "a file's name without folders and ending, not empty"),
        ("name", "runs/mine", "without folders and ending, not runs/mine"),
        ("name", "..", "without folders and ending, not .."),
        ("optimizer", "sgd", "one of adam, muon, not sgd"),
        ("schedule", "linear", "one of constant, inverse_time, cosine, not linear"),
        ("compute_dtype", "float16", "one of float32, bfloat16, not float16"),
        ("export_dtype", "int8", "one of float32, float16, not int8"),
    ],
)
def test_impossible_values_are_refused(name, value, sentence):
    with pytest.raises(NstjaxError) as raised:
        check_settings(make_config(**{name: value}))
    assert str(raised.value).startswith(f"--config.{name} ")
    assert sentence in str(raised.value)


def test_a_missing_leaf_is_refused():
    config = make_config()
    del config.keep
    with pytest.raises(NstjaxError, match="has no keep; start it from configs/common"):
        check_settings(config)
