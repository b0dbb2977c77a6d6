"""An evaluation's folder."""

import json

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.evaluation.inputs import Input, Pair
from nstjax.evaluation.painting import (
    DONE,
    MISSING,
    OTHER,
    Folder,
    read_json,
    state_of,
    write_json,
)
from nstjax.io.images import write_image
from nstjax.io.weights import sha256_of

PAIR = Pair(*(Input(x, x, np.zeros((48, 48, 3), np.float32), x) for x in ("c", "s")))
REQUEST = {"seed": 0}


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "run")


def make(folder, request=REQUEST):
    picture = folder.picture("gatys", PAIR)
    write_image(picture, PAIR.content.image)
    record = {"request": request, "sha256": sha256_of(picture)}
    write_json(folder.record("gatys", PAIR), record)
    return picture


def test_a_picture_with_its_record_is_done(folder):
    assert state_of(folder, "gatys", PAIR, REQUEST) == MISSING
    make(folder)
    assert state_of(folder, "gatys", PAIR, REQUEST) == DONE
    assert state_of(folder, "gatys", PAIR, {"seed": 1}) == OTHER
    assert state_of(folder, "lapstyle", PAIR, REQUEST) == MISSING


def test_options_that_earlier_versions_lacked_change_nothing(folder):
    make(folder, {"options": {"style_weight": 2.0}})
    newer = {"style_weight": 2.0, "halo_weight": 0.0, "rounding": ""}
    assert state_of(folder, "gatys", PAIR, {"options": newer}) == DONE
    for change in ({"halo_weight": 1.0}, {"rounding": "ceil"}, {"style_weight": 0.0}):
        request = {"options": newer | change}
        assert state_of(folder, "gatys", PAIR, request) == OTHER


def test_a_picture_that_changed_is_another(folder):
    make(folder).write_bytes(b"something else")
    assert state_of(folder, "gatys", PAIR, REQUEST) == OTHER


@pytest.mark.parametrize("damage", ["", "[]", "{"])
def test_a_picture_without_a_usable_record_is_anothers(folder, damage):
    make(folder)
    record = folder.record("gatys", PAIR)
    record.write_text(damage)
    assert read_json(record) == {}
    assert state_of(folder, "gatys", PAIR, REQUEST) == OTHER
    record.unlink()
    assert state_of(folder, "gatys", PAIR, REQUEST) == OTHER


def test_a_record_of_something_else_is_anothers(folder):
    make(folder, request=[])
    assert state_of(folder, "gatys", PAIR, REQUEST) == OTHER


def test_a_folder_keeps_its_protocol(folder):
    folder.claim({"size": 48, "seed": 0}, overwrite=False)
    folder.claim({"size": 48, "seed": 0}, overwrite=False)
    with pytest.raises(
        NstjaxError,
        match=r"seed \(0 before, 1 now\), size \(48 before, 64 now\); choose",
    ):
        folder.claim({"size": 64, "seed": 1}, overwrite=False)
    assert json.loads((folder.path / "run.json").read_text())["size"] == 48
    folder.claim({"size": 64, "seed": 1}, overwrite=True)
    assert json.loads((folder.path / "run.json").read_text())["size"] == 64


def test_a_folder_of_something_else_is_left_alone(folder):
    folder.path.mkdir()
    folder.claim({"size": 48}, overwrite=False)  # an empty one will do
    (folder.path / "run.json").unlink()
    (folder.path / "thesis.tex").write_text("years of work")
    with pytest.raises(NstjaxError, match="something other than an evaluation"):
        folder.claim({"size": 48}, overwrite=False)
    with pytest.raises(NstjaxError, match="is a file"):
        Folder(folder.path / "thesis.tex").claim({}, overwrite=True)
