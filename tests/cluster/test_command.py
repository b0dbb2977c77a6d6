"""What ``stylize.py --cluster`` refuses before it starts Ray."""

import pytest

from nstjax.cli.stylize import main
from nstjax.cluster import ray_cluster


@pytest.fixture
def command(make_pictures, tmp_path, monkeypatch) -> list[str]:
    def start(*_, **__):
        pytest.fail("Ray was started")

    monkeypatch.setattr(ray_cluster, "_connect", start)
    photos = make_pictures(tmp_path / "photos", 2)
    given = ["--content", str(photos), "--style", "night", "--cluster", "auto"]
    return [*given, "--output", str(tmp_path / "out")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *(
            ([option, value], f"{option} is not for --cluster")
            for option, value in (
                ("--temporal", "off"),
                ("--start", "0"),
                ("--end", "1"),
                ("--every", "2"),
                ("--fps", "10"),
                ("--codec", "hevc"),
            )
        ),
        (["--method", "gatys", "--batch-size", "2"], "--batch-size is for adain"),
    ],
)
def test_what_is_not_for_clusters_is_refused(command, arguments, said, capsys):
    assert main([*command, *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nstjax: error: ") and said in line
