"""Garbage is not searched for meanwhile, and is again afterwards."""

import gc

import pytest

from nstjax.cli.collector import without_collection


def test_it_is_off_and_on_again():
    before = gc.get_freeze_count()
    with without_collection():
        assert not gc.isenabled()
        kept = [[] for _ in range(1000)]
    assert gc.isenabled() and gc.get_freeze_count() >= before + len(kept)
    gc.unfreeze()


def test_it_is_on_again_after_an_error():
    with pytest.raises(ValueError), without_collection():
        raise ValueError
    assert gc.isenabled()
    gc.unfreeze()
