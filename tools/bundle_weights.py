"""Puts a trained network into the package.

    python tools/bundle_weights.py runs/adain/adain-slim.safetensors

Writes ``nstjax/weights/bundled/NAME.safetensors`` in float16. Only the last part of
every path in the recipe is kept, so that it reveals no folders.
"""

import argparse
import dataclasses
import re
from pathlib import Path

from nstjax.io.weights import load_weights, save_weights

WEIGHTS = Path(__file__).resolve().parents[1] / "nstjax" / "weights" / "bundled"
_PATH = re.compile(r"(?<![\w.:/-])/?(?:[\w.-]+/)+(?=[\w.-])")


def without_folders(value):
    """The same data, with only the last part of every path that occurs in it."""
    if isinstance(value, str):
        return _PATH.sub("", value)
    if isinstance(value, dict):
        return {name: without_folders(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="what train.py exported")
    path = Path(parser.parse_args().file)
    params, metadata = load_weights(path)
    notes = dict(metadata.notes)
    notes["config"] = without_folders(notes.get("config", {}))
    metadata = dataclasses.replace(
        metadata, recipe=without_folders(metadata.recipe), notes=notes
    )
    target = WEIGHTS / f"{metadata.name}.safetensors"
    save_weights(target, params, metadata, dtype="float16", overwrite=True)
    print(f"wrote {target}: {target.stat().st_size / 1e6:.2f} MB\n{metadata.recipe}")


if __name__ == "__main__":
    main()
