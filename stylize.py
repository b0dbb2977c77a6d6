"""Paints one picture in the style of another: ``python stylize.py --help``."""

from nstjax.cli.errors import run_command
from nstjax.cli.stylize import main

if __name__ == "__main__":
    run_command(main)
