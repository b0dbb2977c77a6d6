"""An evaluation from end to end: pictures, figures, tables."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nstjax.errors import NstjaxError
from nstjax.evaluation.claims import GATYS_BUDGETS, judge_claims
from nstjax.evaluation.figures import draw_figures
from nstjax.evaluation.inputs import (
    Input,
    Network,
    Pair,
    Variant,
    make_variants,
    open_judges,
    part_of_judge,
    read_inputs,
)
from nstjax.evaluation.metrics import (
    BASELINES,
    Metric,
    make_custom_metric,
    measure_all,
)
from nstjax.evaluation.painting import (
    Folder,
    Task,
    find_tasks,
    paint_all,
    read_records,
)
from nstjax.evaluation.perceptual import (
    make_depth_metric,
    make_feature_metric,
    make_perceptual_metric,
)
from nstjax.evaluation.pixels import (
    make_color_metric,
    make_detail_metric,
    make_noise_metric,
    make_wasserstein_metric,
)
from nstjax.evaluation.report import Results, check_report, summarise, write_results
from nstjax.weights.pretrained import load_depth, load_encoder, load_lpips
from nstjax.weights.store.cache import weights_file


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to evaluate; see ``evaluate.py --help``.

    Attributes:
        contents, styles: files, folders and names of examples.
        methods: names.
        output: the evaluation's folder.
        size: the side of the square pictures.
        seed: the seed of all random numbers.
        iterations: those of methods that optimise; None for the presets'.
        depth_models: further depth networks that gatys-depth paints with.
        encoders: further encoders that methods that optimise paint with.
        decoders: further decoders of feed-forward methods, ``METHOD=FILE``.
        judges, depth_judges, lpips: names or files of networks; `lpips` None for
            those that have been fetched.
        metrics: the user's own, as ``package.module:function``.
        figure_pairs: rows of figures 1 and 4.
        budget_pairs: pairs on which AdaIN is compared with Gatys' budgets.
        report: a further file for the report, or None.
        overwrite: whether results with other settings may be replaced.
        quiet: whether to show no progress.
        note: a paragraph of the user's for the report, or "".
        command: the user's command.
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
    decoders: Sequence[str]
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
    """Computes the missing parts of an evaluation.

    Args:
        settings: what to evaluate.
        tell: takes messages for the user.

    Returns:
        A sentence for each picture that could not be read or painted.

    Raises:
        NstjaxError: if anything cannot be used, if possible before any work is done.
    """
    own, budgets = make_variants(
        settings.methods,
        iterations=settings.iterations,
        gatys_evaluations=GATYS_BUDGETS if settings.budget_pairs else (),
        depth_models=settings.depth_models,
        encoders=settings.encoders,
        decoders=settings.decoders,
    )
    judges = open_judges(settings.judges, kind="encoder")
    depth_judges = open_judges(settings.depth_judges, kind="depth")
    lpips = settings.lpips
    if lpips is None:
        names = ("lpips", "lpips-alexnet")
        lpips = [name for name in names if weights_file(name).is_file()]
    perceptual = open_judges(lpips, kind="lpips")
    free = [
        make_detail_metric(),
        make_wasserstein_metric(),
        make_noise_metric(),
        make_color_metric(),
        *(make_custom_metric(place) for place in settings.metrics),
    ]
    _check_names(judges, depth_judges, free)
    if settings.report:
        check_report(settings.report, overwrite=settings.overwrite)
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
    tasks = find_tasks(
        folder,
        variants,
        chosen,
        size=settings.size,
        seed=settings.seed,
        overwrite=settings.overwrite,
    )
    _paint(tasks, variants, settings, leave_out, tell)

    metrics = [*_make_judges(judges, depth_judges, perceptual), *free]
    measuring = chosen | dict.fromkeys(BASELINES, pairs)
    with _progress(measuring, settings) as bar:
        bar.set_description("measuring")
        measured = measure_all(folder, measuring, metrics, on_measured=bar.update)
    rows = [
        summarise(
            name, measured[name], read_records(folder, name, chosen.get(name, ()))
        )
        for name in measured
    ]
    columns = [column for metric in metrics for column in metric.columns]
    results = Results(
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
    write_results(folder, results, measured, drawn, report=settings.report)
    return left_out


def _protocol(
    settings: Settings, contents: Sequence[Input], styles: Sequence[Input]
) -> dict[str, Any]:
    """The settings that identify an evaluation; methods and judges may be added."""
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


def _paint(
    tasks: Mapping[str, Sequence[Task]],
    variants: Sequence[Variant],
    settings: Settings,
    leave_out: Callable[[str], None],
    tell: Callable[[str], None],
) -> None:
    total = sum(map(len, tasks.values()))
    if not total:
        return
    failed = []
    with _progress(tasks, settings) as bar:

        def on_evaluations(done: int, requested: int) -> None:
            bar.set_postfix_str(f"{done}/{requested} evaluations")

        def on_failure(sentence: str) -> None:
            leave_out(sentence)
            failed.append(sentence)
            bar.update(1)

        for variant in variants:
            if not tasks[variant.name]:
                continue
            bar.set_description(variant.name)
            bar.set_postfix_str("")
            paint_all(
                tasks[variant.name],
                options=variant.options,
                size=settings.size,
                seed=settings.seed,
                on_evaluations=on_evaluations,
                on_picture=lambda: bar.update(1),
                on_failure=on_failure,
            )
    if not settings.quiet:
        tell(f"painted {total - len(failed)} pictures in {settings.output}")


def _progress(work: Mapping[str, Sequence[Any]], settings: Settings) -> tqdm:
    """A bar for the pictures of all variants."""
    return tqdm(
        total=sum(map(len, work.values())),
        unit="picture",
        disable=settings.quiet,
        file=sys.stderr,
    )


def _check_names(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    metrics: Sequence[Metric],
) -> None:
    """Raises NstjaxError unless all columns have different names."""
    keys = [column.key for metric in metrics for column in metric.columns]
    for key in keys:
        if keys.count(key) > 1:
            raise NstjaxError(f"two metrics are called {key}; rename the --metric")
    if both := set(judges) & set(depth_judges):
        raise NstjaxError(
            f"two judges are called {both.pop()}; convert one of them again"
        )


def _make_judges(
    judges: Mapping[str, Network],
    depth_judges: Mapping[str, Network],
    perceptual: Mapping[str, Network],
) -> list[Metric]:
    """The metrics that use networks, which are loaded here, starting jax."""
    return [
        *(
            make_feature_metric(load_encoder(network.argument), name=name)
            for name, network in judges.items()
        ),
        *(
            make_depth_metric(load_depth(network.argument), name=name)
            for name, network in depth_judges.items()
        ),
        *(
            make_perceptual_metric(load_lpips(network.argument), name=name)
            for name, network in perceptual.items()
        ),
    ]
