"""Converts an AdaIN decoder: `python -m converters.adain_decoder SOURCE DEST`."""

import sys

from nstjax.weights.conversion.command import main

if __name__ == "__main__":
    sys.exit(main("adain_decoder"))
