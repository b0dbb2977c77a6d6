"""Plans the pictures to paint: one, or one for each content and style."""

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from nstjax.cli.outputs import check_distinct
from nstjax.errors import NstjaxError
from nstjax.io.files import fit_name
from nstjax.io.images import OUTPUT_SUFFIXES, check_output
from nstjax.methods.pictures import is_folder, list_pictures, picture_labels

_DEFAULT_FORMAT = "png"


@dataclasses.dataclass(frozen=True)
class Job:
    """A picture to paint.

    Attributes:
        content: a file, or the name of an example.
        styles: the same for one style or several, which are blended.
        output: the file to write.
    """

    content: str
    styles: tuple[str, ...]
    output: Path

    @property
    def state(self) -> Path:
        """The state file of an interrupted run."""
        return self.output.with_name(fit_name(self.output.name, ".state"))

    def beside(self, ending: str) -> Path:
        """A further picture of this job, such as with the ending "_disparity"."""
        name = fit_name(self.output.stem, f"{ending}{self.output.suffix}")
        return self.output.with_name(name)

    @property
    def disparities(self) -> tuple[Path, Path]:
        """The pictures of the content's and result's disparities."""
        return self.beside("_content_disparity"), self.beside("_disparity")

    def intermediate(self, evaluations: int) -> Path:
        """The picture after a number of evaluations."""
        return self.beside(f"_{evaluations:05d}")


def on_the_way_to(path: Path) -> Path | None:
    """The output for which `Job.intermediate` could give this path, or None."""
    found = re.fullmatch(r"(.+)_\d{5,}", path.stem)
    return found and path.with_name(f"{found[1]}{path.suffix}")


def plan_jobs(
    contents: Sequence[str],
    styles: Sequence[str],
    output: str | None,
    *,
    method: str,
    overwrite: bool,
    resume: bool,
    format: str | None = None,
) -> tuple[list[Job], list[Job]]:
    """Lists the pictures to paint.

    Args:
        contents: files, folders, or examples' names.
        styles: several files or examples, which are blended, or one folder.
        output: a file, or a folder, which is required for several pictures; None
            chooses a free name in the current folder.
        method: the method, for that name.
        overwrite: whether existing outputs may be replaced.
        resume: whether to continue interrupted runs; their outputs are replaced.
        format: the suffix of names that are chosen here; "png" by default.

    Returns:
        The jobs, and those that are skipped because their pictures exist.

    Raises:
        NstjaxError: if an input is missing or the output cannot be written.
    """
    listed = [picture for content in contents for picture in list_pictures(content)]
    blends = _expand_styles(styles)
    suffix = f".{format or _DEFAULT_FORMAT}"
    if len(contents) == 1 and not any(map(is_folder, (*contents, *styles))):
        (content,) = contents
        parts = [Path(content).stem, *(Path(style).stem for style in styles), method]
        job = plan_one(
            content,
            styles,
            output,
            stem="_".join(parts),
            overwrite=overwrite,
            resume=resume,
            format=format,
        )
        return [job], []
    if not output:
        raise NstjaxError("several pictures need a folder for --output")
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise NstjaxError(
            f"{folder} is a file, but several pictures need a folder for --output"
        )
    names_picture = not output.endswith(("/", os.sep))
    names_picture &= folder.suffix.lower() in OUTPUT_SUFFIXES
    if names_picture and not folder.exists():
        raise NstjaxError(
            f"{folder} is a picture's name, but several pictures need a folder for "
            "--output"
        )
    for source in filter(is_folder, (*contents, *styles)):
        if folder.exists() and os.path.samefile(source, folder):
            raise NstjaxError(
                f"{folder} holds contents or styles, and the next run would mistake "
                "the results for them; choose another --output"
            )
    labels = picture_labels(listed)
    of_styles = picture_labels([blend[0] for blend in blends])
    jobs = [
        Job(picture, blend, folder / fit_name("_".join(parts), suffix))
        for picture, label in zip(listed, labels, strict=True)
        for blend, of_style in zip(blends, of_styles, strict=True)
        for parts in [[label, of_style] if len(blends) > 1 else [label]]
    ]
    # Including existing ones: another run's picture is not this run's.
    check_distinct(
        (job.output for job in jobs),
        [*listed, *(picture for blend in blends for picture in blend)],
    )
    check_output(jobs[0].output, overwrite=True)
    left: list[Job] = []
    there: list[Job] = []
    for job in jobs:
        going_on = resume and job.state.is_file()
        wanted = overwrite or going_on or not job.output.exists()
        (left if wanted else there).append(job)
    return left, there


def plan_one(
    content: str,
    styles: Sequence[str],
    output: str | None,
    *,
    stem: str,
    overwrite: bool,
    resume: bool = False,
    format: str | None = None,
) -> Job:
    """The job for one picture, after checking that it can be written.

    Args:
        content, styles, overwrite, resume, format: see `plan_jobs`.
        output: a file, or a folder for a file with the content's name; None chooses a
            free name in the current folder.
        stem: the stem of that name.

    Raises:
        NstjaxError: if the output cannot be written.
    """
    suffix = f".{format or _DEFAULT_FORMAT}"
    if not output:
        target = free_name(stem, suffix)
    elif os.path.isdir(output) or output.endswith(("/", os.sep)):
        target = Path(output) / fit_name(Path(content).stem, suffix)
    elif format and Path(output).suffix:
        raise NstjaxError(
            f"{output} names its format itself; leave out --format, or name a folder"
        )
    elif format:
        raise NstjaxError(
            f"--format applies to pictures in a folder; end {output} in / to make it "
            f"a folder, or in {suffix}"
        )
    else:
        target = Path(output)
    job = Job(content, tuple(styles), target)
    going_on = resume and job.state.is_file()
    check_distinct([target], [content, *styles])
    check_output(target, overwrite=overwrite or going_on)
    return job


def _expand_styles(styles: Sequence[str]) -> list[tuple[str, ...]]:
    if not any(map(is_folder, styles)):
        return [tuple(picture for style in styles for picture in list_pictures(style))]
    if len(styles) > 1:
        raise NstjaxError("give one folder of styles or several files, not both")
    return [(picture,) for picture in list_pictures(styles[0])]


def free_name(
    stem: str, suffix: str, *, is_free: Callable[[Path], bool] | None = None
) -> Path:
    """The first of stem, stem_2, stem_3 ... in the current folder that is free.

    Args:
        stem: the name, which is shortened if it is too long for a file.
        suffix: the file's suffix, with its dot.
        is_free: whether a file may be written there; by default, if there is none.
    """
    is_free = is_free or (lambda path: not path.exists())
    candidate, number = Path(fit_name(stem, suffix)), 2
    while not is_free(candidate):
        candidate = Path(fit_name(stem, f"_{number}{suffix}"))
        number += 1
    return candidate
