"""Converts FastDepth: `python -m converters.fast_depth SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("fast_depth"))
