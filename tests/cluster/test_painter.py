"""The function of a batch, as any engine calls it."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nstjax
from nstjax.cluster import BatchPainter
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
        (5, "are no options"),
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


def test_workers_must_have_the_same_version():
    with pytest.raises(NstjaxError, match="planned by 0.0.1; install the same"):
        BatchPainter(style="night", version="0.0.1")
