"""Converts a depth network: `python -m converters.monodepth2 SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("monodepth2"))
