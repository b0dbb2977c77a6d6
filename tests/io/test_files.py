"""A file is written as a whole or not at all."""

import os
import stat

import pytest

from nstjax.errors import NstjaxError
from nstjax.io.files import (
    LONGEST_NAME,
    fit_name,
    refuse_to_overwrite,
    remove_leftovers,
    remove_unfinished,
    write_atomically,
    written_atomically,
)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_and_makes_folders(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    write_atomically(path, b"data")
    assert path.read_bytes() == b"data"
    assert names(path.parent) == ["file.bin"]


def test_takes_a_string_relative_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("file.bin", b"data")
    assert (tmp_path / "file.bin").read_bytes() == b"data"


def test_refuses_to_overwrite(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(NstjaxError, match=f"^{path} exists; .*--overwrite$"):
        write_atomically(path, b"new")
    with pytest.raises(NstjaxError, match="exists"):
        refuse_to_overwrite(path, overwrite=False)
    assert path.read_bytes() == b"old"


def test_overwrites_when_told_to(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    refuse_to_overwrite(path, overwrite=True)
    write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_mode_is_that_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "file.bin", b"data")
    finally:
        assert os.umask(before) == mask
    mode = stat.S_IMODE((tmp_path / "file.bin").stat().st_mode)
    assert mode == 0o666 & ~mask


def test_the_mask_of_the_whole_process_is_left_alone(tmp_path, monkeypatch):
    masks = []
    monkeypatch.setattr(os, "umask", masks.append)
    write_atomically(tmp_path / "file.bin", b"data")
    assert (tmp_path / "file.bin").read_bytes() == b"data" and masks == []


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_refusal_of_the_system_leaves_things_as_they_were(
    tmp_path, monkeypatch, step, old
):
    path = tmp_path / "file.bin"
    if old:
        path.write_bytes(old)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(NstjaxError, match=f"^{path} cannot be written .No space left"):
        write_atomically(path, b"new", overwrite=True)
    assert names(tmp_path) == (["file.bin"] if old else [])
    if old:
        assert path.read_bytes() == old


def test_an_interruption_passes_through_and_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.bin", b"data")
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(NstjaxError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "new.bin", b"data")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(NstjaxError, match="Is a directory"):
        write_atomically(tmp_path / "folder", b"data", overwrite=True)
    assert names(tmp_path) == ["folder"]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(NstjaxError, match="File name too long"):
        write_atomically(tmp_path / ("a" * 300), b"data")
    assert names(tmp_path) == []


def test_a_file_written_in_steps_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "folder" / "file.bin"
    with written_atomically(path) as temporary:
        temporary.write_bytes(b"some")
        assert not path.exists()
        with open(temporary, "ab") as file:
            file.write(b" more")
    assert path.read_bytes() == b"some more"
    with pytest.raises(RuntimeError), written_atomically(path, overwrite=True) as other:
        other.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"some more"
    assert names(path.parent) == ["file.bin"]


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("a" * 255, "é" * 127 + "x"):
        write_atomically(tmp_path / name, b"data")
        assert (tmp_path / name).read_bytes() == b"data"


def test_a_symbolic_link_stays_one(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to("target")
    write_atomically(link, b"new", overwrite=True)
    assert link.is_symlink() and target.read_bytes() == b"new"
    with pytest.raises(NstjaxError, match="exists"):
        write_atomically(link, b"newer")
    target.unlink()
    write_atomically(link, b"made")
    assert link.is_symlink() and target.read_bytes() == b"made"


def test_text_keeps_names_that_are_no_text(tmp_path):
    write_atomically(tmp_path / "list", "\u00e9 caf\udce9\n")
    assert (tmp_path / "list").read_bytes() == b"\xc3\xa9 caf\xe9\n"


def test_names_are_fitted(tmp_path):
    assert fit_name("short", ".png") == "short.png"
    exact = "a" * (LONGEST_NAME - 4)
    assert fit_name(exact, ".png") == exact + ".png"
    one, other = fit_name(exact + "b", ".png"), fit_name(exact + "c", ".png")
    assert one != other and one == fit_name(exact + "b", ".png")
    for stem in (exact + "b", "é" * 300, "caf\udce9" * 99):
        name = fit_name(stem, "_disparity.png")
        assert len(os.fsencode(name)) <= LONGEST_NAME and name.endswith(
            "_disparity.png"
        )
        assert stem.startswith(name[:100])


def test_what_is_unfinished_when_the_process_ends_is_removed(tmp_path):
    write_atomically(tmp_path / "before", b"data")
    with pytest.raises(NstjaxError), written_atomically(tmp_path / "file") as temporary:
        temporary.write_bytes(b"half")
        remove_unfinished()
        assert names(tmp_path) == ["before"]
    assert names(tmp_path) == ["before"]


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt), written_atomically(tmp_path / "a.png"):
        (leftover,) = tmp_path.iterdir()
        content = leftover.name
        raise KeyboardInterrupt
    for name in (content, ".b.png.abcdefgh", ".a.png.notes", "a.png.abcdefgh"):
        (tmp_path / name).touch()
    remove_leftovers([tmp_path / "a.png", tmp_path / "absent" / "a.png"])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".b.png.abcdefgh", ".a.png.notes", "a.png.abcdefgh"}
