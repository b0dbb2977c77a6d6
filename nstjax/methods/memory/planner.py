"""Which way to make a picture in the memory that there is."""

from collections.abc import Sequence

from nstjax.errors import NstjaxError
from nstjax.methods.canvas import LARGEST_SHARE, most_pixels
from nstjax.methods.memory import costs
from nstjax.methods.memory.amounts import available_memory, show_amount
from nstjax.methods.specs import OnePassSpec
from nstjax.methods.tiling.transfer import Tiling, least_side
from nstjax.models.vgg import VGGSpec

# The part of the available memory that is used unless an amount is given.
_SHARE = 0.6
# Sides of tiles, in pixels, the best first: large ones overlap less.
_SIDES = (2048, 1536, 1024, 768, 512, 384, 256, 192)
# Copies of the features that Style-Swap makes of all positions.
_SWAP_COPIES = 5
# The shorter side of a style that is not enlarged. Measuring it takes no more memory
# than the compiler does later, which is counted.
_USUAL_STYLE = 512


def plan_transfer(
    size: tuple[int, int],
    spec: OnePassSpec,
    *,
    max_memory: int | None = None,
    swaps: bool = False,
    held: int = 0,
) -> Tiling | None:
    """Chooses how to paint a picture in one pass.

    Args:
        size: (height, width) of the picture.
        spec: the networks.
        max_memory: bytes that the whole process may take; by default a share
            of what is available, and the smallest tiles if that is not enough.
        swaps: whether it is Style-Swap.
        held: bytes of what else is kept meanwhile: styles, masks.

    Returns:
        None for all at once, which is chosen where it fits; or else the largest
        tiles that do. Features are kept between the passes if that fits.

    Raises:
        NstjaxError: if even the smallest tiles take more than `max_memory`, or than
            what is available.
    """
    budget = max_memory or _usual_budget()
    if budget is None or held + whole_bytes(size, spec, swaps=swaps) <= budget:
        return None

    def cost(tiling: Tiling) -> float:
        return held + tiled_bytes(size, spec, tiling, swaps=swaps)

    choices = _choices(spec, swaps)
    for tiling in choices:
        if cost(tiling) <= budget:
            return tiling
    least = min(choices, key=cost)
    _check(_a_picture(size), cost(least), max_memory, "--size")
    return least


def check_styles(
    sizes: Sequence[tuple[int, int]],
    spec: OnePassSpec,
    *,
    option: str,
    max_memory: int | None = None,
    held: int = 0,
) -> None:
    """Refuses to measure styles, one after another, in less memory than that takes.

    Args:
        sizes: the (height, width) at which each is seen.
        spec: the networks.
        option: what makes a style smaller, as the user knows it.
        max_memory: bytes that the whole process may take; by default all that is
            available.
        held: bytes of what else is kept meanwhile: pictures, masks.

    Raises:
        NstjaxError: if one takes more.
    """
    for height, width in sizes:
        if min(height, width) > _USUAL_STYLE:
            # Statistics take about as much beside the features as decoding does.
            needed = held + whole_bytes((height, width), spec)
            what = f"a style that is seen at {width} x {height} pixels"
            _check(what, needed, max_memory, option)


def largest_batch(
    size: tuple[int, int],
    spec: OnePassSpec,
    *,
    wanted: int,
    max_memory: int | None = None,
) -> int:
    """How many pictures of a size can be painted together.

    Args:
        size, spec, max_memory: as for `plan_transfer`.
        wanted: the most that it may be.

    Returns:
        A number from 1, also where not even one picture fits, to `wanted`.
    """
    budget = max_memory or _usual_budget()
    if budget is None:
        return wanted
    alone = costs.BASE + costs.weight_bytes(spec)
    pixels = LARGEST_SHARE * size[0] * size[1]
    each = pixels * (costs.PICTURE + costs.transfer_bytes(spec))
    return max(1, min(wanted, int((budget - alone) // each)))


def check_optimisation(
    size: tuple[int, int],
    spec: VGGSpec,
    *,
    solver_pictures: int,
    max_memory: int | None = None,
) -> None:
    """Refuses to optimise a picture in less memory than that takes.

    Args:
        size: (height, width) of the picture.
        spec: the encoder.
        solver_pictures: see `nstjax.methods.memory.costs.gradient_bytes`.
        max_memory: bytes that the whole process may take; by default all that is
            available.

    Raises:
        NstjaxError: if it takes more.
    """
    pixel = costs.gradient_bytes(spec, solver_pictures=solver_pictures)
    needed = costs.BASE + pixel * size[0] * size[1]
    _check(_a_picture(size), needed, max_memory, "--size")


def whole_bytes(
    size: tuple[int, int], spec: OnePassSpec, *, swaps: bool = False
) -> float:
    """Bytes that a process takes at most which paints a picture all at once."""
    pixels = most_pixels(size)
    pixel = costs.PICTURE + costs.transfer_bytes(spec)
    if swaps:
        pixel += _SWAP_COPIES * costs.feature_bytes(spec)
    return costs.BASE + costs.weight_bytes(spec) + pixels * pixel


def tiled_bytes(
    size: tuple[int, int], spec: OnePassSpec, tiling: Tiling, *, swaps: bool = False
) -> float:
    """The same in tiles."""
    pixels = size[0] * size[1]
    # The content and the result.
    pixel: float = 2 * costs.PICTURE
    if tiling.keep_features:
        pixel += costs.feature_bytes(spec)
    if swaps:
        pixel += _SWAP_COPIES * costs.feature_bytes(spec)
    tile = min(tiling.side, size[0]) * min(tiling.side, size[1])
    tile_pixel = costs.transfer_bytes(spec) + costs.feature_bytes(spec)
    fixed = costs.BASE + costs.weight_bytes(spec)
    return fixed + pixels * pixel + tile * tile_pixel


def _choices(spec: OnePassSpec, swaps: bool) -> list[Tiling]:
    """All tilings, the quickest first."""

    choices = []
    for keep in (True,) if swaps else (True, False):
        # Twice the least side, for smaller tiles are mostly halo.
        least = max(_SIDES[-1], 2 * least_side(spec, keep_features=keep))
        sides = [side for side in _SIDES if side > least]
        choices += [Tiling(side, keep) for side in (*sides, least)]
    return choices


def _usual_budget() -> float | None:
    available = available_memory()
    return None if available is None else _SHARE * available


def _a_picture(size: tuple[int, int]) -> str:
    return f"a picture of {size[1]} x {size[0]} pixels"


def _check(what: str, needed: float, max_memory: int | None, option: str) -> None:
    """Refuses what takes more than is allowed, or else than is available."""
    allowed = max_memory or available_memory()
    if allowed is None or needed <= allowed:
        return
    limit = "allowed" if max_memory else "available"
    raise NstjaxError(
        f"{what} takes at least {show_amount(needed)} of memory, but only "
        f"{show_amount(allowed)} is {limit}; choose a smaller {option} or a larger "
        "--max-memory"
    )
