"""Operations of each case by formula, counting a multiply-add as two.

They are those of the textbook form: if a library needs fewer, as for a convolution
after upsampling, that shows as speed. Only convolutions and matrix products are
counted; for style-swap, only the correlations.
"""

from side_by_side import inputs
from side_by_side.cases import WHOLE_PROCESS, Case

_GRAM_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


def convolution(
    height: float, width: float, side: int, before: int, after: int
) -> float:
    """Operations of one convolution whose output is [height, width, after]."""
    return 2 * height * width * side * side * before * after


def operations(case: Case) -> float:
    """Operations of one call of a case; 0 where they are not counted."""
    if case.kind in WHOLE_PROCESS:
        return 0.0
    if case.kind == "monodepth":
        return _depth(case)
    if case.kind == "swap":
        channels = inputs.ENCODER_WIDTHS[case.widths][4]
        patches = (case.size // 4 - 2) ** 2
        return 2.0 * patches * patches * 9 * channels
    layers = sum(_encoder(case, "conv4_1").values())
    if case.kind == "encode":
        return case.batch * layers
    if case.kind in ("adain", "paint"):
        encoded = 2 if case.kind == "adain" else 1
        return case.batch * (encoded * layers + sum(_decoder(case)))
    if case.kind == "train":
        decoder = _decoder(case)
        # In the backward pass, a trained convolution has a gradient for its kernel and,
        # except for the first, one for its input; a frozen one only the latter.
        return case.batch * (4 * layers + 3 * sum(decoder) - decoder[0])
    evaluation = 2 * (sum(_encoder(case, "conv5_1").values()) + _grams(case))
    return case.batch * evaluation * (1 if case.kind == "gatys" else case.evaluations)


def _encoder(case: Case, last: str) -> dict[str, float]:
    """Operations of each convolution up to `last`, for one picture."""
    result, before = {}, 3
    widths = inputs.ENCODER_WIDTHS[case.widths]
    for name, after in zip(inputs.CONVOLUTIONS, widths, strict=True):
        side = case.size // 2 ** (int(name[4]) - 1)
        result[name] = convolution(side, side, 3, before, after)
        before = after
        if name == last:
            break
    return result


def _decoder(case: Case) -> list[float]:
    widths = inputs.ENCODER_WIDTHS[case.widths], inputs.DECODER_WIDTHS[case.widths]
    result, before, side = [], widths[0][8], case.size // 8
    for name, after in zip(inputs.DECODER_CONVOLUTIONS, widths[1], strict=True):
        side *= 2 if name in inputs.UPSAMPLED else 1
        result.append(convolution(side, side, 3, before, after))
        before = after
    return result


def _grams(case: Case) -> float:
    widths = dict(
        zip(inputs.CONVOLUTIONS, inputs.ENCODER_WIDTHS[case.widths], strict=True)
    )
    return sum(
        2.0 * (case.size // 2 ** (int(name[4]) - 1)) ** 2 * widths[name] ** 2
        for name in _GRAM_LAYERS
    )


def _depth(case: Case) -> float:
    height, width = inputs.DEPTH_SIZES[depth_widths(case)]
    params = inputs.depth(depth_widths(case))

    def of(layer: dict, scale: int) -> float:
        side, _, before, after = layer["kernel"].shape
        return convolution(height / 2**scale, width / 2**scale, side, before, after)

    total = of(params["encoder"]["conv1"], 1)
    for name, unit in params["encoder"].items():
        if name != "conv1":
            # Stage s works at scale s + 1.
            total += sum(of(layer, int(name[5]) + 1) for layer in unit.values())
    for name, layer in params["decoder"].items():
        kind, _, index = name.partition("_")
        level = int(kind[-1])
        # A level's first convolution comes before upsampling.
        total += of(
            layer, level + 1 if kind[:-1] == "upconv" and index == "0" else level
        )
    return case.batch * total


def depth_widths(case: Case) -> str:
    """The depth network's widths: it has one size in addition to the tiny one."""
    return "tiny" if case.widths == "tiny" else "full"
