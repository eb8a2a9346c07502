"""Writes a network as kokoro-onnx's exports have it: scopes instead of names, float or 8-bit."""

import numpy as np
from onnx import helper, numpy_helper
from torch import nn

GATES = [0, 3, 1, 2]  # of torch (input, forget, cell, output) in the order of ONNX (input, output, forget, cell)


class Export:
    """A graph under construction."""

    def __init__(self, *, is_quantised):
        self.is_quantised = is_quantised
        self.nodes, self.tensors = [], []

    def hold(self, name, array):
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name, array, axis=None):
        """Holds a weight, quantised for each slice of an axis; returns its name, its scale's and its zero point's."""
        if not self.is_quantised:
            return self.hold(name, array), "", ""
        others = None if axis is None else tuple(i for i in range(array.ndim) if i != axis)
        scale = np.maximum(np.abs(array).max(axis=others, keepdims=True) / 127, 1e-9).astype(np.float32)
        values = np.round(array / scale).astype(np.int8)
        scale = scale.reshape(()) if axis is None else scale.ravel()
        zero = np.zeros(scale.shape, np.int8)
        self.hold(f"{name}_quantized", values)
        return f"{name}_quantized", self.hold(f"{name}_scale", scale), self.hold(f"{name}_zero_point", zero)

    def node(self, kind, scope, inputs):
        self.nodes.append(helper.make_node(kind, inputs, [f"{scope}_output"], name=scope))


def scope_of(name):
    """Returns the exporter's scope of a module: a sequence's items repeat its name, methods lack the predictor."""
    for lost in ("F0.", "N.", "F0_proj", "N_proj", "shared"):
        name = name.replace(f"predictor.{lost}", lost)
    parts = []
    for part in name.split("."):
        if part.isdigit() and parts[-1][-1].isdigit():
            parts.append(f"{parts[-1]}.{part}")
        elif part.isdigit():
            parts[-1] += f".{part}"
        else:
            parts.append(part)
    wrapper = "/decoder/decoder" if parts[0] == "decoder" else "/encoder/" + parts[0]
    return "/".join([wrapper, *parts[1:]])


def wrapped(name):
    return f"decoder.{name}" if name.startswith("decoder.") else f"encoder.{name}"


def export(network, path, *, is_quantised):
    """Writes a network's parameters to an ONNX file."""
    graph = Export(is_quantised=is_quantised)
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    for name, module in network.named_modules():
        _export_module(graph, name, module, state)
    weights = {f"{name}.weight" for name, module in network.named_modules() if not isinstance(module, nn.LayerNorm)}
    for name, array in state.items():
        if name not in weights and ".weight_" not in name and ".bias_" not in name:
            graph.hold(wrapped(name), array)
    made = helper.make_graph(graph.nodes, "kokoro", [], [], graph.tensors)
    path.write_bytes(helper.make_model(made).SerializeToString())


def _export_module(graph, name, module, state):
    scope, kept = scope_of(name), f"onnx::{name}"
    quantised = "_quant" if graph.is_quantised else ""
    match module:
        case nn.Conv2d():
            weight, _, zero = graph.weight(kept, state[f"{name}.weight"].squeeze(2))
            kind = "ConvInteger" if graph.is_quantised else "Conv"
            graph.node(kind, f"{scope}/Conv{quantised}", ["x", weight, "x_zero", zero] if zero else ["x", weight])
        case nn.ConvTranspose2d():
            weight = graph.hold(kept, state[f"{name}.weight"].squeeze(2))
            graph.node("ConvTranspose", f"{scope}/ConvTranspose", ["x", weight])
        case nn.Linear():
            weight, _, zero = graph.weight(kept, state[f"{name}.weight"].T, axis=1)
            kind = "MatMulInteger" if graph.is_quantised else "MatMul"
            graph.node(kind, f"{scope}/MatMul{quantised}", ["x", weight, "x_zero", zero] if zero else ["x", weight])
        case nn.Embedding():
            weight, scale, zero = graph.weight(kept, state[f"{name}.weight"])
            graph.node("Gather", f"{scope}/Gather{quantised}", [weight, "ids"])
            if zero:
                graph.node(
                    "DequantizeLinear", f"{scope}/Gather_Dequantize", [f"{scope}/Gather_quant_output", scale, zero]
                )
        case nn.LSTM():
            _export_lstm(graph, name, scope, state)


def _export_lstm(graph, name, scope, state):
    def both(kind):
        return np.stack([_gates(state[f"{name}.{kind}_l0{suffix}"]) for suffix in ("", "_reverse")])

    inputs, states = both("weight_ih"), both("weight_hh")
    biases = graph.hold(f"{scope}_B", np.concatenate([both("bias_ih"), both("bias_hh")], axis=1))
    if not graph.is_quantised:
        weights = [graph.hold(f"{scope}_W", inputs), graph.hold(f"{scope}_R", states)]
        graph.node("LSTM", f"{scope}/LSTM", ["x", *weights, biases])
        return
    first = graph.weight(f"{scope}_W", inputs.transpose(0, 2, 1), axis=0)
    second = graph.weight(f"{scope}_R", states.transpose(0, 2, 1), axis=0)
    graph.node(
        "DynamicQuantizeLSTM",
        f"{scope}/LSTM_quant",
        ["x", first[0], second[0], biases, *[""] * 4, *first[1:], *second[1:]],
    )


def _gates(array):
    hidden = array.shape[0] // 4
    return array.reshape(4, hidden, *array.shape[1:])[GATES].reshape(array.shape)
