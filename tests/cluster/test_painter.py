"""The function of a batch, as any engine calls it."""

import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.cluster import BatchPainter, read_manifest
from nstjax.cluster.checks import check_options
from nstjax.cluster.painter import THERE_ALREADY
from nstjax.errors import NstjaxError

OPTIONS = {"alpha": 0.7, "size": 40}


def _rows(pictures: Path, output: str) -> list[dict]:
    paths = sorted(pictures.iterdir())
    return [{"content": str(p), "output": f"{output}/{p.name}"} for p in paths]


def _pixels(file) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def pictures(make_pictures, tmp_path_factory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("cluster") / "photos", 5)


@pytest.fixture(scope="module")
def expected(pictures) -> dict[str, np.ndarray]:
    """One by one, by the painter of a single process."""
    painter = nstjax.Painter(style="night", **OPTIONS)
    return {path.name: np.rint(255 * painter(str(path))) for path in pictures.iterdir()}


def test_a_copy_paints_what_a_single_process_paints(pictures, expected, tmp_path):
    painter = BatchPainter(style="night", **OPTIONS)
    rows = _rows(pictures, str(tmp_path))
    assert {r["status"] for r in painter(rows[:1])} == {"done"}
    # What it has loaded does not travel.
    copy = pickle.dumps(painter)
    assert len(copy) < 500
    records = pickle.loads(copy)(rows)
    assert [record["output"] for record in records] == [row["output"] for row in rows]
    assert {record["status"] for record in records} == {"done"}
    assert [bool(record["message"]) for record in records] == [True] + [False] * 4
    assert records[0]["message"] == THERE_ALREADY
    assert all(record["seconds"] > 0 for record in records[1:])
    for name, picture in expected.items():
        # Batches round otherwise than single pictures.
        assert np.abs(_pixels(tmp_path / name) - picture).max() <= 1


def test_every_row_fails_by_itself(pictures, tmp_path):
    good = str(pictures / "0000.png")
    (tmp_path / "corrupt.png").write_bytes(Path(good).read_bytes()[:200])
    rows = [
        {"content": good, "style": ["night"], "options": ""},
        {"content": str(tmp_path / "corrupt.png"), "style": ["night"], "options": ""},
        {"content": good, "style": ["absent.png"], "options": ""},
        {"content": good, "style": [], "options": ""},
        {"content": good, "style": ["night"], "options": '{"alhpa": 1}'},
        {"content": good, "style": ["night"], "options": "{"},
        {"content": good, "style": ["night"], "options": '{"alpha": 0.2}'},
    ]
    for number, row in enumerate(rows):
        row["output"] = str(tmp_path / f"{number}.png")
    # As Ray gives them: by columns, of NumPy's kind.
    columns = {name: np.array([row[name] for row in rows], object) for name in rows[0]}
    found = BatchPainter(size=40)(columns)
    failures = {n: m for n, m in enumerate(found["message"]) if m}
    assert found["status"] == ["done", *["failed"] * 5, "done"]
    for number, part in (
        (1, "corrupt.png is damaged or incomplete"),
        (2, "absent.png does not exist"),
        (3, "has no style"),
        (4, "has no option 'alhpa'"),
        (5, "are not options"),
    ):
        assert part in failures.pop(number)
    assert not failures
    assert (_pixels(tmp_path / "6.png") != _pixels(tmp_path / "0.png")).any()
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"corrupt.png", "0.png", "6.png"}


def test_what_is_there_is_painted_again_only_where_asked(pictures, tmp_path):
    (row,) = _rows(pictures, str(tmp_path))[:1]
    Path(row["output"]).write_bytes(b"mine")
    (record,) = BatchPainter(style="night", **OPTIONS)([row])
    assert record["message"] == THERE_ALREADY
    assert Path(row["output"]).read_bytes() == b"mine"
    (record,) = BatchPainter(style="night", overwrite=True, **OPTIONS)([row])
    assert (record["status"], record["message"]) == ("done", "")
    assert _pixels(row["output"]).shape == (40, 40, 3)


