"""An evaluation from end to end: pictures, figures, tables."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nstjax.errors import NstjaxError
from nstjax.evaluation import report as reports
from nstjax.evaluation.claims import GATYS_BUDGETS, judge_claims
from nstjax.evaluation.figures import draw_figures
from nstjax.evaluation.judges import (
    check_names,
    fetched_lpips,
    make_judges,
    make_plain_metrics,
    open_judges,
    part_of_judge,
)
from nstjax.evaluation.measure import BASELINES, Figures, measure_all
from nstjax.evaluation.metrics import Metric
from nstjax.evaluation.painting import Task, paint_all
from nstjax.evaluation.records import (
    DONE,
    OTHER,
    Folder,
    Input,
    Pair,
    read_inputs,
    read_records,
    request_of,
    state_of,
)
from nstjax.evaluation.tables import summarise
from nstjax.evaluation.variants import Variant, make_variants


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to evaluate; see ``evaluate.py --help``.

    Attributes:
        contents, styles: files, folders and names of examples.
        methods: names.
        output: the evaluation's folder.
        size: side of the square pictures.
        seed: of all randomness.
        iterations: of methods that optimise; None for the presets'.
        depth_models: further depth networks that gatys-depth paints with.
        encoders: further encoders that methods that optimise paint with.
        judges, depth_judges, lpips: names or files of networks; `lpips` None for
            those that have been fetched.
        metrics: places of the user's own.
        figure_pairs: rows of figures 1 and 4.
        budget_pairs: pairs on which AdaIN is compared with Gatys' budgets.
        report: a further file for the report, or None.
        overwrite: whether results of other settings may be replaced.
        quiet: whether to show no progress.
        note: a paragraph of the user's for the report, or "".
        command: as the user gave it.
    """

    contents: Sequence[str]
    styles: Sequence[str]
    methods: Sequence[str]
    output: Path
    size: int
    seed: int
    iterations: int | None
    depth_models: Sequence[str]
    encoders: Sequence[str]
    judges: Sequence[str]
    depth_judges: Sequence[str]
    lpips: Sequence[str] | None
    metrics: Sequence[str]
    figure_pairs: int
    budget_pairs: int
    report: Path | None
    overwrite: bool
    quiet: bool
    note: str
    command: str


def evaluate(settings: Settings, *, tell: Callable[[str], None]) -> list[str]:
    """Makes what is missing of an evaluation.

    Args:
        settings: what to evaluate.
        tell: takes messages for the user.

    Returns:
        A sentence for each picture that could not be read or made.

    Raises:
        NstjaxError: for anything that cannot be used, before any work is done as
            far as that can be known.
    """
    own, budgets = make_variants(
        settings.methods,
        iterations=settings.iterations,
        gatys_evaluations=GATYS_BUDGETS if settings.budget_pairs else (),
        depth_models=settings.depth_models,
        encoders=settings.encoders,
    )
    judges = open_judges(settings.judges, kind="encoder")
    depth_judges = open_judges(settings.depth_judges, kind="depth")
    lpips = fetched_lpips() if settings.lpips is None else settings.lpips
    perceptual = open_judges(lpips, kind="lpips")
    free = make_plain_metrics(settings.metrics)
    check_names(judges, depth_judges, free)
    if settings.report:
        reports.check_report(settings.report, overwrite=settings.overwrite)
    left_out: list[str] = []

    def leave_out(sentence: str) -> None:
        tell(f"nstjax: error: {sentence}")
        left_out.append(sentence)

    contents, styles = (
        read_inputs(some, size=settings.size, on_unreadable=leave_out)
        for some in (settings.contents, settings.styles)
    )

    folder = Folder(settings.output)
    protocol = _protocol(settings, contents, styles)
    pairs = [Pair(content, style) for content in contents for style in styles]
    diagonal = _diagonal(contents, styles)
    chosen = {variant.name: pairs for variant in own}
    chosen |= {v.name: diagonal[: settings.budget_pairs] for v in budgets}
    variants = [*own, *budgets]
    folder.claim(protocol, overwrite=settings.overwrite)
    todo = _missing(folder, variants, chosen, settings)
    _paint(todo, variants, settings, leave_out, tell)

    metrics = [*make_judges(judges, depth_judges, perceptual), *free]
    measured = _measure(folder, chosen, pairs, metrics, settings)
    rows = [
        summarise(
            name, measured[name], read_records(folder, name, chosen.get(name, ()))
        )
        for name in measured
    ]
    columns = [column for metric in metrics for column in metric.columns]
    results = reports.Results(
        command=settings.command,
        note=settings.note,
        protocol=protocol,
        rows=rows,
        metrics=metrics,
        parts={
            name: {
                v.name: part_of_judge(judge, list(v.networks.values()))
                for v in variants
            }
            for name, judge in (judges | depth_judges | perceptual).items()
        },
        verdicts=judge_claims(measured, columns),
        left_out=left_out,
    )
    shown = {variant.method: variant.name for variant in own}  # the last of each
    drawn = draw_figures(folder, shown, diagonal[: settings.figure_pairs])
    reports.write_results(folder, results, measured, drawn, report=settings.report)
    return left_out


