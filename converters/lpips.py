"""Converts LPIPS: `python -m converters.lpips SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("lpips"))
