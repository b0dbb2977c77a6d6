"""Converts a distilled VGG-19: `python -m converters.distilled_vgg SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("distilled_vgg"))
