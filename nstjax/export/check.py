"""Checks that ONNX files compute the same as their functions in JAX."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from nstjax.errors import NstjaxError
from nstjax.export.graph import need
from nstjax.export.models import Model

# The largest allowed difference, divided by the array's largest number if that is above
# 1: pictures are in [0, 1], features of the original VGG-19 reach thousands.
TOLERANCE = 1e-4
_UNOPTIMISED = {"xla_backend_optimization_level": 0}
# Height and width of the test pictures: odd, and not multiples of 8.
_CONTENT, _STYLE = (75, 53), (64, 96)


def check_models(
    models: Sequence[Model], files: Mapping[str, bytes]
) -> dict[str, float]:
    """Runs files in onnxruntime, and their functions in JAX, on the same random arrays.

    Args:
        models: from `nstjax.export.models.make_models`.
        files: the bytes of each model's ONNX file, by its name.

    Returns:
        The largest difference in any output, by name, divided by the output's largest
        number if that is above 1.

    Raises:
        NstjaxError: if one exceeds `TOLERANCE`, or onnxruntime is not installed.
    """
    runtime = need("onnxruntime")
    known = {
        "content": _picture(*_CONTENT, seed=0),
        "style": _picture(*_STYLE, seed=1),
        "alpha": np.array([0.7], np.float32),
    }
    found = {}
    # The outputs of encoders are the inputs of decoders.
    for model in sorted(models, key=lambda model: len(model.inputs)):
        arrays = [known[tensor.name] for tensor in model.inputs]
        # Compiled as a whole, since it runs only once.
        function = jax.jit(model.function, compiler_options=_UNOPTIMISED)
        expected = [np.asarray(x) for x in function(*arrays)]
        names = [tensor.name for tensor in model.outputs]
        known |= dict(zip(names, expected, strict=True))
        session = runtime.InferenceSession(
            files[model.name], providers=["CPUExecutionProvider"]
        )
        inputs = {tensor.name: known[tensor.name] for tensor in model.inputs}
        pairs = zip(expected, session.run(names, inputs), strict=True)
        found[model.name] = max(_difference(a, b) for a, b in pairs)
        if not found[model.name] <= TOLERANCE:
            raise NstjaxError(
                f"{model.name} in onnxruntime differs from JAX by "
                f"{found[model.name]:.1g}, more than {TOLERANCE:g}; try another "
                "version of onnx or "
                "onnxruntime"
            )
    return found


def _difference(expected: np.ndarray, found: np.ndarray) -> float:
    return float(np.abs(expected - found).max() / max(1.0, np.abs(expected).max()))


def _picture(height: int, width: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((1, height, width, 3), np.float32)
