"""What the page's functions keep for each visitor."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("gradio")

from nstjax.web import page as page_module  # noqa: E402
from nstjax.web.page import Page  # noqa: E402

# What the controls hold at first: no clip, one style, and adain's defaults.
_CONTROLS = (None, False, ["night"], None, "adain", 0, 1, 0, 1, 150, "", "none")


def _visitor(name="somebody"):
    return SimpleNamespace(session_hash=name)


def test_an_order_waits_for_a_photograph_that_is_still_looked_at(tmp_path, monkeypatch):
    begun, seen = threading.Event(), threading.Event()

    def slow_look(path):
        begun.set()
        assert seen.wait(30)
        return np.zeros((8, 9, 3), np.uint8)

    monkeypatch.setattr(page_module, "check_upload", slow_look)
    page = Page(tmp_path, studio=None)
    with ThreadPoolExecutor(2) as pool:
        upload = {"path": str(tmp_path / "photo.jpg")}
        taken = pool.submit(page.take_photograph, upload, _visitor())
        assert begun.wait(30)
        order = pool.submit(page.begin, _visitor())
        # Another visitor's order does not wait.
        assert page.begin(_visitor("another"))[0]
        assert not order.done()
        seen.set()
        assert order.result(30)[0]
        assert "9 x 8 pixels" in taken.result(30)[-1]
    assert "photo.jpg" in page.show_command(_visitor(), *_CONTROLS)
    assert page.show_command(_visitor("another"), *_CONTROLS) == ""


def test_an_example_takes_the_place_of_a_photograph_and_can_be_taken_away(tmp_path):
    page = Page(tmp_path, studio=None)
    page.take_example("chelsea", _visitor())
    assert "--content chelsea" in page.show_command(_visitor(), *_CONTROLS)
    page.drop_photograph(_visitor())
    assert page.show_command(_visitor(), *_CONTROLS) == ""


def test_a_file_that_was_not_dropped_here_is_not_read(tmp_path):
    (tmp_path / "page").mkdir()
    page = Page(tmp_path / "page", studio=None)
    upload = {"path": str(tmp_path / "secret.png")}
    *_, status = page.take_photograph(upload, _visitor())
    assert "dropped here" in status
    assert page.show_command(_visitor(), *_CONTROLS) == ""


def test_a_saved_style_is_no_photograph(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "check_upload", lambda path: None)
    page = Page(tmp_path, studio=None)
    upload = {"path": str(tmp_path / "night.style")}
    *_, status = page.take_photograph(upload, _visitor())
    assert "saved style" in status
    assert page.show_command(_visitor(), *_CONTROLS) == ""


def test_a_lost_connection_loses_no_photograph(tmp_path):
    page = Page(tmp_path, studio=None)
    page.take_example("chelsea", _visitor())
    assert page.begin(_visitor())[0]
    page.leave(_visitor())
    # What was being painted ends; the page may come back.
    assert "--content chelsea" in page.show_command(_visitor(), *_CONTROLS)


def test_an_example_can_be_chosen_again_after_a_bad_upload(tmp_path):
    page = Page(tmp_path, studio=None)
    page.take_example("chelsea", _visitor())
    upload = {"path": str(tmp_path / "text.jpg")}
    (tmp_path / "text.jpg").write_text("text")
    picture, example, status = page.take_photograph(upload, _visitor())
    assert (picture, example) == (None, None)
    assert "text.jpg" in status


def test_visits_of_long_ago_are_forgotten(tmp_path, monkeypatch):
    page = Page(tmp_path, studio=None)
    page.take_example("chelsea", _visitor("early"))
    monkeypatch.setattr(page_module, "_KEPT", -1)
    page.take_photograph(None, _visitor("late"))
    assert page.show_command(_visitor("early"), *_CONTROLS) == ""


def test_the_published_network_brings_its_own_settings(tmp_path):
    page = Page(tmp_path, studio=None)
    bundled, published = (
        [update["value"] for update in page.show_defaults("gatys", name)]
        for name in ("vgg19-slim", "vgg19")
    )
    assert bundled == [1.0, 150] and published == [1.0, 60]


def test_a_method_that_is_reported_twice_leaves_what_was_set_in_between(tmp_path):
    page = Page(tmp_path, studio=None)
    first = page.show_controls("gatys", _visitor())
    assert 150 in [update.get("value") for update in first]
    # gradio's "leave all as they are"
    assert page.show_controls("gatys", _visitor()) == page_module.gr.skip()
    assert len(page.show_controls("gatys", _visitor("another"))) == len(first)
    assert len(page.show_controls("adain", _visitor())) == len(first)
    assert len(page.show_controls("gatys", _visitor())) == len(first)


def test_what_is_being_painted_is_not_swept_away(tmp_path, monkeypatch):
    page = Page(tmp_path, studio=None)
    page.take_example("chelsea", _visitor())
    (tmp_path / "old").mkdir()
    used = tmp_path / "used"
    used.mkdir()
    visit = page._visit(_visitor())
    visit.busy, visit.folder = True, used
    monkeypatch.setattr(page_module, "_KEPT", -1)
    page.take_styles([], _visitor("another"))
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


def test_an_order_that_was_dropped_on_its_way_does_not_block_the_next(tmp_path):
    page = Page(tmp_path, studio=None)
    page.take_example("chelsea", _visitor())
    assert page.begin(_visitor())[0]
    assert not page.begin(_visitor())[0]
    # The connection is lost before it is painted.
    page.leave(_visitor())
    assert page.begin(_visitor())[0]
