"""Chooses how to paint a picture within the available memory."""

from collections.abc import Sequence

from nstjax.errors import NstjaxError
from nstjax.methods.canvas import LARGEST_SHARE, most_pixels
from nstjax.methods.memory import costs
from nstjax.methods.memory.amounts import available_memory, show_amount
from nstjax.methods.specs import OnePassSpec
from nstjax.methods.tiling.transfer import Tiling, least_side
from nstjax.models.vgg import VGGSpec

# The share of the available memory that is used unless an amount is given.
_SHARE = 0.6
# Sides of tiles, in pixels, best first: large tiles overlap less.
_SIDES = (2048, 1536, 1024, 768, 512, 384, 256, 192)
# How many copies of the features of all positions Style-Swap makes.
_SWAP_COPIES = 5
# The shorter side of a style that is not enlarged. Measuring it takes no more memory
# than the compiler does later, which is accounted for.
_USUAL_STYLE = 512


def plan_transfer(
    size: tuple[int, int],
    spec: OnePassSpec,
    *,
    max_memory: int | None = None,
    swaps: bool = False,
    held: int = 0,
) -> Tiling | None:
    """Chooses how to paint a picture with a feed-forward method.

    Args:
        size: (height, width) of the picture.
        spec: the networks.
        max_memory: how many bytes the whole process may use; by default a share of the
            available memory, with the smallest tiles if that is not enough.
        swaps: whether the method is Style-Swap.
        held: bytes of what else is kept in memory: styles, masks.

    Returns:
        None to paint the whole picture at once, if that fits; otherwise the largest
        tiles that fit. Features are kept between the passes if they fit.

    Raises:
        NstjaxError: if even the smallest tiles take more than `max_memory`, or than the
            available memory.
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
    """Checks that there is enough memory to measure styles, one after another.

    Args:
        sizes: the (height, width) at which each style is encoded.
        spec: the networks.
        option: the user's option that makes a style smaller.
        max_memory: how many bytes the whole process may use; by default all available
            memory.
        held: bytes of what else is kept in memory: pictures, masks.

    Raises:
        NstjaxError: if a style takes more.
    """
    for height, width in sizes:
        if min(height, width) > _USUAL_STYLE:
            # Statistics take about as much memory in addition to the features as
            # decoding.
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
        wanted: the most that is wanted.

    Returns:
        A number from 1 (even if not a single picture fits) to `wanted`.
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
    """Checks that there is enough memory to optimise a picture.

    Args:
        size: (height, width) of the picture.
        spec: the encoder.
        solver_pictures: see `nstjax.methods.memory.costs.gradient_bytes`.
        max_memory: how many bytes the whole process may use; by default all available
            memory.

    Raises:
        NstjaxError: if the optimisation takes more.
    """
    pixel = costs.gradient_bytes(spec, solver_pictures=solver_pictures)
    needed = costs.BASE + pixel * size[0] * size[1]
    _check(_a_picture(size), needed, max_memory, "--size")


def whole_bytes(
    size: tuple[int, int], spec: OnePassSpec, *, swaps: bool = False
) -> float:
    """The most bytes that a process takes to paint a picture all at once."""
    pixels = most_pixels(size)
    pixel = costs.PICTURE + costs.transfer_bytes(spec)
    if swaps:
        pixel += _SWAP_COPIES * costs.feature_bytes(spec)
    return costs.BASE + costs.weight_bytes(spec) + pixels * pixel


def tiled_bytes(
    size: tuple[int, int], spec: OnePassSpec, tiling: Tiling, *, swaps: bool = False
) -> float:
    """The same, painted in tiles."""
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
    """All tilings, fastest first."""

    choices = []
    for keep in (True,) if swaps else (True, False):
        # Twice the smallest side, since smaller tiles are mostly halo.
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
    """Raises NstjaxError if more is needed than is allowed, or available."""
    allowed = max_memory or available_memory()
    if allowed is None or needed <= allowed:
        return
    limit = "allowed" if max_memory else "available"
    raise NstjaxError(
        f"{what} takes at least {show_amount(needed)} of memory, but only "
        f"{show_amount(allowed)} is {limit}; choose a smaller {option} or a larger "
        "--max-memory"
    )
