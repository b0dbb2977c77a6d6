"""Pictures as commands name them."""

import pytest

from nstjax.errors import NstjaxError
from nstjax.methods.pictures import list_pictures, picture_label


def test_a_name_stands_for_an_example_unless_there_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list_pictures("night") == ["night"]
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "b.png").touch()
    assert list_pictures("night") == [
        str(tmp_path.joinpath("night/b.png").relative_to(tmp_path))
    ]
    with pytest.raises(NstjaxError, match="cannot be read"):
        list_pictures("day")


def test_labels():
    others = ["x/a.png", "y/a.jpg", "b.png"]
    assert [picture_label(x, others) for x in others] == ["a-png", "a-jpg", "b"]
