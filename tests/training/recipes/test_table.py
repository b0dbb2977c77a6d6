"""Tasks by name."""

import pytest

from configs import common
from nstjax.errors import NstjaxError
from nstjax.training.recipes.table import make_task


def test_unknown_tasks_are_refused_with_the_known_ones():
    with pytest.raises(NstjaxError, match="unknown task 'nothing'.*distill"):
        make_task(common.training("nothing", "any"))


def test_settings_are_checked_first():
    config = common.training("nothing", "any")
    config.keep = 0
    with pytest.raises(NstjaxError, match="--config.keep"):
        make_task(config)
