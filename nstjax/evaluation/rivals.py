"""Published models' figures, measured once on one protocol.

They were measured with the models' published weights, which are not part of this
project, and are quoted, never computed here. They can stand beside other figures
only if those were measured in the same way, which `check_comparable` checks.

Protocol: the ten contents and six styles named below, 60 pairs; every picture
scaled (Lanczos) to the shorter side 384, the middle 384 x 384 cut out, colour
profiles ignored; means over pairs; the judge is VGG-19 distilled to a sixteenth.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nstjax.errors import NstjaxError
from nstjax.evaluation.lineage import DISTILLED_16X, Network

SIZE = 384
# Photographs of NPRgeneral (Mould & Rosin, 2017,
# https://doi.org/10.1016/j.cag.2017.05.025), and paintings.
CONTENTS = tuple(
    f"npr_{name}"
    for name in (
        "angel",
        "arch",
        "barn",
        "cat",
        "city",
        "desert",
        "mac",
        "mountains",
        "tomato",
        "yemeni",
    )
)
STYLES = (
    "starry_night",
    "la_muse",
    "great_wave",
    "composition_vii",
    "udnie",
    "vg_wheat_field",
)
METRICS = ("content", "style", "lap4", "lap16", "ssim")


class Rival(NamedTuple):
    """A published model's figures.

    Attributes:
        name: the model.
        figures: one for each of `METRICS`, as precise as they are known.
        note: what it is.
    """

    name: str
    figures: tuple[str, ...]
    note: str


RIVALS = (
    Rival(
        "MicroAST",
        (".332", ".019", "1.39", ".64", ".48"),
        "472,000 weights, trained 160,000 iterations on COCO and WikiArt",
    ),
    Rival(
        "AdaIN, 16x-distilled VGG",
        (".139", ".085", ".72", ".24", ".54"),
        "AdaIN at relu4_1, with Collaborative-Distillation's reconstruction decoder; "
        "its encoder is of the judge's family",
    ),
    Rival(
        "WCT, 16x-distilled VGG",
        (".543", ".016", "3.16", "1.43", ".24"),
        "five stages of whitening and colouring; its encoders are of the judge's "
        "family",
    ),
)


def check_comparable(
    contents: Sequence[str], styles: Sequence[str], *, size: int, judges: list[Network]
) -> Network:
    """Finds the judge on which an evaluation can be compared with the rivals.

    Args:
        contents, styles: the pictures' labels.
        size: side of the squares.
        judges: the encoders that judge.

    Returns:
        The judge that the rivals had.

    Raises:
        NstjaxError: if the evaluation's protocol is another one.
    """
    wrong = []
    if size != SIZE:
        wrong.append(f"--size {SIZE}")
    if set(contents) != set(CONTENTS):
        wrong.append(f"the contents {', '.join(CONTENTS)}")
    if set(styles) != set(STYLES):
        wrong.append(f"the styles {', '.join(STYLES)}")
    found = [judge for judge in judges if judge.digest == DISTILLED_16X]
    if not found:
        wrong.append(
            "--judge with wct_se_16x_new's encoder up to relu5_1, converted with "
            "'python -m converters.distilled_vgg'"
        )
    if wrong:
        raise NstjaxError(
            f"--rivals quotes figures of another protocol; it needs {'; '.join(wrong)}"
        )
    return found[0]
