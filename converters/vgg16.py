"""Converts a VGG-16 encoder: `python -m converters.vgg16 SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("vgg16"))
