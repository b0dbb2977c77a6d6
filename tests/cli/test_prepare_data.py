"""nstjax prepare-data; what it writes is tested in tests/io/test_tfds_folder.py."""

import pytest
from PIL import Image

from nstjax.cli.prepare_data import main
from nstjax.io.datasets import open_source


def test_packs_a_folder(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"broken")
    destination = tmp_path / "out"
    assert main([str(tmp_path / "in"), str(destination), "--short-side", "15"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"skipped {tmp_path / 'in' / 'b.png'}, which cannot be read",
        f"wrote {destination}: 1 pictures",
    ]
    assert len(open_source(destination)) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{0}/absent", "{0}/out"], "there is no folder of pictures {0}/absent"),
        (["{0}", "{0}/out"], "there is no folder of pictures {0}"),
        (["{0}"], "the following arguments are required: destination"),
        (["{0}", "{0}/out", "--short-side=-3"], "--short-side"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, capsys, arguments, sentence):
    assert main([argument.format(tmp_path) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nstjax: error: ") and error.count("\n") == 1
    assert sentence.format(tmp_path) in error
    assert not list(tmp_path.iterdir())
