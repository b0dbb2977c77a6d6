"""The comparison's figures as text."""

import statistics
from typing import Any

_COLUMNS = (
    "case",
    "nstjax / torch",
    "range",
    "careful JAX",
    "ms",
    "GFLOP/s",
    "% of peak",
    "memory, MB",
    "first call, s",
    "difference",
)
_WITHOUT_TORCH = ("case", "ms", "GFLOP/s", "% of peak", "memory, MB", "first call, s")


def render(record: dict[str, Any], *, markdown: bool) -> str:
    """The machine, the session, and a row for each case."""
    libraries = list(record["versions"])
    columns = _COLUMNS if len(libraries) > 1 else _WITHOUT_TORCH
    rows = [columns, *(_row(row, record, columns) for row in record["cases"])]
    return "\n".join([*_heading(record), "", *_lines(rows, markdown=markdown)])


def summary(row: dict[str, Any]) -> str:
    """One case in a line, while the others are still running."""
    times = ", ".join(f"{n} {1e3 * s:.1f} ms" for n, s in row["seconds"].items())
    ratios = _ratios(row)
    return f"{times}{f', ratio {statistics.median(ratios):.2f}' if ratios else ''}"


def _heading(record: dict[str, Any]) -> list[str]:
    machine = record["machine"]
    best = _peak(record)
    cpu = ", ".join(filter(None, (machine["cpu"], machine["vectors"])))
    peaks = "; ".join(
        ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
        for peaks in record["peaks"]
    )
    return [
        f"{cpu}, {machine['cores']} cores, Python {machine['python']}; "
        + "; ".join(record["versions"].values()),
        f"{record['widths']} widths, {record['precision']}",
        f"peak {best / 1e9:.0f} GFLOP/s: the best product of large matrices in this "
        f"precision, in this session (before; after: {peaks})",
    ]


def _peak(record: dict[str, Any]) -> float:
    return max(peak for peaks in record["peaks"] for peak in peaks.values())


def _ratios(row: dict[str, Any]) -> list[float]:
    if len(row["seconds"]) < 2:
        return []
    return [pair["nstjax"] / pair["torch"] for pair in row["pairs"]]


def _row(
    row: dict[str, Any], record: dict[str, Any], columns: tuple[str, ...]
) -> list[str]:
    ratios = _ratios(row)
    speeds = {n: row["operations"] / s for n, s in row["seconds"].items()}
    counted = row["operations"] > 0

    def each(values, form: str) -> str:
        return " / ".join(form.format(value) for value in values)

    cells = {
        "case": row["case"]["name"],
        "ms": each((1e3 * s for s in row["seconds"].values()), "{:.1f}"),
        "GFLOP/s": each((s / 1e9 for s in speeds.values()), "{:.0f}")
        if counted
        else "-",
        "% of peak": each((100 * s / _peak(record) for s in speeds.values()), "{:.0f}")
        if counted
        else "-",
        "memory, MB": _memory(row["memory"]),
        "first call, s": each(row["first"].values(), "{:.1f}"),
    }
    if ratios:
        cells |= {
            "nstjax / torch": f"{statistics.median(ratios):.2f}",
            "range": f"{min(ratios):.2f}-{max(ratios):.2f}",
            "careful JAX": row["careful"] or "-",
            "difference": f"{row['difference']:.0e}",
        }
    return [cells[column] for column in columns]


def _memory(memory: dict[str, dict[str, float | None]]) -> str:
    text = " / ".join(f"{found['megabytes']:.0f}" for found in memory.values())
    device = [found["device_megabytes"] for found in memory.values()]
    if None in device:
        return text
    return f"{text} (device {' / '.join(f'{value:.0f}' for value in device)})"


def _lines(rows: list[list[str]], *, markdown: bool) -> list[str]:
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
