"""What became of every picture, part by part."""

import pytest

from nstjax.cluster import read_results
from nstjax.cluster.results import Results
from nstjax.errors import NstjaxError


def _record(output: str, status: str = "done") -> dict:
    return {"output": output, "status": status}


def test_records_come_back_and_later_ones_win(tmp_path):
    with Results(str(tmp_path)) as results:
        results.add([_record("a", "failed"), _record("b")])
    with Results(str(tmp_path)) as results:
        results.add([_record("a")])
    found = read_results(str(tmp_path))
    assert {name: record["status"] for name, record in found.items()} == {
        "a": "done",
        "b": "done",
    }
    assert len(list(tmp_path.glob("part-*.jsonl"))) == 2


def test_parts_are_written_when_they_are_full(tmp_path):
    with Results(str(tmp_path)) as results:
        for number in range(2500):
            results.add([_record(str(number))])
        # Not more than a part is lost where a driver is killed.
        assert len(read_results(str(tmp_path))) >= 2000
    assert len(read_results(str(tmp_path))) == 2500


def test_there_is_nothing_before_the_first_run(tmp_path):
    assert read_results(str(tmp_path / "absent")) == {}


def test_other_files_are_left_alone_or_named(tmp_path):
    (tmp_path / "notes.jsonl").write_text("mine")
    assert read_results(str(tmp_path)) == {}
    (tmp_path / "part-000000.jsonl").write_text("mine")
    with pytest.raises(NstjaxError, match="part-000000.jsonl is not part of"):
        read_results(str(tmp_path))


def test_results_may_be_remote(tmp_path):
    pytest.importorskip("fsspec")
    url = "memory://somewhere/results"
    for name in ("a", "b"):
        with Results(url) as results:
            results.add([_record(name)])
    assert sorted(read_results(url)) == ["a", "b"]
