"""Averages the weights of networks of the same shape, such as runs from one start.

    python tools/average_weights.py mean.safetensors 9 new.safetensors 1 old.safetensors

Computes a weighted mean, with the weight of each file in front of it. A negative weight
leads away from a file: `-1 start 2 trained` extrapolates by as much as training
changed. Everything else is copied from the first file; its notes get the SHA-256 and
share of every file.

References:
    Wortsman et al., 2022, https://arxiv.org/abs/2203.05482 (model soups);
    Ilharco et al., 2023, https://arxiv.org/abs/2212.04089 (differences of weights).
"""

import argparse
import dataclasses
from pathlib import Path

import jax
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.io.weights import load_weights, save_weights, sha256_of


def average(target: Path, parts: list[tuple[float, Path]]) -> None:
    """Writes the mean of the files' weights, each with its share.

    Raises:
        NstjaxError: if a file cannot be read or the networks' shapes differ, a
            sum of the shares is not positive, or `target` exists.
    """
    total = sum(share for share, _ in parts)
    if not 0 < total < float("inf"):
        raise NstjaxError(f"the shares' sum must be above 0, and is {total:g}")
    loaded = [load_weights(path) for _, path in parts]
    trees, (metadata, *others) = zip(*loaded, strict=True)
    for other, (_, path) in zip(others, parts[1:], strict=True):
        if (other.kind, other.spec) != (metadata.kind, metadata.spec):
            raise NstjaxError(f"{path} holds a network of another shape than the first")
    shares = [share / total for share, _ in parts]
    mean = jax.tree.map(
        lambda *values: np.average(values, axis=0, weights=shares), *trees
    )
    averaged = [
        {"sha256": sha256_of(path), "share": share}
        for share, (_, path) in zip(shares, parts, strict=True)
    ]
    notes = dict(metadata.notes) | {"average_of": averaged}
    metadata = dataclasses.replace(metadata, notes=notes)
    save_weights(target, mean, metadata, dtype="float16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("parts", nargs="+", metavar="SHARE FILE", help="two or more")
    options = parser.parse_args()
    if len(options.parts) % 2:
        parser.error("give a share and a file by turns")
    try:
        parts = [
            (float(share), Path(path))
            for share, path in zip(options.parts[::2], options.parts[1::2], strict=True)
        ]
        average(options.target, parts)
    except (NstjaxError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
