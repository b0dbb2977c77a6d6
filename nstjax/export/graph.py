"""A small builder of ONNX graphs, with one call for each operation."""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from nstjax.errors import NstjaxError

# Supported by all runtimes since 2023.
_OPSET = 18
_IR_VERSION = 8


def need(package: str) -> ModuleType:
    """A package of the extra ``[export]``.

    Raises:
        NstjaxError: if it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise NstjaxError(
            f"exported files need the package {package}, which is not installed; "
            'pip install "nstjax[export]"'
        ) from error


class Graph:
    """An ONNX graph that is built operation by operation.

    Values are identified by name. Sizes that are strings are free, and equal if they
    have the same name.

    Args:
        name: the graph's name.

    Raises:
        NstjaxError: if the package onnx is not installed.
    """

    def __init__(self, name: str) -> None:
        self._onnx = need("onnx")
        self._name = name
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Declares a float32 input."""
        self._inputs.append(self._describe(name, shape))
        return name

    def output(self, name: str, value: str, shape: Sequence[int | str]) -> None:
        """Declares a value as a float32 output of a name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._describe(name, shape))

    def constant(self, value: Any) -> str:
        """Adds an array; float32 arrays are stored as float16 if that is lossless."""
        array = np.asarray(value)
        half = array.astype(np.float16) if array.dtype == np.float32 else array
        if array.size > 1 and half.dtype != array.dtype and (half == array).all():
            return self.add("Cast", self._keep(half), to=self._onnx.TensorProto.FLOAT)
        return self._keep(array)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operation with one output; returns the output's name."""
        name = self._new_name(operator)
        node = self._onnx.helper.make_node(operator, inputs, [name], **attributes)
        self._nodes.append(node)
        return name

    def model(self) -> bytes:
        """The graph as an ONNX file, checked by onnx."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(
            graph,
            opset_imports=[opset],
            ir_version=_IR_VERSION,
            producer_name="nstjax",
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()

    def _keep(self, array: np.ndarray) -> str:
        name = self._new_name("constant")
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _new_name(self, kind: str) -> str:
        return f"{kind}_{len(self._nodes) + len(self._constants)}"

    def _describe(self, name: str, shape: Sequence[int | str]) -> Any:
        kind = self._onnx.TensorProto.FLOAT
        return self._onnx.helper.make_tensor_value_info(name, kind, shape)
