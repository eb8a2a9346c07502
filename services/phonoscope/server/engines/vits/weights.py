"""Reads a network's shape and parameters from a Piper `.onnx` file. Called by `loading.py`.

The file holds an inference graph, not a checkpoint. Three things need care:

- convolutions that were weight-normalised in training lost their weight's name ("onnx::Conv_8168"): the bias keeps
  it, or without a bias, the node's scope ("/flow/flows.6/enc/in_layers.0/Conv") does;
- a parameter may have the name of a graph input (a voice of one speaker stores its phoneme embedding as "sid"):
  embeddings are found by the scope of the Gather node that reads them;
- the last affine layer of the durations' flow may be stored as -logs or exp(-logs), folded by the exporter.

Strides, dilations and paddings are attributes of the convolution nodes, so the whole shape is read from the file, not
looked up by quality.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.vits.config import (
    ConvShape,
    DurationShape,
    FlowShape,
    GeneratorShape,
    TextEncoderShape,
    VitsShape,
)
from phonoscope.server.engines.voice_files import read_voice_file

CONV_OPERATORS = ("Conv", "ConvTranspose")
PARAMETER_PREFIXES = ("enc_p.", "dp.", "flow.", "dec.", "emb_g.")


@dataclass(frozen=True, slots=True)
class VoiceWeights:
    """A network's shape and its parameters, by the names that `model.Vits` gives them."""

    shape: VitsShape
    parameters: Mapping[str, torch.Tensor]


def read_weights(onnx_path: Path) -> VoiceWeights:
    """Reads a Piper voice's network.

    Raises:
        VoiceFileError: the file is missing, truncated, not ONNX, or not a Piper voice.
    """
    graph = _read_graph(onnx_path)
    try:
        parameters, convs = _collect(graph)
        shape = _shape(parameters, convs)
    except (LookupError, ValueError, TypeError, ZeroDivisionError) as error:
        raise VoiceFileError(
            f"{onnx_path}: is ONNX but not a Piper voice (missing or invalid: {error}); download it again or remove it"
        ) from error
    tensors = {
        name: torch.from_numpy(array.astype(np.float32))
        for name, array in parameters.items()
        if name.startswith(PARAMETER_PREFIXES)
    }
    if broken := [name for name, tensor in tensors.items() if not tensor.numel() or not tensor.isfinite().all()]:
        raise VoiceFileError(f"{onnx_path}: is corrupt: {broken[0]} is empty or not finite; download it again")
    return VoiceWeights(shape, tensors)


def _read_graph(path: Path) -> onnx.GraphProto:
    content = read_voice_file(path)
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise VoiceFileError(
            f"{path}: is not an ONNX file, or is truncated; download it again or remove it ({error})"
        ) from error
    if not model.graph.node:
        raise VoiceFileError(f"{path}: is empty, truncated or not an ONNX file; download it again")
    return model.graph


def _collect(graph: onnx.GraphProto) -> tuple[dict[str, NDArray[np.float32]], dict[str, ConvShape]]:
    """Returns every parameter by its true name, and every convolution's shape by its module's name."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    arrays = {
        name: _array(tensor)
        for name, tensor in stored.items()
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }
    convs: dict[str, ConvShape] = {}
    for node in graph.node:
        if node.op_type in CONV_OPERATORS and node.input[1] in arrays:
            module = _conv_module(node, arrays)
            arrays[f"{module}.weight"] = arrays[node.input[1]]
            convs[module] = _conv_shape(node, arrays)
        elif node.op_type == "Gather" and node.input[0] in arrays and (module := _scope(node)):
            arrays.setdefault(f"{module}.weight", arrays[node.input[0]])
        elif node.op_type in ("Exp", "Mul") and _scope(node) == "dp.flows.0":
            _recover_log_scale(node, arrays)
    return arrays, convs


def _array(tensor: onnx.TensorProto) -> NDArray[np.float32]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(f"the weights of {tensor.name} are in another file, which is not supported")
    return np.asarray(numpy_helper.to_array(tensor), dtype=np.float32)


def _scope(node: onnx.NodeProto) -> str:
    """Returns the module that a node came from: "/dec/ups.0/ConvTranspose" gives "dec.ups.0"."""
    return node.name.rpartition("/")[0].strip("/").replace("/", ".")


def _conv_module(node: onnx.NodeProto, arrays: Mapping[str, object]) -> str:
    """Returns the name of a convolution's module: from its bias, else from its weight, else from its scope."""
    if len(node.input) > 2 and node.input[2].endswith(".bias") and node.input[2] in arrays:  # noqa: PLR2004  w, b
        return node.input[2].removesuffix(".bias")
    if node.input[1].endswith(".weight"):
        return node.input[1].removesuffix(".weight")
    return _scope(node)


def _conv_shape(node: onnx.NodeProto, arrays: Mapping[str, NDArray[np.float32]]) -> ConvShape:
    attributes = {a.name: list(a.ints) or [a.i] for a in node.attribute}
    weight = arrays[node.input[1]]
    groups = attributes.get("group", [1])[0]
    transposed = node.op_type == "ConvTranspose"
    return ConvShape(
        in_channels=weight.shape[0] if transposed else weight.shape[1] * groups,
        out_channels=weight.shape[1] * groups if transposed else weight.shape[0],
        kernel_size=weight.shape[2],
        stride=attributes.get("strides", [1])[0],
        dilation=attributes.get("dilations", [1])[0],
        padding=attributes.get("pads", [0])[0],
        bias=len(node.input) > 2,  # noqa: PLR2004  x, weight, bias
    )


