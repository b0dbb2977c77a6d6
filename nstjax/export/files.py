"""Writes a method as files that need neither Python nor this package."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nstjax import __version__
from nstjax.errors import NstjaxError
from nstjax.export.graph import need
from nstjax.export.models import Model, make_models
from nstjax.io.files import refuse_to_overwrite, write_atomically
from nstjax.methods.networks import Networks

CARD = "card.json"


def export_networks(
    folder: Path,
    networks: Networks,
    *,
    method: str,
    form: str,
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
) -> None:
    """Writes a method's functions to a folder, and a card that describes them.

    ONNX files are first compared with JAX. Nothing is written before everything is
    ready; the card is written last, with the hash of every file.

    Args:
        folder: the folder, which is created if missing.
        networks: from `nstjax.methods.networks.load_networks`.
        method: its name, for the card.
        form: "onnx" or "stablehlo".
        overwrite: whether existing files may be replaced.
        tell: called with a line for each written file.

    Raises:
        NstjaxError: if the networks cannot be exported, a package is missing, the
            results differ, or a file exists and may not be replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise NstjaxError(f"{folder} is a file; name a folder to export to")
    models = make_models(networks)
    endings = {"onnx": (".onnx",), "stablehlo": (".jax", ".mlirbc")}[form]
    names = [f"{model.name}{ending}" for model in models for ending in endings]
    for name in (*names, CARD):
        refuse_to_overwrite(folder / name, overwrite=overwrite)
    facts: dict[str, Any] = {}
    if form == "onnx":
        files, facts = _as_onnx(models)
    else:
        files = _as_stablehlo(models)
    for name, data in files.items():
        write_atomically(folder / name, data, overwrite=overwrite)
        tell(f"{folder / name}: {len(data) / 1e6:.1f} MB")
    card = _card(models, files, networks, method=method, form=form) | facts
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / CARD, text, overwrite=overwrite)
    tell(f"{folder / CARD}: inputs, outputs, ranges, licence and hashes")


def _as_onnx(models: tuple[Model, ...]) -> tuple[dict[str, bytes], dict[str, Any]]:
    from nstjax.export.check import check_models

    made = {model.name: model.to_onnx() for model in models}
    differences = check_models(models, made)
    files = {f"{name}.onnx": data for name, data in made.items()}
    return files, {"largest_difference_from_jax": differences}


def _as_stablehlo(models: tuple[Model, ...]) -> dict[str, bytes]:
    from nstjax.export.stablehlo import to_stablehlo

    need("flatbuffers")  # which jax needs for exporting
    files = {}
    for model in models:
        exported = to_stablehlo(model)
        files[f"{model.name}.jax"] = bytes(exported.serialize())
        files[f"{model.name}.mlirbc"] = exported.mlir_module_serialized
    return files


def _card(
    models: tuple[Model, ...],
    files: dict[str, bytes],
    networks: Networks,
    *,
    method: str,
    form: str,
) -> dict[str, Any]:
    return {
        "method": method,
        "format": form,
        "made_by": f"nstjax {__version__}",
        "arrays": "float32; pictures are RGB, [batch, height, width, 3]",
        "multiple": networks.spec.multiple,
        "models": {
            model.name: {
                "does": model.does,
                "files": [name for name in files if Path(name).stem == model.name],
            }
            | {
                side: [
                    {"name": t.name, "shape": list(t.shape), "holds": t.holds}
                    for t in tensors
                ]
                for side, tensors in (
                    ("inputs", model.inputs),
                    ("outputs", model.outputs),
                )
            }
            for model in models
        },
        "weights": [
            {
                "name": network.metadata.name,
                "licence": network.metadata.licence,
                "source": network.metadata.source,
                "sha256": network.sha256,
            }
            for network in networks.files
        ],
        "sha256": {
            name: hashlib.sha256(data).hexdigest() for name, data in files.items()
        },
    }
