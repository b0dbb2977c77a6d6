"""Compares the methods on folders of pictures: ``python evaluate.py --help``."""

from nstjax.cli.errors import run_command
from nstjax.cli.evaluate import main

if __name__ == "__main__":
    run_command(main)
