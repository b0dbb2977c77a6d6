"""Sources of pictures, and the order in which batches come."""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError, NstjaxWarning
from nstjax.io.crops import Crop
from nstjax.io.datasets import (
    Stream,
    find_pictures,
    fixed_batches,
    make_batches,
    open_picture,
    open_source,
    picture_loader,
    split_source,
)
from nstjax.io.images import list_images


def save_picture(path: Path, level: int = 0, size=(8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path)
    return path


def numbered(length: int) -> Stream:
    """A stream whose examples tell their number and a draw of their own."""

    def load(item, random):
        draw = -1 if random is None else random.integers(2**31)
        return np.array([item, draw])

    return Stream(range(length), load)


def take(count: int, streams, **options) -> list[dict[str, np.ndarray]]:
    options = {"batch_size": 4, "seed": 1} | options
    with contextlib.closing(make_batches(streams, **options)) as batches:
        return list(itertools.islice(batches, count))


def assert_same(batches, expected):
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected, strict=True):
        assert batch.keys() == other.keys()
        for name, array in batch.items():
            np.testing.assert_array_equal(array, other[name])


class TestFindPictures:
    def test_searches_subfolders_in_order(self, tmp_path):
        names = ["b.PNG", "a/z.jpeg", "a/b/c.webp", "c.tif"]
        paths = [save_picture(tmp_path / name) for name in names]
        (tmp_path / "notes.txt").write_text("no picture")
        (tmp_path / "folder.jpg").mkdir()
        assert find_pictures(tmp_path) == sorted(paths)

    def test_leaves_hidden_ones_out(self, tmp_path):
        save_picture(tmp_path / ".thumbnails" / "a.png")
        save_picture(tmp_path / "._b.png")
        assert find_pictures(tmp_path) == []

    def test_follows_links_each_folder_once(self, tmp_path):
        path = save_picture(tmp_path / "real" / "a.png")
        data = tmp_path / "data"
        data.mkdir()
        (data / "linked").symlink_to(tmp_path / "real")
        (data / "again").symlink_to(tmp_path / "real")
        (tmp_path / "real" / "loop").symlink_to(data)
        (found,) = find_pictures(data)
        assert found == data / "again" / "a.png" and found.samefile(path)

    def test_says_what_is_left_out(self, tmp_path):
        path = save_picture(tmp_path / "a.png")
        jfif = tmp_path / "b.JFIF"
        jfif.write_bytes(b"")
        for name in ("c.psd", "d.jxl", "sub/e.PSD", "notes.txt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        for find in (find_pictures, list_images):
            with pytest.warns(
                NstjaxWarning, match=r"1 \.jxl, [12] \.psd, which"
            ) as said:
                assert find(tmp_path) == [path, jfif]
            assert len(said) == 1


class TestOpenSource:
    def test_a_folder_gives_its_pictures(self, tmp_path):
        path = save_picture(tmp_path / "a.png")
        assert list(open_source(str(tmp_path))) == [path]

    def test_no_folder(self, tmp_path):
        with pytest.raises(NstjaxError, match="there is no folder .*absent"):
            open_source(tmp_path / "absent")

    def test_a_file(self, tmp_path):
        with pytest.raises(NstjaxError, match="there is no folder .*a.png"):
            open_source(save_picture(tmp_path / "a.png"))

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(NstjaxError, match=r"has no pictures \(.png, .jpg"):
            open_source(tmp_path)


class TestSplitSource:
    def test_every_nth_is_held_out(self):
        training, validation = split_source(range(10), every=4)
        assert [validation[i] for i in range(len(validation))] == [0, 4, 8]
        assert [training[i] for i in range(len(training))] == [1, 2, 3, 5, 6, 7, 9]

    @pytest.mark.parametrize(("length", "every"), [(10, 0), (1, 5), (10, 1)])
    def test_too_few_serve_for_both(self, length, every):
        training, validation = split_source(range(length), every=every)
        assert list(training) == list(validation) == list(range(length))


class TestOpenPicture:
    def test_a_path_bytes_an_array_and_an_example_are_the_same(self, tmp_path):
        path = save_picture(tmp_path / "a.png", level=7)
        array = np.full((8, 8, 3), 7, np.uint8)
        for item in (path, path.read_bytes(), array, {"image": path.read_bytes()}):
            np.testing.assert_array_equal(np.asarray(open_picture(item)), array)

    def test_other_formats_than_the_documented_are_refused(self, tmp_path):
        path = tmp_path / "really_a_tga.png"
        Image.new("RGB", (8, 8)).save(path, "TGA")
        with pytest.raises(OSError):
            open_picture(path)


class TestMakeBatches:
    streams = {"content": numbered(11), "style": numbered(7)}

    def test_the_seed_alone_decides(self):
        expected = take(12, self.streams)
        assert_same(take(12, self.streams), expected)
        other = take(12, self.streams, seed=2)
        assert not np.array_equal(other[0]["content"], expected[0]["content"])

    @pytest.mark.parametrize("threads", [0, 1, 5])
    @pytest.mark.parametrize("start", [0, 1, 6])
    def test_starts_anywhere_with_any_number_of_threads(self, threads, start):
        expected = take(10, self.streams)[start:]
        batches = take(10 - start, self.streams, start=start, threads=threads)
        assert_same(batches, expected)

    @pytest.mark.parametrize("threads", [0, 1])
    def test_reading_processes_keep_the_order(self, threads):
        expected = take(8, self.streams)[3:]
        options = {"start": 3, "threads": threads, "workers": 2}
        assert_same(take(5, self.streams, **options), expected)

    @pytest.mark.parametrize("rows", [[(0, 2), (2, 4)], [(0, 3), (3, 4)]])
    def test_hosts_share_each_batch(self, rows):
        expected = take(6, self.streams)
        parts = [take(6, self.streams, rows=part) for part in rows]
        joined = [
            {name: np.concatenate([part[name] for part in batch]) for name in batch[0]}
            for batch in zip(*parts, strict=True)
        ]
        assert_same(joined, expected)

    def test_hosts_resume_too(self):
        whole = take(6, self.streams, rows=(1, 4))
        resumed = take(2, self.streams, rows=(1, 4), start=4)
        assert_same(resumed, whole[4:])

    def test_each_epoch_sees_every_picture_once_in_a_new_order(self):
        batches = take(22, {"content": numbered(11)}, batch_size=2)
        numbers = np.concatenate([b["content"][:, 0] for b in batches])
        epochs = numbers.reshape(4, 11)
        for epoch in epochs:
            assert sorted(epoch) == list(range(11))
        assert len({tuple(epoch) for epoch in epochs}) == 4

    def test_each_epoch_crops_anew(self):
        batches = take(20, {"content": numbered(4)})
        draws = np.concatenate([b["content"][:, 1] for b in batches])
        assert len(set(draws)) == len(draws)

    def test_streams_are_shuffled_independently(self):
        streams = {"content": numbered(50), "style": numbered(50)}
        batches = take(50, streams)
        content = np.concatenate([b["content"] for b in batches])
        style = np.concatenate([b["style"] for b in batches])
        assert not set(content[:, 1]) & set(style[:, 1])
        # 200 pairs out of 50 x 50 at random coincide about 4 times.
        assert (content[:, 0] == style[:, 0]).sum() < 15
        assert len(set(zip(content[:, 0], style[:, 0], strict=True))) > 150

    def test_batches_are_pictures(self, tmp_path):
        paths = [save_picture(tmp_path / f"{i}.png", level=i) for i in range(5)]
        stream = Stream(paths, picture_loader(Crop(4, 8)))
        (batch,) = take(1, {"content": stream})
        assert batch["content"].shape == (4, 4, 4, 3)
        assert batch["content"].dtype == np.uint8
        # Each of one level, each another.
        levels = batch["content"].reshape(4, -1)
        assert (levels == levels[:, :1]).all() and len(set(levels[:, 0])) == 4


class TestCorruptPictures:
    def make(self, tmp_path, *, corrupt: set[int], length: int = 6) -> Stream:
        paths = []
        for i in range(length):
            path = save_picture(tmp_path / f"{i}.png", level=10 * i, size=(64, 64))
            if i in corrupt:
                path.write_bytes(path.read_bytes()[:60])
            paths.append(path)
        return Stream(paths, picture_loader(Crop(4, 8)))

    @pytest.mark.parametrize("workers", [0, 2])
    def test_are_replaced_by_the_next_and_counted(self, tmp_path, workers):
        stream = self.make(tmp_path, corrupt={2, 3})
        corrupt = set()
        options = {"batch_size": 2, "corrupt": corrupt, "workers": workers}
        batches = take(9, {"content": stream}, **options)
        levels = np.concatenate([b["content"][:, 0, 0, 0] for b in batches])
        # Three epochs; 40 stands in for the two.
        assert sorted(levels) == sorted([0, 10, 40, 40, 40, 50] * 3)
        assert corrupt == {str(tmp_path / "2.png"), str(tmp_path / "3.png")}

    def test_do_not_move_the_others(self, tmp_path):
        whole = self.make(tmp_path / "whole", corrupt=set())
        broken = self.make(tmp_path / "broken", corrupt={2})
        expected = take(6, {"content": whole}, batch_size=2)
        for batch, other in zip(
            take(6, {"content": broken}, batch_size=2), expected, strict=True
        ):
            intact = other["content"][:, 0, 0, 0] != 20
            np.testing.assert_array_equal(
                batch["content"][intact], other["content"][intact]
            )

    @pytest.mark.parametrize(
        "damage",
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + bytes(99), b"no picture"],
        ids=["empty", "header", "zeros", "text"],
    )
    def test_any_damage(self, tmp_path, damage):
        stream = self.make(tmp_path, corrupt=set(), length=2)
        stream.source[0].write_bytes(damage)
        corrupt = set()
        take(3, {"content": stream}, corrupt=corrupt)
        assert corrupt == {str(stream.source[0])}

    def test_in_a_prepared_directory_have_names(self):
        good = np.zeros((8, 8, 3), np.uint8)
        source = [{"image": good}, {"image": b"?", "filename": b"a/b.jpg"}]
        corrupt = set()
        stream = Stream(source, picture_loader(Crop(4, 8)))
        take(1, {"content": stream}, corrupt=corrupt)
        assert corrupt == {"a/b.jpg"}

    @pytest.mark.parametrize(("threads", "workers"), [(0, 0), (2, 0), (1, 1)])
    def test_none_readable_ends_the_run(self, tmp_path, threads, workers):
        stream = self.make(tmp_path, corrupt=set(range(6)))
        with pytest.raises(NstjaxError, match=r"can be read, such as .*\d\.png"):
            take(1, {"content": stream}, threads=threads, workers=workers)


class TestFixedBatches:
    def test_come_in_order_and_start_over(self):
        batches = fixed_batches({"content": numbered(5)}, batch_size=3, count=2)
        numbers = [batch["content"][:, 0].tolist() for batch in batches]
        assert numbers == [[0, 1, 2], [3, 4, 0]]
        assert (batches[0]["content"][:, 1] == -1).all()  # nothing random

    def test_replace_corrupt_pictures(self, tmp_path):
        paths = [save_picture(tmp_path / f"{i}.png", level=i) for i in range(3)]
        paths[1].write_bytes(b"")
        stream = Stream(paths, picture_loader(Crop(4, 8)))
        (batch,) = fixed_batches({"content": stream}, batch_size=3, count=1)
        assert batch["content"][:, 0, 0, 0].tolist() == [0, 2, 2]
