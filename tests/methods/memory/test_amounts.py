"""Amounts of memory, written and found."""

import pytest

from nstjax.errors import NstjaxError
from nstjax.methods.memory import amounts
from nstjax.methods.memory.amounts import available_memory, parse_amount, show_amount


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2GB", 2 * 10**9),
        ("800MB", 8 * 10**8),
        ("1.5 gb", 15 * 10**8),
        ("1GiB", 2**30),
        ("512m", 512 * 10**6),
        ("3000000000", 3 * 10**9),
        (4_000_000_000, 4 * 10**9),
        (4e9, 4 * 10**9),
    ],
)
def test_amounts_are_read(text, expected):
    assert parse_amount(text) == expected


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "0", "two", "1.2.3GB", "nan", "9XB"]
)
def test_other_amounts_are_refused(text):
    with pytest.raises(NstjaxError, match="not an amount of memory; write it like 2GB"):
        parse_amount(text)


def test_amounts_are_shown():
    assert show_amount(8.4e8) == "840 MB"
    assert show_amount(2.14e9) == "2.1 GB"


def test_linux_says_what_is_available(tmp_path, monkeypatch):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable: 5000 kB\n")
    monkeypatch.setattr(amounts, "_MEMINFO", meminfo)
    monkeypatch.setattr(amounts, "_LIMITS", ())
    assert available_memory() == 5000 * 1024


def test_a_container_may_allow_less(tmp_path, monkeypatch):
    meminfo, limit, used = (tmp_path / name for name in ("meminfo", "max", "current"))
    meminfo.write_text("MemAvailable: 5000 kB\n")
    limit.write_text("3000000\n")
    used.write_text("1000000\n")
    monkeypatch.setattr(amounts, "_MEMINFO", meminfo)
    monkeypatch.setattr(amounts, "_LIMITS", ((limit, used),))
    assert available_memory() == 2_000_000
    limit.write_text("max\n")
    assert available_memory() == 5000 * 1024


def test_other_systems_are_asked_what_is_built_in(tmp_path, monkeypatch):
    monkeypatch.setattr(amounts, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(amounts, "_LIMITS", ())
    built_in = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(amounts.os, "sysconf", built_in.get, raising=False)
    assert available_memory() == 500 * 4096
    monkeypatch.delattr(amounts.os, "sysconf")
    assert available_memory() is None
