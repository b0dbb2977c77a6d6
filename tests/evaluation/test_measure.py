"""Every value is measured once."""

import collections

import numpy as np
import pytest

from nstjax.evaluation.inputs import Input, Pair, hash_pixels
from nstjax.evaluation.metrics import (
    CONTENT_ITSELF,
    LOWER,
    STYLE_ITSELF,
    Column,
    Metric,
    measure_all,
)
from nstjax.evaluation.painting import Folder
from nstjax.io.images import write_image


def make_input(label, level):
    image = np.full((48, 48, 3), level, np.float32)
    return Input(label, label, image, hash_pixels(image))


@pytest.fixture
def pairs():
    contents = [make_input("c1", 0.2), make_input("c2", 0.4)]
    styles = [make_input("s1", 0.6), make_input("s2", 0.8)]
    return [Pair(content, style) for content in contents for style in styles]


@pytest.fixture
def counts():
    return collections.Counter()


@pytest.fixture
def metric(counts):
    """A hundred times the result's level, the content's and twice the style's."""

    def count(name, value):
        counts[name] += 1
        return value

    return Metric(
        title="levels",
        identity="levels 1",
        columns=(Column("level@judge", LOWER),),
        of_content=lambda x: count("content", float(x.mean())),
        of_style=lambda x: count("style", 2 * float(x.mean())),
        measure=lambda result, content, style: {
            "level@judge": count("result", 100 * float(result.mean()) + content + style)
        },
    )


def measure(folder, pairs, metric):
    done = []
    everything = {"method": pairs, CONTENT_ITSELF: pairs, STYLE_ITSELF: pairs}
    found = measure_all(folder, everything, [metric], on_measured=done.append)
    assert sum(done) == 3 * len(pairs)
    return found


def paint(folder, pair, level):
    image = np.full((48, 48, 3), level / 255, np.float32)
    write_image(folder.picture("method", pair), image, overwrite=True)


def test_figures_of_results_and_of_both_ends(tmp_path, pairs, metric, counts):
    folder = Folder(tmp_path)
    for pair in pairs[:3]:
        paint(folder, pair, 51)
    found = measure(folder, pairs, metric)
    # The fourth was never painted.
    assert list(found["method"]) == ["c1 in s1", "c1 in s2", "c2 in s1"]
    value = found["method"]["c1 in s2"]["level@judge"]
    assert value == pytest.approx(20 + 0.2 + 1.6, abs=1e-4)
    value = found[CONTENT_ITSELF]["c2 in s1"]["level@judge"]
    assert value == pytest.approx(40 + 0.4 + 1.2, abs=1e-4)
    value = found[STYLE_ITSELF]["c2 in s1"]["level@judge"]
    assert value == pytest.approx(60 + 0.4 + 1.2, abs=1e-4)
    assert counts == {"content": 2, "style": 2, "result": 11}


def test_nothing_is_measured_twice(tmp_path, pairs, metric, counts):
    folder = Folder(tmp_path)
    for pair in pairs:
        paint(folder, pair, 51)
    first = measure(folder, pairs, metric)
    counts.clear()
    # The judge may be called otherwise the next time.
    renamed = metric._replace(columns=(Column("level@other", LOWER),))
    second = measure(folder, pairs, renamed)
    assert not counts
    value = second["method"]["c1 in s1"]["level@other"]
    assert value == first["method"]["c1 in s1"]["level@judge"]


def test_a_changed_picture_is_measured_again(tmp_path, pairs, metric, counts):
    folder = Folder(tmp_path)
    for pair in pairs:
        paint(folder, pair, 51)
    measure(folder, pairs, metric)
    counts.clear()
    paint(folder, pairs[0], 102)
    found = measure(folder, pairs, metric)
    assert counts == {"content": 1, "style": 1, "result": 1}
    assert found["method"]["c1 in s1"]["level@judge"] == pytest.approx(41.4, abs=1e-4)
    counts.clear()
    measure(folder, pairs, metric._replace(identity="levels 2"))
    assert counts["result"] == 12
