"""Manifests: tables of contents, styles, outputs and options to paint."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from nstjax import examples
from nstjax.cluster import files
from nstjax.errors import NstjaxError
from nstjax.io.files import fit_name

# One file, URL or example, or several.
_Names = str | os.PathLike | Sequence[str | os.PathLike]
MANIFESTS = (".parquet", ".jsonl", ".txt")
# Also width and height, with which the pictures' headers need not be read.
COLUMNS = ("content", "style", "output", "options", "width", "height")


def read_manifest(
    contents: _Names,
    *,
    style: _Names | None = None,
    output: str | os.PathLike | None = None,
    format: str = "png",
) -> list[dict[str, Any]]:
    """Lists what to paint.

    Args:
        contents: one or several of: a picture; a folder; a manifest of rows with the
            columns "content", "style", "output" and "options", as Parquet
            (``.parquet``) or JSON lines (``.jsonl``); a list of pictures, one a line
            (``.txt``). Local, or URLs. Contents and styles in a manifest are relative
            to its own folder.
        style: the style for rows without one: a picture, or several to blend.
        output: the folder that outputs are relative to; rows without an output are
            named after their contents.
        format: the suffix of those names.

    Returns:
        Rows with absolute "content", "style" (a list) and "output", and "options"
        (JSON), for `stylize_dataset` and `BatchPainter`.

    Raises:
        NstjaxError: if something cannot be read, a row has no style or content, or an
            output occurs twice or is an input.
    """
    given = _as_list(contents)
    default = [_picture(path) for path in _as_list(style)]
    rows = [row for path in given for row in _rows_of(path)]
    if not rows:
        raise NstjaxError(f"{', '.join(given)} lists no pictures")
    _name_outputs(rows, str(output) if output else None, f".{format}")
    for row in rows:
        if row["style"] is None:
            if not default:
                raise NstjaxError(
                    f"{row['content']} has no style; give --style, or a style in its "
                    "row"
                )
            row["style"] = default
    _check(rows)
    return rows


def _as_list(paths: _Names | None) -> list[str]:
    several = [paths] if isinstance(paths, str | os.PathLike) else paths or []
    return [str(path) if isinstance(path, os.PathLike) else path for path in several]


def _rows_of(path: str) -> Iterator[dict[str, Any]]:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in MANIFESTS:
        base = files.parent(files.absolute(path))
        for number, row in enumerate(_READERS[suffix](path), start=1):
            yield _row(row, f"row {number} of {path}", base)
    elif files.is_folder(path) and not examples.is_meant(path):
        for picture in files.list_pictures_in(path):
            yield _row({"content": picture}, path, "")
    else:
        yield _row({"content": path}, path, "")


def _read_parquet(path: str) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise NstjaxError(
            f'{path} needs pyarrow; pip install "nstjax[cluster]"'
        ) from error
    try:
        table = parquet.read_table(pa.BufferReader(files.read_bytes(path)))
    except pa.ArrowException as error:
        raise NstjaxError(f"{path} is not a readable Parquet file") from error
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()


def _read_json_lines(path: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(_lines(path), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise NstjaxError(
                f"row {number} of {path} is not JSON; write one object on each line"
            ) from error
        if not isinstance(row, Mapping):
            raise NstjaxError(
                f"row {number} of {path} is not a JSON object; write one on each line"
            )
        yield row


def _read_list(path: str) -> Iterator[Mapping[str, Any]]:
    return ({"content": line.strip()} for line in _lines(path))


def _lines(path: str) -> list[str]:
    try:
        # Editors on Windows write a byte order mark.
        text = files.read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NstjaxError(f"{path} is not UTF-8 text") from error
    return [line for line in text.split("\n") if line.strip()]


_READERS = {
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".txt": _read_list,
}


def _row(given: Mapping[str, Any], where: str, base: str) -> dict[str, Any]:
    unknown = sorted(set(given) - set(COLUMNS))
    if unknown:
        raise NstjaxError(
            f"{where} has the unknown column {unknown[0]!r}; the known ones are "
            f"{', '.join(COLUMNS)}"
        )
    content, style = given.get("content"), given.get("style")
    if not isinstance(content, str) or not content:
        raise NstjaxError(f"{where} has no content; name a picture")
    known = style is None or isinstance(style, str | Sequence)
    styles = _as_list(style) if known else ()
    if not known or not all(isinstance(path, str) for path in styles):
        raise NstjaxError(f"the style of {where} is neither a picture nor a list")
    if not isinstance(given.get("output"), str | None):
        raise NstjaxError(f"the output of {where} is not the name of a file")
    sizes = {}
    for name in ("width", "height"):
        value = given.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # pandas writes columns with gaps as floats
        if isinstance(value, bool) or not isinstance(value, int | None):
            raise NstjaxError(f"the {name} of {where} is not a whole number")
        sizes[name] = value
    options = given.get("options")
    if not isinstance(options, str | None):
        options = json.dumps(options)
    return {
        "content": _picture(content, base),
        "style": [_picture(path, base) for path in styles] if styles else None,
        "output": given.get("output"),
        "options": options or "{}",
        **sizes,
    }


def _picture(path: str, base: str = "") -> str:
    """A picture's absolute name; the names of examples are kept."""
    found = files.absolute(path, base)
    # Only bare names can be examples, so a million paths need not be looked up.
    if "." in path or "/" in path:
        return found
    return path if examples.is_meant(path) else found


def _name_outputs(
    rows: Sequence[dict[str, Any]], folder: str | None, suffix: str
) -> None:
    """Gives every row an absolute output, named as for folders of pictures."""
    base = files.absolute(folder) if folder else ""
    unnamed = [row for row in rows if not row["output"]]
    if unnamed and not base:
        raise NstjaxError("pictures without an output need a folder for --output")
    stems = Counter(files.stem(row["content"]) for row in unnamed)
    for row in rows:
        name = row["output"]
        if not name:
            label = files.stem(row["content"])
            if stems[label] > 1:
                ending = PurePosixPath(row["content"]).suffix.lstrip(".")
                label = f"{label}-{ending}"
            name = fit_name(label, suffix)
        row["output"] = files.absolute(name, base)


def _check(rows: Sequence[Mapping[str, Any]]) -> None:
    """Checks that no output occurs twice or is an input.

    Only names are compared, since checking a million files would take too long.
    """
    inputs = {row["content"] for row in rows}
    inputs |= {style for row in rows for style in row["style"]}
    seen: set[str] = set()
    for row in rows:
        output = row["output"]
        if output in seen:
            raise NstjaxError(
                f"{output} would be written twice in this run; give pictures of the "
                "same name different outputs"
            )
        if output in inputs:
            raise NstjaxError(
                f"{output} would overwrite an input; choose another output"
            )
        seen.add(output)
        if not files.is_remote(output) and not Path(output).suffix:
            raise NstjaxError(
                f"{output} does not say which picture format to write; end its name "
                "in .png or .jpg"
            )
