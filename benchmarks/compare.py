"""How fast is nstjax compared with the same work in PyTorch?

    python benchmarks/compare.py                      # the documentation's table
    python benchmarks/compare.py encode-512 gatys-512 --pairs 9
    python benchmarks/compare.py --widths slim --markdown
    python benchmarks/compare.py --precision bfloat16 encode-4x1024

Every case runs in two processes, one for each library, with the same random
weights and pictures; they take turns, so that other load on the machine affects both.
If both libraries find an accelerator, it is used.

Columns: the ratio nstjax / torch of the seconds of a call, the median and the
range of the pairs; GFLOP/s of both, counted by formula for the textbook form,
and their share of the machine's peak, which is a large product of matrices in the
same precision, the faster library's, before and after all cases; peak resident
memory; seconds of the first call, which compiles; and the largest difference between
the results, relative to the largest value. Without torch, there are only nstjax's
columns.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from side_by_side import table
from side_by_side.cases import CAREFUL, DEFAULT, EVALUATIONS, Case, parse
from side_by_side.errors import MeasurementError
from side_by_side.flops import operations
from side_by_side.worker import start

LIBRARIES = ("nstjax", "torch")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"default: {' '.join(DEFAULT)}"
    )
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="of a measurement, at least"
    )
    parser.add_argument("--widths", choices=("full", "slim"), default="full")
    parser.add_argument(
        "--precision", choices=("float32", "tf32", "bfloat16"), default="float32"
    )
    parser.add_argument(
        "--evaluations",
        type=int,
        default=EVALUATIONS,
        help="of the objective in one call of a loop (default: %(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures here, too")
    parser.add_argument(
        "--markdown", action="store_true", help="print a Markdown table"
    )
    parser.add_argument(
        "--tiny", action="store_true", help="small networks and pictures: a rehearsal"
    )
    parser.add_argument(
        "--no-torch", action="store_true", help="time nstjax alone, torch or not"
    )
    options = parser.parse_args()
    if options.tiny:
        options.pairs, options.seconds = 1, 0.0
    if options.pairs < 1:
        parser.error("--pairs must be 1 or more")
    if options.evaluations < 1:
        parser.error("--evaluations must be 1 or more")
    widths, largest = ("tiny", 64) if options.tiny else (options.widths, 0)
    try:
        options.cases = [
            parse(
                name,
                widths=widths,
                precision=options.precision,
                evaluations=options.evaluations,
                largest=largest,
            )
            for name in options.cases or DEFAULT
        ]
    except ValueError as error:
        parser.error(str(error))
    return options


def measure_peak(
    libraries: tuple[str, ...], *, precision: str, tiny: bool
) -> dict[str, Any]:
    """Operations per second of a matrix product, and the libraries' versions."""
    peaks, versions = {}, {}
    for library in libraries:
        worker = start(library)
        versions[library] = worker.ask("version")
        side = 256 if tiny else 3072 if versions[library].endswith("cpu") else 8192
        peaks[library] = worker.ask(
            "peak", side=side, calls=2 if tiny else 10, precision=precision
        )
        worker.close()
    return {"peaks": peaks, "versions": versions}


def compare(case: Case, libraries: tuple[str, ...], options) -> dict[str, Any]:
    """Times a case in all libraries, taking turns."""
    workers = {library: start(library, case) for library in libraries}
    try:
        prepared = {name: worker.prepare(case) for name, worker in workers.items()}
        calls = {
            name: max(1, round(options.seconds / prepared[name]["second"]))
            for name in workers
        }
        pairs = [
            {name: worker.measure(calls[name]) for name, worker in workers.items()}
            for _ in range(options.pairs)
        ]
        memory = {name: worker.memory() for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    return {
        "case": dataclasses.asdict(case),
        "careful": CAREFUL.get(case.name) if case.widths == "full" else None,
        "operations": operations(case),
        "pairs": pairs,
        "seconds": {
            name: statistics.median(pair[name] for pair in pairs) for name in workers
        },
        "first": {name: prepared[name]["first"] for name in workers},
        "memory": memory,
        "difference": _difference([prepared[name]["sample"] for name in workers]),
    }


def _difference(samples: list[list[float]]) -> float | None:
    if len(samples) < 2:
        return None
    one, other = samples
    if len(one) != len(other):
        raise MeasurementError("the libraries' results have different sizes")
    largest = max(map(abs, other)) or 1.0
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) / largest


def describe_machine() -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    flags = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            if key.strip() == "flags":
                flags = value.split()
    except OSError:
        pass
    vectors = [flag for flag in ("avx512f", "avx2") if flag in flags]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return {
        "cpu": name,
        "vectors": vectors[0] if vectors else "",
        "cores": cores or os.cpu_count(),
        "python": platform.python_version(),
    }


def main() -> int:
    options = parse_arguments()
    libraries = LIBRARIES
    if options.json and not Path(options.json).absolute().parent.is_dir():
        raise SystemExit(f"--json {options.json}: there is no such folder")
    if options.no_torch or importlib.util.find_spec("torch") is None:
        why = "left out" if options.no_torch else "not installed"
        print(f"torch is {why}: nstjax alone is timed", file=sys.stderr)
        libraries = LIBRARIES[:1]
    peak = {"precision": options.precision, "tiny": options.tiny}
    before = measure_peak(libraries, **peak)
    record = {
        "machine": describe_machine(),
        "versions": before["versions"],
        "peaks": [before["peaks"]],
        "widths": options.cases[0].widths,
        "precision": options.precision,
        "cases": [],
    }
    failed = 0
    try:
        for number, case in enumerate(options.cases, start=1):
            print(f"{number}/{len(options.cases)} {case.name}", file=sys.stderr)
            try:
                row = compare(case, libraries, options)
            except MeasurementError as error:
                failed += 1
                print(f"  failed: {error}", file=sys.stderr)
                continue
            record["cases"].append(row)
            print(f"  {table.summary(row)}", file=sys.stderr)
            save(record, options.json)
        record["peaks"].append(measure_peak(libraries, **peak)["peaks"])
    except KeyboardInterrupt:
        failed += 1
        print("interrupted; this is what was measured", file=sys.stderr)
    save(record, options.json)
    print(table.render(record, markdown=options.markdown))
    return 1 if failed else 0


def save(record: dict[str, Any], path: str | None) -> None:
    if path:
        Path(path).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
