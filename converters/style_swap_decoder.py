"""Converts a Style-Swap decoder: `python -m converters.style_swap_decoder ...`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("style_swap_decoder"))
