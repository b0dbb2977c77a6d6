"""The cases of the comparison: what is computed, and at which size.

A case is named ``KIND-SIZE``, ``KIND-BATCHxSIZE``, or ``KIND`` alone where the
size is the network's own. Any kind and size can be used; `DEFAULT` are those in the
documentation's table.
"""

import dataclasses
import re

DEFAULT = (
    "encode-256",
    "encode-512",
    "encode-1024",
    "encode-8x256",
    "adain-512",
    "adain-1024",
    "gatys-512",
    "gatys-adam-256",
    "gatys-lbfgs-256",
    "train-8x256",
    "swap-256",
    "swap-512",
    "monodepth",
    "cold-start-512",
    "cold-start-cached-512",
)
# Side of pictures, and batch, of a case without numbers.
_SIZES = {
    "encode": 512,
    "adain": 512,
    "paint": 512,
    "gatys": 512,
    "gatys-adam": 256,
    "gatys-lbfgs": 256,
    "train": 256,
    "swap": 512,
    "monodepth": 640,
    "cold-start": 512,
    "cold-start-cached": 512,
}
KINDS = tuple(_SIZES)
WHOLE_PROCESS = ("cold-start", "cold-start-cached")
# JAX over torch at full width on another CPU with AVX-512, with a careful
# implementation, as a goal.
CAREFUL = {
    "encode-256": "1.10",
    "encode-512": "0.97-1.04",
    "encode-1024": "0.89",
    "encode-8x256": "1.14",
    "adain-512": "0.87",
    "gatys-512": "0.91",
    "gatys-adam-256": "0.92",
    "train-8x256": "0.57",
    "swap-256": "0.32",
    "swap-512": "0.32",
    "monodepth": "0.99",
}
# The default number of evaluations of the objective in one measured call of a loop.
EVALUATIONS = 10


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        name: as on the command line.
        kind: one of `KINDS`.
        size: pixels of a side; the longer side for monodepth.
        batch: pictures.
        widths: "full", VGG-19's; "slim", the bundled networks'; or "tiny".
        precision: "float32", "tf32" or "bfloat16".
        evaluations: evaluations of the objective in one call of a loop.
    """

    name: str
    kind: str
    size: int
    batch: int
    widths: str
    precision: str
    evaluations: int = EVALUATIONS


def parse(
    name: str,
    *,
    widths: str,
    precision: str,
    evaluations: int = EVALUATIONS,
    largest: int = 0,
) -> Case:
    """Makes the case of a name; `largest` limits the size, if it is not 0.

    Raises:
        ValueError: if there is no such case.
    """
    match = re.fullmatch(r"([a-z-]+?)(?:-(?:(\d+)x)?(\d+))?", name)
    if match is None or match[1] not in KINDS:
        raise ValueError(
            f"there is no case {name!r}; a case is KIND, KIND-SIZE or "
            f"KIND-BATCHxSIZE, where KIND is one of {', '.join(KINDS)}"
        )
    kind, batch = match[1], int(match[2] or (8 if match[1] == "train" else 1))
    size = int(match[3] or _SIZES[kind])
    if kind == "monodepth":
        size, largest = _SIZES[kind], 0
    if size < 64 or size % 32:
        raise ValueError(f"{name}: the size must be a multiple of 32, 64 or more")
    size = min(size, largest or size)
    batch = min(batch, 2) if largest else batch
    return Case(name, kind, size, batch, widths, precision, evaluations)
