"""Small networks of every kind that can be exported."""

import numpy as np
import pytest

from nstjax.io.weights import WeightsMetadata, save_weights
from nstjax.models import decoders, painter, vgg

# Of a painter, an encoder and its decoder, small ones.
PAINTER = painter.PainterSpec(((4, 6), (8,), (10,)), ((9,), (8,), (6,)), 5)
WIDTHS = (4, 4, 6, 6, 8, 8, 8, 8, 12)


def draw(shapes, *, seed):
    """Weights of a tree of shapes, none of them zero."""
    rng = np.random.default_rng(seed)

    def fill(node):
        if isinstance(node, dict):
            return {name: fill(inner) for name, inner in node.items()}
        deviation = np.sqrt(2 / np.prod(node[:-1])) if len(node) > 1 else 0.1
        return rng.normal(0, deviation, node).astype(np.float32)

    return fill(shapes)


def save(folder, name, kind, params, spec, **notes):
    path = folder / f"{name}.safetensors"
    metadata = WeightsMetadata(kind, name, spec.to_dict(), "here", "CC0", notes=notes)
    save_weights(path, params, metadata)
    return str(path)


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """Files of each kind of network: an encoder or "", and a decoder."""
    folder = tmp_path_factory.mktemp("networks")
    params = draw(painter.param_shapes(PAINTER), seed=0)
    found = {"painter": ("", save(folder, "own", "painter", params, PAINTER))}
    for name, variant, ddof in (
        ("reflect", ("reflect", "max", "ceil", "imagenet"), 0),
        ("zero", ("zero", "average", "floor", "learned"), 1),
    ):
        encoder = vgg.VGGSpec(WIDTHS, *variant)
        decoder = decoders.DecoderSpec.mirror(
            "relu4_1",
            WIDTHS,
            last_linear=name == "reflect",
            output_map="imagenet" if name == "zero" else "unit",
        )
        params = draw(vgg.param_shapes(encoder), seed=1)
        seen = save(folder, f"seen-{name}", "vgg19", params, encoder)
        params = draw(decoders.param_shapes(decoder), seed=2)
        params["conv1_1"]["kernel"] *= 0.1
        params["conv1_1"]["bias"] += 0.5  # grey, so that nothing is cut off
        made = save(folder, f"made-{name}", "decoder", params, decoder, ddof=ddof)
        found[name] = (seen, made)
    return found
