"""What is to be painted: folders, lists, manifests, by path and by URL."""

import json
from pathlib import Path

import pytest

from nstjax.cluster import read_manifest
from nstjax.errors import NstjaxError


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Files whose names say that they are pictures; manifests open none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "a.jpg", "b.png", "notes.md"):
        (folder / name).touch()
    return folder


def test_a_folder_gives_its_pictures_and_names_results_after_them(pictures, tmp_path):
    rows = read_manifest(str(pictures), style="night", output=str(tmp_path / "out"))
    assert [Path(row["content"]).name for row in rows] == ["a.jpg", "a.png", "b.png"]
    # As the command without a cluster names them: apart where stems are the same.
    outputs = [Path(row["output"]) for row in rows]
    assert [path.name for path in outputs] == ["a-jpg.png", "a-png.png", "b.png"]
    assert {path.parent for path in outputs} == {tmp_path / "out"}
    # An example's name stays one.
    assert all(row["style"] == ["night"] for row in rows)


def test_examples_are_not_shadowed_by_folders_of_their_names(
    pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("night", "chelsea"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    rows = read_manifest(["chelsea", "chelsea/"], style="night", output="night")
    assert [row["content"] for row in rows] == [
        "chelsea",
        str(tmp_path / "chelsea" / "a.png"),
    ]
    assert all(row["style"] == ["night"] for row in rows)


def _manifest(folder: Path, kind: str, rows: list[dict]) -> str:
    path = folder / f"rows{kind}"
    if kind == ".parquet":
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_rows_have_styles_outputs_and_options_of_their_own(kind, pictures, tmp_path):
    given = [
        {"content": "a.png", "style": "b.png", "output": "x.webp", "options": None},
        {
            "content": str(pictures / "b.png"),
            "style": None,
            "output": None,
            "options": '{"alpha": 0.5}',
        },
    ]
    path = _manifest(pictures, kind, given)
    first, second = read_manifest(path, style="wave", output=str(tmp_path / "out"))
    # Inputs begin at the manifest, outputs at the folder of outputs.
    assert first["content"] == str(pictures / "a.png")
    assert first["style"] == [str(pictures / "b.png")]
    assert first["output"] == str(tmp_path / "out" / "x.webp")
    assert json.loads(first["options"]) == {}
    assert second["content"] == str(pictures / "b.png")
    assert second["style"] == ["wave"]
    assert second["output"] == str(tmp_path / "out" / "b.png")
    assert json.loads(second["options"]) == {"alpha": 0.5}


def test_a_list_has_a_picture_in_every_line(pictures, tmp_path):
    path = pictures / "list.txt"
    path.write_text("a.png\n\nb.png\n")
    rows = read_manifest(str(path), style=["night", "wave"], output=str(tmp_path))
    assert [Path(row["content"]).name for row in rows] == ["a.png", "b.png"]
    assert rows[0]["style"] == ["night", "wave"]


@pytest.mark.parametrize(
    ("name", "text"), [("rows.jsonl", '{"content": "a.png"}'), ("list.txt", "a.png")]
)
def test_a_byte_order_mark_is_no_part_of_a_manifest(name, text, pictures, tmp_path):
    path = pictures / name
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (row,) = read_manifest(str(path), style="night", output=str(tmp_path))
    assert row["content"] == str(pictures / "a.png")


def test_urls_are_listed_and_joined(pictures, tmp_path):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe({"/shop/photos/1.jpg": b"", "/shop/photos/2.png": b"", "/shop/x": b""})
    memory.pipe({"/shop/rows.jsonl": b'{"content": "photos/1.jpg"}\n'})
    folder = read_manifest("memory://shop/photos", style="night", output="memory://out")
    assert [row["content"] for row in folder] == [
        "memory:///shop/photos/1.jpg",
        "memory:///shop/photos/2.png",
    ]
    assert [row["output"] for row in folder] == [
        "memory://out/1.png",
        "memory://out/2.png",
    ]
    (row,) = read_manifest(
        "memory://shop/rows.jsonl", style="night", output="memory://out"
    )
    assert row["content"] == "memory://shop/photos/1.jpg"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"style": "night"}], "row 1 of .* has no content"),
        ([{"content": "a.png"}], "has no style; give --style"),
        ([{"content": "a.png", "colour": "red"}], "has the unknown column 'colour'"),
        ([{"content": "a.png", "style": [3]}], "neither a picture nor a list"),
        ([{"content": "a.png", "style": 3}], "neither a picture nor a list"),
        ([{"content": "a.png", "style": {"x": 1}}], "neither a picture nor a list"),
        ([{"content": "a.png", "style": "night", "output": 5}], "the output of row 1"),
        ([{"content": "a.png", "style": "night", "width": "w"}], "the width of row 1"),
        (
            [{"content": name, "style": "night", "output": "x.png"} for name in "ab"],
            "x.png would be written twice",
        ),
        (
            [{"content": "a.png", "style": "night", "output": "../photos/a.png"}],
            "would overwrite an input",
        ),
        (
            [{"content": "a.png", "style": "night", "output": "x"}],
            "which picture format",
        ),
        ([], "lists no pictures"),
    ],
)
def test_what_is_wrong_is_one_sentence(rows, said, pictures, tmp_path):
    path = _manifest(pictures, ".jsonl", rows)
    with pytest.raises(NstjaxError, match=said):
        read_manifest(path, output=str(tmp_path / "out"))


def test_files_that_are_no_manifests(tmp_path):
    for name, said in (("a.jsonl", "is not JSON"), ("a.txt", "is not UTF-8 text")):
        path = tmp_path / name
        path.write_bytes(b"{ \xff" if name.endswith("txt") else b"{\n")
        with pytest.raises(NstjaxError, match=said):
            read_manifest(str(path), style="night", output="out")
    with pytest.raises(NstjaxError, match="absent.jsonl does not exist"):
        read_manifest(str(tmp_path / "absent.jsonl"), style="night", output="out")
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(NstjaxError, match="is not a readable Parquet file"):
        read_manifest(str(tmp_path / "a.parquet"), style="night", output="out")


def test_outputs_need_a_folder(pictures):
    with pytest.raises(NstjaxError, match="need a folder for --output"):
        read_manifest(str(pictures), style="night")