def _recover_log_scale(node: onnx.NodeProto, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Restores dp.flows.0.logs if the exporter folded -logs or exp(-logs) into a constant."""
    for name in node.input:
        if name in arrays and "dp.flows.0.logs" not in arrays:
            arrays["dp.flows.0.logs"] = -(arrays[name] if node.op_type == "Exp" else np.log(arrays[name]))


def _shape(parameters: Mapping[str, NDArray[np.float32]], convs: Mapping[str, ConvShape]) -> VitsShape:
    speakers = parameters.get("emb_g.weight")
    for name, conv in convs.items():
        _check_length(name, conv)
    return VitsShape(
        text_encoder=_text_encoder_shape(parameters, convs),
        duration=_duration_shape(convs),
        flow=_flow_shape(convs),
        generator=_generator_shape(convs),
        speakers=1 if speakers is None else speakers.shape[0],
        speaker_channels=0 if speakers is None else speakers.shape[1],
    )


def _text_encoder_shape(
    parameters: Mapping[str, NDArray[np.float32]], convs: Mapping[str, ConvShape]
) -> TextEncoderShape:
    embedding = parameters["enc_p.emb.weight"]
    distances, head_channels = parameters["enc_p.encoder.attn_layers.0.emb_rel_k"].shape[1:]
    feed_forward = convs["enc_p.encoder.ffn_layers.0.conv_1"]
    return TextEncoderShape(
        symbols=embedding.shape[0],
        hidden_channels=embedding.shape[1],
        filter_channels=feed_forward.out_channels,
        kernel_size=feed_forward.kernel_size,
        heads=embedding.shape[1] // head_channels,
        layers=len(_numbers(convs, r"enc_p\.encoder\.ffn_layers\.(\d+)\.conv_1")),
        window=(distances - 1) // 2,
        latent_channels=convs["enc_p.proj"].out_channels // 2,
    )


def _duration_shape(convs: Mapping[str, ConvShape]) -> DurationShape:
    if "dp.conv_1" in convs:
        raise ValueError("the deterministic duration predictor is not supported")
    numbers = _numbers(convs, r"dp\.flows\.(\d+)\.pre")
    return DurationShape(
        hidden_channels=convs["dp.pre"].in_channels,
        filter_channels=convs["dp.pre"].out_channels,
        kernel_size=convs["dp.convs.convs_sep.0"].kernel_size,
        layers=len(_numbers(convs, r"dp\.convs\.convs_sep\.(\d+)")),
        flow_numbers=numbers,
        bins=(convs[f"dp.flows.{numbers[0]}.proj"].out_channels + 1) // 3,
    )


def _flow_shape(convs: Mapping[str, ConvShape]) -> FlowShape:
    numbers = _numbers(convs, r"flow\.flows\.(\d+)\.pre")
    first = f"flow.flows.{numbers[0]}"
    layers = [convs[f"{first}.enc.in_layers.{i}"] for i in _numbers(convs, rf"{first}\.enc\.in_layers\.(\d+)")]
    return FlowShape(
        latent_channels=2 * convs[f"{first}.pre"].in_channels,
        hidden_channels=convs[f"{first}.pre"].out_channels,
        flow_numbers=numbers,
        kernel_size=layers[0].kernel_size,
        dilations=tuple(layer.dilation for layer in layers),
    )


def _generator_shape(convs: Mapping[str, ConvShape]) -> GeneratorShape:
    ups = tuple(convs[f"dec.ups.{i}"] for i in _numbers(convs, r"dec\.ups\.(\d+)"))
    blocks = [tuple(_block_layers(convs, i)) for i in _numbers(convs, r"dec\.resblocks\.(\d+)\..*")]
    per_stage = len(blocks) // len(ups)
    return GeneratorShape(
        conv_pre=convs["dec.conv_pre"],
        ups=ups,
        blocks=tuple(tuple(blocks[i * per_stage : (i + 1) * per_stage]) for i in range(len(ups))),
        conv_post=convs["dec.conv_post"],
    )


def _check_length(name: str, conv: ConvShape) -> None:
    """Raises ValueError unless the convolution makes `stride` positions from each; feed-forward ones pad outside."""
    span = conv.kernel_size - conv.stride if name.startswith("dec.ups.") else (conv.kernel_size - 1) * conv.dilation
    padding = span if ".ffn_layers." in name else 2 * conv.padding
    if min(conv.stride, conv.dilation) < 1 or padding != span:
        raise ValueError(f"{name} has strides, dilations or padding that VITS does not use")


def _block_layers(convs: Mapping[str, ConvShape], number: int) -> Iterator[tuple[ConvShape, ...]]:
    block = f"dec.resblocks.{number}"
    if f"{block}.convs.0" in convs:
        for i in _numbers(convs, rf"{block}\.convs\.(\d+)"):
            yield (convs[f"{block}.convs.{i}"],)
    else:
        for i in _numbers(convs, rf"{block}\.convs1\.(\d+)"):
            yield convs[f"{block}.convs1.{i}"], convs[f"{block}.convs2.{i}"]


def _numbers(convs: Mapping[str, ConvShape], pattern: str) -> tuple[int, ...]:
    """Returns the numbers that the pattern's one group matches in module names, ascending."""
    found = {int(match[1]) for name in convs if (match := re.fullmatch(pattern, name))}
    if not found:
        raise KeyError(pattern.replace("\\", ""))
    return tuple(sorted(found))