def test_pictures_may_be_elsewhere(pictures, expected):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for path in pictures.iterdir():
        memory.pipe(f"/in/{path.name}", path.read_bytes())
    memory.pipe("/in/style.png", (pictures / "0001.png").read_bytes())
    rows = [
        {"content": f"memory://in/{name}", "output": f"memory://painted/{name}"}
        for name in (*expected, "absent.png")
    ]
    painter = BatchPainter(style="night", **OPTIONS)
    *records, absent = painter(rows)
    assert {record["status"] for record in records} == {"done"}
    assert absent["message"].startswith("memory://in/absent.png does not exist")
    for name, picture in expected.items():
        found = _pixels(io.BytesIO(memory.cat(f"/painted/{name}")))
        assert np.abs(found - picture).max() <= 1
    # Complete files only, and nothing that was on the way to them.
    assert len(memory.ls("/painted")) == len(expected)
    assert painter(rows[:1])[0]["message"] == THERE_ALREADY
    other = {"style": "memory://in/style.png", "output": "memory://painted/x.png"}
    assert painter([rows[0] | other])[0]["status"] == "done"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"background": "white"}, "background must be three numbers from 0 to 1"),
        ({"background": (1, 1)}, "background must be three numbers from 0 to 1"),
        ({"background": (0, 0, 2)}, "background must be three numbers from 0 to 1"),
        ({"background": ("a", 0, 0)}, "each part of background must be a number"),
        ({"chroma": "9"}, "chroma must be one of 4:4:4, 4:2:2, 4:2:0, not '9'"),
        ({"quality": "x"}, "quality must be a whole number, not 'x'"),
        ({"quality": 0}, "quality must be from 1 to 100, not 0"),
        ({"exif": "all"}, "exif must be one of drop, no-location, keep, not 'all'"),
        ({"max_memory": "much"}, "'much' is not an amount of memory"),
        ({"batch_size": -1}, "batch_size must be 1 or more, not -1"),
        ({"threads": 0}, "threads must be 1 or more, not 0"),
        ({"memory_share": 5}, "memory_share must be above 0 and at most 1, not 5"),
        ({"style": 3}, "a style must be a file or a list of files, not 3"),
    ],
)
def test_what_no_row_can_be_painted_with_is_refused_at_once(options, said):
    with pytest.raises(NstjaxError, match=re.escape(said)):
        BatchPainter(**options)


def test_rows_are_checked_by_themselves(pictures, tmp_path):
    content, output = str(pictures / "0000.png"), str(tmp_path / "out.jpg")
    good = {"content": content, "output": output}
    bad = [
        ({"content": content}, "the row's output must name a file"),
        ({"output": output}, "the row's content must name a file"),
        (good | {"output": 7}, "the row's output must name a file, but is 7"),
        ([content, output], "a row must map names such as content"),
        (good | {"style": [3]}, "a style must be a file or a list of files, not [3]"),
        (good | {"options": {"size": "48"}}, "a size must be a whole number, not '48'"),
        (good | {"options": {"chroma": "9"}}, "chroma must be one of 4:4:4"),
        (good | {"options": {"quality": "x"}}, "quality must be a whole number"),
        (good | {"options": {"exif": "all"}}, "exif must be one of drop"),
        (good | {"options": {"background": "red"}}, "background must be three numbers"),
    ]
    painter = BatchPainter(style="night", overwrite=True, **OPTIONS)
    *failed, done = painter([row for row, _ in bad] + [good])
    assert (done["status"], done["message"]) == ("done", "")
    for record, (row, said) in zip(failed, bad, strict=True):
        assert record["status"] == "failed" and said in record["message"], row
    assert (failed[0]["content"], failed[0]["output"]) == (content, "")


def test_names_may_be_paths(pictures, tmp_path):
    style, output = pictures / "0001.png", tmp_path / "a.png"
    row = {"content": pictures / "0000.png", "output": output}
    (record,) = BatchPainter(style=style, **OPTIONS)([row])
    assert (record["status"], record["output"]) == ("done", str(output))
    row |= {"style": [style, style], "output": tmp_path / "b.png"}
    assert BatchPainter(**OPTIONS)([row])[0]["status"] == "done"
    # The same style twice is that style.
    assert np.abs(_pixels(output) - _pixels(tmp_path / "b.png")).max() <= 1
    (row,) = read_manifest(pictures / "0000.png", style=style, output=tmp_path)
    assert row["output"] == str(tmp_path / "0000.png")
    assert (row["content"], row["style"]) == (str(pictures / "0000.png"), [str(style)])


def test_inputs_are_not_written_over(pictures, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes((pictures / "0000.png").read_bytes())
    link = tmp_path / "link.png"
    link.symlink_to(photo)
    painter = BatchPainter(style="night", overwrite=True, **OPTIONS)
    for row in (
        {"content": str(photo), "output": str(photo)},
        {"content": str(link), "output": str(photo)},
        {"content": "chelsea", "style": [str(photo)], "output": str(photo)},
    ):
        (record,) = painter([row])
        assert "would overwrite an input" in record["message"]
    assert photo.read_bytes() == (pictures / "0000.png").read_bytes()


def test_workers_must_have_the_same_version():
    with pytest.raises(NstjaxError, match="planned by 0.0.1; install the same"):
        BatchPainter(style="night", version="0.0.1")


def test_a_background_may_be_an_array():
    check_options({"background": np.array([1.0, 0.5, 0.0])})
    with pytest.raises(NstjaxError, match="three numbers"):
        check_options({"background": np.zeros(4)})