def _protocol(
    settings: Settings, contents: Sequence[Input], styles: Sequence[Input]
) -> dict[str, Any]:
    """What makes two evaluations the same; methods and judges may be added."""
    return {
        "size": settings.size,
        "seed": settings.seed,
        "iterations": settings.iterations,
        "contents": {one.label: one.sha256 for one in contents},
        "styles": {one.label: one.sha256 for one in styles},
    }


def _diagonal(contents: Sequence[Input], styles: Sequence[Input]) -> list[Pair]:
    """Every pair once, such that the first few differ in content and in style."""
    shift = len(styles)
    return [
        Pair(content, styles[(number + offset) % shift])
        for offset in range(shift)
        for number, content in enumerate(contents)
    ]


def _missing(
    folder: Folder,
    variants: Sequence[Variant],
    chosen: dict[str, Sequence[Pair]],
    settings: Settings,
) -> dict[str, list[Task]]:
    """The pictures still to be made, by variant."""
    todo: dict[str, list[Task]] = {}
    others = []
    for variant in variants:
        todo[variant.name] = []
        for pair in chosen[variant.name]:
            request = request_of(variant, pair, size=settings.size, seed=settings.seed)
            state = state_of(folder, variant.name, pair, request)
            picture = folder.picture(variant.name, pair)
            if state == OTHER:
                others.append(picture)
            if state != DONE:
                record = folder.record(variant.name, pair)
                sources = pair.content.source, pair.style.source
                todo[variant.name].append(Task(*sources, picture, record, request))
    if others and not settings.overwrite:
        raise NstjaxError(
            f"{len(others)} pictures, such as {others[0]}, were made with other "
            "options, weights or inputs, or have changed since; choose another "
            "--output, or --overwrite makes them again"
        )
    return todo


def _paint(
    todo: dict[str, list[Task]],
    variants: Sequence[Variant],
    settings: Settings,
    leave_out: Callable[[str], None],
    tell: Callable[[str], None],
) -> None:
    total = sum(map(len, todo.values()))
    if not total:
        return
    with tqdm(
        total=total, unit="picture", disable=settings.quiet, file=sys.stderr
    ) as bar:

        def on_evaluations(done: int, requested: int) -> None:
            bar.set_postfix_str(f"{done}/{requested} evaluations")

        def on_failure(sentence: str) -> None:
            leave_out(sentence)
            bar.update(1)

        for variant in variants:
            tasks = todo[variant.name]
            if not tasks:
                continue
            bar.set_description(variant.name)
            bar.set_postfix_str("")
            paint_all(
                tasks,
                options=variant.options,
                size=settings.size,
                seed=settings.seed,
                on_evaluations=on_evaluations,
                on_picture=lambda: bar.update(1),
                on_failure=on_failure,
            )
    if not settings.quiet:
        tell(f"painted {total} pictures in {settings.output}")


def _measure(
    folder: Folder,
    chosen: dict[str, Sequence[Pair]],
    pairs: Sequence[Pair],
    metrics: Sequence[Metric],
    settings: Settings,
) -> dict[str, dict[str, Figures]]:
    everything = chosen | dict.fromkeys(BASELINES, pairs)
    total = sum(map(len, everything.values()))
    with tqdm(
        total=total,
        unit="picture",
        desc="measuring",
        disable=settings.quiet,
        file=sys.stderr,
    ) as bar:
        return measure_all(folder, everything, metrics, on_measured=bar.update)
