"""Measuring results: every metric, every pair, each figure only once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nstjax.evaluation.inputs import Pair
from nstjax.evaluation.metrics import Metric
from nstjax.evaluation.painting import Folder, read_json, write_json
from nstjax.io.images import read_image
from nstjax.io.weights import sha256_of

# Rows of the tables that nobody has to paint: the best content and the best style.
CONTENT_ITSELF, STYLE_ITSELF = "content-itself", "style-itself"
BASELINES = (CONTENT_ITSELF, STYLE_ITSELF)

# Figures by column.
Figures = Mapping[str, float]


def measure_all(
    folder: Folder,
    pairs: Mapping[str, Sequence[Pair]],
    metrics: Sequence[Metric],
    *,
    on_measured: Callable[[int], None],
) -> dict[str, dict[str, Figures]]:
    """Measures the results that are there.

    Contents are encoded one after the other, styles once and for all.

    Args:
        folder: the evaluation's.
        pairs: by variant (or one of `BASELINES`), those to measure; pairs without
            a picture are left out.
        metrics: what to measure.
        on_measured: told of pictures that have been measured, or were before.

    Returns:
        By variant and the pair's name, the figures.
    """
    by_content: dict[str, list[tuple[str, Pair]]] = {}
    for variant, some in pairs.items():
        for pair in some:
            by_content.setdefault(pair.content.label, []).append((variant, pair))
    of_style = _Prepared("of_style")
    measured: dict[str, dict[str, Figures]] = {variant: {} for variant in pairs}
    for some in by_content.values():
        # Forgotten with the content, for they are large.
        of_content = _Prepared("of_content")
        for variant, pair in some:
            figures = _measure(folder, variant, pair, metrics, of_content, of_style)
            if figures is not None:
                measured[variant][pair.name] = figures
            on_measured(1)
    return measured


class _Prepared:
    """What metrics need of contents, or of styles, each computed once."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._known: dict[tuple[str, str], Any] = {}

    def __call__(self, metric: Metric, picture: Any) -> Any:
        key = (metric.identity, picture.label)
        if key not in self._known:
            self._known[key] = getattr(metric, self._attribute)(picture.image)
        return self._known[key]


def _measure(
    folder: Folder,
    variant: str,
    pair: Pair,
    metrics: Sequence[Metric],
    of_content: _Prepared,
    of_style: _Prepared,
) -> Figures | None:
    """A result's figures, from its file where they are known; None without it."""
    if variant in BASELINES:
        itself = pair.content if variant == CONTENT_ITSELF else pair.style
        sha256, load = itself.sha256, lambda: itself.image
    else:
        picture = folder.picture(variant, pair)
        if not picture.is_file():
            return None
        sha256, load = sha256_of(picture), lambda: read_image(picture)
    file = folder.figures(variant, pair)
    pictures = {
        "result": sha256,
        "content": pair.content.sha256,
        "style": pair.style.sha256,
    }
    known = read_json(file)
    if known.get("pictures") != pictures:
        known = {"pictures": pictures, "metrics": {}}
    found: dict[str, Figures] = known["metrics"]
    missing = [metric for metric in metrics if metric.identity not in found]
    result: np.ndarray | None = None
    for metric in missing:
        result = load() if result is None else result
        figures = metric.measure(
            result, of_content(metric, pair.content), of_style(metric, pair.style)
        )
        # Without the judge's name, which may be another one next time.
        found[metric.identity] = {
            column.metric: figures[column.key] for column in metric.columns
        }
    if missing:
        write_json(file, known)
    return {
        column.key: found[metric.identity][column.metric]
        for metric in metrics
        for column in metric.columns
    }
