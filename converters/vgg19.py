"""Converts a VGG-19 encoder: `python -m converters.vgg19 SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("vgg19"))
