"""Downloads from a server with faults: all of the file, or one sentence."""

import hashlib

import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.weights.store.download import download, matches


def get(site, folder, **options):
    options = {"advice": "do without", "progress": False} | options
    return download(site.url(), folder, "file.bin", **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_arrives_and_nothing_else(site, tmp_path):
    path = get(site, tmp_path / "new" / "folder")
    assert path.read_bytes() == site.content
    assert names(path.parent) == ["file.bin"]
    assert site.requests[0]["Accept-Encoding"] == "identity"


def test_what_is_there_is_not_fetched(site, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"there")
    assert get(site, tmp_path).read_bytes() == b"there"
    assert not site.requests


def test_a_cut_connection_is_resumed(site, tmp_path):
    site.cuts = [300_000, 400_000]
    assert get(site, tmp_path).read_bytes() == site.content
    assert len(site.requests) == 3
    assert [r.get("If-Range") for r in site.requests] == [None, site.etag, site.etag]
    starts = [int(r["Range"][len("bytes=") : -1]) for r in site.requests[1:]]
    # Up to a chunk of what came last is lost with the connection.
    assert 300_000 - 2**16 <= starts[0] <= 300_000
    assert starts[0] < starts[1] <= starts[0] + 400_000
    assert site.sent < len(site.content) + 2 * 2**16


def test_many_cuts_do_not_matter_while_something_arrives(site, tmp_path):
    site.cuts = [100_000] * 12
    assert get(site, tmp_path).read_bytes() == site.content


def test_a_later_call_goes_on_where_one_failed(site, tmp_path):
    site.cuts = [500_000, 0, 0, 0]
    with pytest.raises(NstjaxError, match="the connection was cut.*do without"):
        get(site, tmp_path)
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.etag"]
    before = site.sent
    assert get(site, tmp_path).read_bytes() == site.content
    assert site.sent - before <= len(site.content) - 500_000 + 2**16
    assert names(tmp_path) == ["file.bin"]


def test_another_file_at_the_same_address_is_not_mixed_in(site, tmp_path):
    site.cuts = [500_000, 0, 0, 0]
    with pytest.raises(NstjaxError):
        get(site, tmp_path)
    site.content, site.etag = np.random.default_rng(1).bytes(900_001), '"second"'
    assert get(site, tmp_path).read_bytes() == site.content


@pytest.mark.parametrize(
    "fault",
    [{"etag": ""}, {"etag": 'W/"weak"'}, {"ranges": False}, {"shift": -1}],
    ids=["no validator", "weak validator", "no ranges", "wrong place"],
)
def test_what_cannot_be_continued_begins_anew(site, tmp_path, fault):
    for name, value in fault.items():
        setattr(site, name, value)
    site.cuts = [500_000]
    assert get(site, tmp_path).read_bytes() == site.content


def test_a_file_that_was_complete_but_for_its_name(site, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(site.content)
    (tmp_path / "file.bin.part.etag").write_text(site.etag)
    assert get(site, tmp_path).read_bytes() == site.content


@pytest.mark.parametrize("status", [500, 503, 429])
def test_passing_trouble_of_a_server_is_waited_for(site, tmp_path, status):
    site.statuses = [status, status]
    assert get(site, tmp_path).read_bytes() == site.content
    assert len(site.requests) == 3


def test_lasting_trouble_of_a_server_is_reported(site, tmp_path):
    site.statuses = [503] * 9
    with pytest.raises(NstjaxError, match="answers 503 Service Unavailable") as caught:
        get(site, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(site.requests) == 4


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_dead_link_is_reported_at_once(site, tmp_path, status):
    site.statuses = [status]
    with pytest.raises(NstjaxError, match=f"{site.url()} .*{status}.*or do without"):
        get(site, tmp_path)
    assert len(site.requests) == 1
    assert names(tmp_path) == []


def test_no_server(site, nowhere, tmp_path):
    site.address = nowhere
    with pytest.raises(NstjaxError, match=r"no connection to the server") as caught:
        get(site, tmp_path)
    assert nowhere in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_cannot_be(site, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NstjaxError, match="cannot be written .*NSTJAX_CACHE"):
        get(site, tmp_path / "file")


def test_progress_goes_to_stderr_if_wanted(site, tmp_path, capsys):
    get(site, tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    get(site, tmp_path / "b", progress=True)
    out, err = capsys.readouterr()
    assert not out
    assert "file.bin" in err and "100%" in err


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_matches_compares_as_many_digits_as_are_stated(tmp_path, algorithm):
    path = tmp_path / "x"
    path.write_bytes(b"some bytes")
    digits = hashlib.new(algorithm, b"some bytes").hexdigest()
    assert matches(path, f"{algorithm}:{digits}") == (True, digits)
    assert matches(path, f"{algorithm}:{digits[:8].upper()}") == (True, digits[:8])
    other = "0" if digits[7] != "0" else "1"
    assert matches(path, f"{algorithm}:{digits[:7]}{other}") == (False, digits[:8])
