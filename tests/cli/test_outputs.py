"""Which files a run writes: each once, none of them an input, names of any length."""

import os
from pathlib import Path

import pytest

from nstjax.cli.jobs import Job, plan_jobs
from nstjax.cli.outputs import check_distinct
from nstjax.errors import NstjaxError


def plan(content, styles, output, **options):
    options = {"overwrite": False, "resume": False} | options
    return plan_jobs(
        [str(content)], list(map(str, styles)), output, method="x", **options
    )


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    return path


def test_contents_of_one_stem_get_names_of_their_own(folder, tmp_path):
    for name in ("a.png", "a.jpg", "b.png"):
        (folder / name).touch()
    jobs, _ = plan(folder, ["night"], str(tmp_path / "out"))
    names = [job.output.name for job in jobs]
    assert names == ["a-jpg.png", "a-png.png", "b.png"]


def test_names_that_would_meet_are_refused(folder, tmp_path):
    for name in ("a.png", "a.jpg", "a-png.webp"):
        (folder / name).touch()
    with pytest.raises(NstjaxError, match="a-png.png would be written twice"):
        plan(folder, ["night"], str(tmp_path / "out"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_not_painted_over(folder, overwrite):
    (folder / "a.png").touch()
    with pytest.raises(NstjaxError, match="holds contents or styles.*another --output"):
        plan(folder, ["night"], str(folder), overwrite=overwrite)


def test_an_input_is_no_output_under_any_name(folder, tmp_path):
    content = folder / "a.png"
    content.touch()
    os.link(content, folder / "hard.png")
    (folder / "soft.png").symlink_to(content)
    for name in ("a.png", "hard.png", "soft.png", "../photos/a.png"):
        with pytest.raises(NstjaxError, match="overwrite an input"):
            plan(content, ["night"], str(folder / name), overwrite=True)


def test_files_that_do_not_exist_yet_are_told_apart_by_where_they_lie(tmp_path):
    one = tmp_path / "x.png"
    check_distinct([one, tmp_path / "y.png"], ["night", tmp_path / "z.png"])
    with pytest.raises(NstjaxError, match="written twice"):
        check_distinct([one, tmp_path / "sub" / ".." / "x.png"], [])


def test_long_names_are_cut_and_stay_apart(tmp_path, monkeypatch):
    folder = tmp_path / "long"
    folder.mkdir()
    contents = [folder / f"{'c' * 120}{end}.png" for end in "xy"]
    style = folder / f"{'s' * 140}.png"
    for path in (*contents, style):
        path.touch()
    monkeypatch.chdir(tmp_path)
    outputs = [plan(content, [style], None)[0][0].output for content in contents]
    assert len(set(outputs)) == 2
    for output in outputs:
        assert len(output.name.encode()) == 255 and output.suffix == ".png"
        assert output.name.startswith("c" * 120)


def test_every_file_of_a_job_has_a_name_that_can_be_written(tmp_path):
    job = Job("c", ("s",), tmp_path / f"{'é' * 123}x.png")
    assert len(os.fsencode(job.output.name)) == 251
    beside = [job.state, job.intermediate(10), job.intermediate(20), *job.disparities]
    assert len(set(beside)) == 5
    for path in beside:
        path.touch()
    short = Job("c", ("s",), Path("a/b.png"))
    assert short.state == Path("a/b.png.state")
    assert short.intermediate(7) == Path("a/b_00007.png")
