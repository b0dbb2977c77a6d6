"""How workers share a machine."""

import sys
from types import SimpleNamespace

import pytest

from nstjax.cluster import BatchPainter, ray_cluster, read_manifest, run
from nstjax.methods.memory import amounts


@pytest.fixture
def eight_cores(monkeypatch) -> None:
    """A cluster of one machine with eight cores, which somebody has joined already."""
    ray = SimpleNamespace(
        is_initialized=lambda: True,
        cluster_resources=lambda: {"CPU": 8.0},
        nodes=lambda: [{"Alive": True, "Resources": {"CPU": 8.0}}],
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_cluster, "ray_data", lambda: None)


@pytest.mark.parametrize(
    ("workers", "count", "cpus"), [(50, 4, 2), (None, 4, 2), (2, 2, 4)]
)
def test_nothing_is_kept_for_workers_without_a_picture(
    eight_cores, make_pictures, tmp_path, monkeypatch, workers, count, cpus
):
    asked = {}
    monkeypatch.setattr(run, "_twice", lambda rows, how: asked.update(how) or ())
    photos = make_pictures(tmp_path / "photos", 4)
    run.paint_rows(
        read_manifest(str(photos), style="night", output=str(tmp_path / "out")),
        address="auto",
        results=str(tmp_path / "results"),
        workers=workers,
        on_record=lambda record: None,
        on_start=lambda left, workers: None,
    )
    assert (asked["workers"], asked["cpus_per_worker"]) == (count, cpus)
    assert asked["memory_share"] == 1 / count


def test_a_share_of_memory_that_is_too_small_names_the_workers(
    make_pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr(amounts, "available_memory", lambda: 10**9)
    content = str(make_pictures(tmp_path / "photos", 1) / "0000.png")
    row = {"content": content, "output": str(tmp_path / "out.png")}
    (record,) = BatchPainter(style="night", memory_share=0.02)([row])
    remedy = "fewer --workers, or a larger --max-memory for each"
    assert record["message"].endswith(f"choose a smaller --size, {remedy}")
    (record,) = BatchPainter(style="night", memory_share=0.02, max_memory="9MB")([row])
    assert "--workers" not in record["message"]
