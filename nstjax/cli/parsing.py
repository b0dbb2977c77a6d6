"""Argument parsing with one-sentence errors, and the types of arguments."""

import argparse
import math
from typing import NoReturn

from nstjax.errors import NstjaxError
from nstjax.methods.memory.amounts import parse_amount

# The largest 32-bit integer, for seeds and counts.
LARGEST = 2**31 - 1


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises NstjaxError."""

    def __init__(self, **options) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def parse_known_args(self, args=None, namespace=None):
        """Like argparse's, which turns the option value "--" into an empty list."""
        for argument in args or ():
            if argument.startswith("--") and argument.endswith("=--"):
                self.error(f"{argument!r} has no value")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises NstjaxError instead of printing the usage."""
        raise NstjaxError(f"{message}; --help explains the options")


def weight(text: str) -> float:
    """A number that is finite and not negative."""
    value = _number(text)
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1")
    return value


def count(text: str) -> int:
    """A whole number from 1 to `LARGEST`."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return value


def quality(text: str) -> int:
    """A whole number from 1 to 100."""
    value = whole(text)
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to 100")
    return value


def whole(text: str) -> int:
    """A whole number from 0 to `LARGEST`."""
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number") from error
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    if value > LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is more than {LARGEST}")
    return value


def color(text: str) -> tuple[float, float, float]:
    """A colour such as white or #ff8800, as (red, green, blue) in [0, 1]."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text} is not a colour; write it like white or #ff8800"
        ) from error
    return red / 255, green / 255, blue / 255


def size(text: str) -> int | tuple[int, int]:
    """A picture's size: the longer side N, or WIDTHxHEIGHT.

    Returns:
        The longer side, or (height, width).
    """
    width, times, height = text.lower().partition("x")
    if not times:
        return count(text)
    if not (width and height):
        raise argparse.ArgumentTypeError(
            f"{text} is not a size; write the longer side, such as 1080, or both, "
            "such as 1920x1080"
        )
    return count(height), count(width)


def memory(text: str) -> int:
    """An amount of memory such as 2GB, in bytes."""
    try:
        return parse_amount(text)
    except NstjaxError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from error
