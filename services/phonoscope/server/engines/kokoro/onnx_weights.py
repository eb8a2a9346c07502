"""Reads Kokoro's parameters from the ONNX exports of kokoro-onnx: float, or 8-bit, dequantised.

Called by `weights.py`. The file holds an inference graph, not a checkpoint:

- biases, embeddings and scales of normalisations kept their names, behind the exporter's wrappers "encoder." and
  "decoder.decoder.";
- weights of convolutions, matrices and LSTMs lost theirs: the scope of the node that uses them tells the module
  ("/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant"). A method that the exporter called from outside lacks its module
  in the scope ("/encoder/F0.0/conv1/Conv_quant" is predictor.F0.0.conv1);
- 8-bit tensors have a scale under their own name; equal zero points are stored once, under the name of any of them.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from phonoscope.common.errors import VoiceFileError

Array = NDArray[np.float32]

_QUANTISED: Final = "_quantized"
_SCALE: Final = "_scale"
_WRAPPERS: Final = (("decoder.decoder.", "decoder."), ("encoder.", ""))
# Modules that the exporter called through the predictor's methods.
_INSIDE: Final = "predictor."
# ONNX has the gates of an LSTM as input, output, forget, cell; torch as input, forget, cell, output.
_GATES: Final = (0, 2, 3, 1)


def read_onnx(content: bytes, path: Path, expected: Collection[str]) -> dict[str, Array]:
    """Returns the parameters of an export by the names of the published checkpoint, those of `expected` only.

    Raises:
        VoiceFileError: it is not ONNX, or its tensors are not those of an export of Kokoro.
    """
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise VoiceFileError(f"{path}: is not an ONNX file, or is truncated; download it again ({error})") from error
    if not model.graph.node:
        raise VoiceFileError(f"{path}: is empty, truncated or not an ONNX file; download it again")
    try:
        return _Export(model.graph).parameters(frozenset(expected))
    except (LookupError, ValueError, TypeError) as error:
        raise VoiceFileError(f"{path}: is ONNX but not an export of Kokoro ({error}); download it again") from error


class _Export:
    """The tensors and nodes of one graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes = graph.node
        self._zero_points = {node.input[0]: node.input[2] for node in graph.node if node.op_type == "DequantizeLinear"}

    def parameters(self, expected: frozenset[str]) -> dict[str, Array]:
        named = {_unwrapped(name): self._array(name) for name in self._stored if _unwrapped(name) in expected}
        for node in self._nodes:
            if module := _module(node, expected):
                named |= {f"{module}.{name}": array for name, array in self._of_node(node)}
        return {name: array for name, array in named.items() if name in expected}

    def _of_node(self, node: onnx.NodeProto) -> Iterator[tuple[str, Array]]:
        """Yields the parameters that a node reads, by their names within its module."""
        match node.op_type:
            case "ConvInteger" | "Conv" | "ConvTranspose":
                yield "weight", self._weight(node.input[1], _input(node, 3))
            case "MatMulInteger" | "MatMul":
                if node.input[1] in self._stored:
                    yield "weight", self._weight(node.input[1], _input(node, 3)).T
            case "Gather" if node.input[0] in self._stored:
                yield "weight", self._weight(node.input[0], self._zero_points.get(node.output[0], ""))
            case "DynamicQuantizeLSTM":
                yield from _lstm(*self._quantised_lstm(node), self._array(node.input[3]))
            case "LSTM":
                yield from _lstm(*(self._array(node.input[index]) for index in (1, 2, 3)))

    def _quantised_lstm(self, node: onnx.NodeProto) -> tuple[Array, Array]:
        """Returns the weights of inputs and of states as the float operator has them, (2, 4 x hidden, inputs)."""
        # Inputs 8 to 11: scale and zero point of the inputs' weights, then of the states'.
        inputs = self._dequantised(node.input[1], node.input[8], node.input[9])
        states = self._dequantised(node.input[2], node.input[10], node.input[11])
        return inputs.transpose(0, 2, 1), states.transpose(0, 2, 1)

    def _weight(self, name: str, zero_point: str) -> Array:
        if not name.endswith(_QUANTISED):
            return self._array(name)
        return self._dequantised(name, name.removesuffix(_QUANTISED) + _SCALE, zero_point)

    def _dequantised(self, name: str, scale: str, zero_point: str) -> Array:
        values, scales = self._array(name), self._array(scale)
        zeros = self._array(zero_point) if zero_point else np.zeros_like(scales)
        if values.ndim == 3 and scales.ndim:  # noqa: PLR2004  an LSTM: one for each direction, or for its columns too
            scales, zeros = (one.reshape(one.shape[0], 1, -1) for one in (scales, zeros))
        values -= zeros  # in place: the array is a copy of the stored bytes
        values *= scales
        return values

    def _array(self, name: str) -> Array:
        tensor = self._stored[name]
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError(f"the weights of {name} are in another file, which is not supported")
        return np.array(numpy_helper.to_array(tensor), dtype=np.float32)


def _input(node: onnx.NodeProto, index: int) -> str:
    return node.input[index] if len(node.input) > index else ""


def _unwrapped(name: str) -> str:
    """Returns a name without the exporter's wrappers."""
    for wrapper, inside in _WRAPPERS:
        if name.startswith(wrapper):
            return inside + name.removeprefix(wrapper)
    return name


def _module(node: onnx.NodeProto, expected: Collection[str]) -> str:
    """Returns the module that a node belongs to, as its scope tells; "" where it has no expected parameters."""
    parts: list[str] = []
    for part in node.name.strip("/").split("/")[:-1]:
        if parts and part.startswith(parts[-1] + "."):  # an item of a sequence repeats the sequence's name
            parts.pop()
        parts.append(part)
    scope = _unwrapped(".".join(parts))
    for module in (scope, _INSIDE + scope):
        if f"{module}.weight" in expected or f"{module}.weight_ih_l0" in expected:
            return module
    return ""


def _lstm(inputs: Array, states: Array, biases: Array) -> Iterator[tuple[str, Array]]:
    """Yields an LSTM's parameters as torch names and orders them; (2, 4 x hidden, …), and biases (2, 8 x hidden)."""
    hidden = states.shape[2]
    for direction, suffix in enumerate(("", "_reverse")):
        yield f"weight_ih_l0{suffix}", _reordered(inputs[direction], hidden)
        yield f"weight_hh_l0{suffix}", _reordered(states[direction], hidden)
        of_inputs, of_states = np.split(biases[direction], 2)
        yield f"bias_ih_l0{suffix}", _reordered(of_inputs, hidden)
        yield f"bias_hh_l0{suffix}", _reordered(of_states, hidden)


def _reordered(array: Array, hidden: int) -> Array:
    gates = array.reshape(len(_GATES), hidden, *array.shape[1:])
    return gates[list(_GATES)].reshape(array.shape)
