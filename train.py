"""Trains a network: ``python train.py --config configs/adain.py``."""

from nstjax.cli.errors import run_command
from nstjax.cli.train import main

if __name__ == "__main__":
    run_command(main)
