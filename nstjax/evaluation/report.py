"""The report of an evaluation, in Markdown: tables, verdicts, how it was made."""

import dataclasses
import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from nstjax import __version__
from nstjax.errors import NstjaxError
from nstjax.evaluation import tables
from nstjax.evaluation.claims import Verdict
from nstjax.evaluation.measure import Figures
from nstjax.evaluation.metrics import Metric
from nstjax.evaluation.painting import Folder, write_json
from nstjax.evaluation.tables import Row
from nstjax.io.files import write_atomically

# By which a report is known that may be written again.
MARK = "<!-- written by nstjax evaluate -->"
_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scikit-image", "pillow")
_ITSELF = (
    "`content-itself` and `style-itself` are the two ends: the content picture, and "
    "the style picture, taken for the result."
)


@dataclasses.dataclass(frozen=True)
class Results:
    """All that a report tells.

    Attributes:
        command: as it was given.
        note: a paragraph of the user's, or "".
        protocol: what was compared, by name.
        rows: the methods', then those of what nobody painted.
        metrics: what was measured.
        parts: what the judges were to the methods.
        verdicts: on the claims.
        left_out: pictures that could not be read or made, in sentences.
    """

    command: str
    note: str
    protocol: Mapping[str, Any]
    rows: Sequence[Row]
    metrics: Sequence[Metric]
    parts: tables.Parts
    verdicts: Sequence[Verdict]
    left_out: Sequence[str]


def write_text(results: Results, figures: Sequence[str]) -> str:
    """The report.

    Args:
        results: what it tells.
        figures: addresses of the figures, as seen from the report.
    """
    protocol = results.protocol
    size = protocol["size"]
    parts = [
        f"# Results\n\n{MARK}\n",
        f"    {results.command}\n",
        f"{len(protocol['contents'])} contents in {len(protocol['styles'])} styles, "
        f"{size} x {size} pixels; means over pairs. Arrows say what is better; the "
        "best method is in bold; a number in brackets says that a line has only so "
        f"many pairs. {_ITSELF} What each figure is, `docs/evaluation.md` says.\n",
    ]
    if results.note:
        parts.append(f"{results.note}\n")
    for metric in results.metrics:
        table = tables.metric_table(metric, results.rows, results.parts)
        parts.append(f"## {metric.title}\n\n{table}")
    parts.append(
        "## Seconds and memory\n\nMedians. The first picture of a process includes "
        "compilation. Memory is the peak of a process that makes one method's pictures "
        f"only.\n\n{tables.cost_table(results.rows)}"
    )
    parts.append(
        "## The papers' claims\n\nA claim holds if the means say so and so do more "
        "than half of the pairs by themselves.\n\n"
        f"{tables.verdict_table(results.verdicts)}"
    )
    parts += [f"![{Path(figure).stem}]({figure})\n" for figure in figures]
    if results.left_out:
        lines = "".join(f"- {sentence}\n" for sentence in results.left_out)
        parts.append(f"## Left out\n\n{lines}")
    facts = "".join(f"- {name}: {value}\n" for name, value in machine().items())
    parts.append(f"## Machine\n\n{facts}")
    return "\n".join(parts)


def to_json(results: Results) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "command": results.command,
        "protocol": dict(results.protocol),
        "machine": machine(),
        "rows": [dataclasses.asdict(row) for row in results.rows],
        "judge_is_also": {judge: dict(part) for judge, part in results.parts.items()},
        "verdicts": [dataclasses.asdict(verdict) for verdict in results.verdicts],
        "left_out": list(results.left_out),
    }


def check_report(path: Path, *, overwrite: bool) -> None:
    """Checks that a report may be written: over an earlier report, or nothing.

    Raises:
        NstjaxError: if something else is there, or there is no such folder.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise NstjaxError(f"{path} cannot be written; name a file in a folder")
    if path.exists() and not overwrite and MARK not in _start_of(path):
        raise NstjaxError(
            f"{path} exists and is no report of this command; choose another name or "
            "pass --overwrite"
        )


def machine() -> dict[str, str]:
    """The machine and the versions that made the figures."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    devices = sorted({device.device_kind for device in jax.devices()})
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "device": ", ".join(devices),
        "system": f"{platform.system()} {platform.machine()}",
        "nstjax": __version__,
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def _start_of(path: Path) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(1000)


def write_results(
    folder: Folder,
    results: Results,
    measured: Mapping[str, Mapping[str, Figures]],
    figures: Sequence[Path],
    *,
    report: Path | None,
) -> None:
    """Writes the tables and the report, in place of earlier ones.

    Args:
        folder: where they go.
        results: what they tell.
        measured: by method, pair and column.
        figures: the drawn figures' files.
        report: a further file for the report.
    """
    columns = [column for metric in results.metrics for column in metric.columns]
    write_json(folder.path / "table.json", to_json(results))
    for name, text in (
        ("table.csv", tables.summary_csv(results.rows, columns, results.parts)),
        ("pairs.csv", tables.pairs_csv(measured, columns)),
    ):
        write_atomically(folder.path / name, text, overwrite=True)
    for place in [folder.path / "report.md", *([report] if report else [])]:
        links = [os.path.relpath(figure, place.parent) for figure in figures]
        # A link that leads out of the report's folder would soon be a dead one.
        links = [Path(x).as_posix() for x in links if not x.startswith(os.pardir)]
        text = write_text(results, links)
        write_atomically(place, text, overwrite=True)
