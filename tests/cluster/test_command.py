"""What ``stylize.py --cluster`` refuses before it starts Ray."""

import json

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
            ([option, value], f"{option} cannot be used with --cluster")
            for option, value in (
                ("--temporal", "off"),
                ("--start", "0"),
                ("--end", "1"),
                ("--every", "2"),
                ("--fps", "10"),
                ("--codec", "hevc"),
            )
        ),
        (["--method", "gatys", "--batch-size", "2"], "--batch-size works with adain"),
        (["--style-blend", "1", "2", "3"], "1 styles need as many weights to blend"),
        (["--method", "gatys", "--encoder", "nope"], "there is no network 'nope'"),
        (["--decoder", "nope"], "there is no network 'nope'"),
        (
            ["--method", "gatys-depth", "--depth-model", "nope"],
            "there is no network 'nope'",
        ),
    ],
)
def test_what_is_wrong_for_all_is_refused_before_anything_starts(
    command, arguments, said, capsys
):
    assert main([*command, *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nstjax: error: ") and said in line


def test_rows_may_have_networks_of_their_own(command, make_pictures, tmp_path):
    pytest.importorskip("ray.data", reason="needs Ray: pip install '.[cluster]'")
    photos = make_pictures(tmp_path / "more", 1)
    row = {"content": str(photos / "0000.png"), "options": {"method": "gatys"}}
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text(json.dumps(row))
    command[command.index("--content") + 1] = str(manifest)
    # Which adain's painter has no use for.
    with pytest.raises(pytest.fail.Exception, match="Ray was started"):
        main([*command, "--encoder", "vgg19-slim"])
