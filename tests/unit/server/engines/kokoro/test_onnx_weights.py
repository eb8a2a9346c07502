"""Parameters out of an inference graph: by scope, in torch's order of gates, dequantised."""

import importlib.util
from pathlib import Path

import onnx
import pytest
import torch

from phonoscope.server.engines.kokoro.weights import load_network


@pytest.fixture(scope="module")
def export():
    """The maker of exports next to this file, which pytest's importlib mode keeps off sys.path."""
    spec = importlib.util.spec_from_file_location("onnx_export", Path(__file__).with_name("onnx_export.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.export


def test_a_float_export_has_the_networks_parameters(network, shape, export, tmp_path):
    path = tmp_path / "kokoro.onnx"
    export(network, path, is_quantised=False)
    loaded = load_network(path, None, shape).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


def test_an_8_bit_export_has_them_within_half_a_step(network, shape, export, tmp_path):
    path = tmp_path / "kokoro.onnx"
    export(network, path, is_quantised=True)
    loaded = load_network(path, None, shape).state_dict()
    for name, tensor in network.state_dict().items():
        step = tensor.abs().max() / 127
        assert (loaded[name] - tensor).abs().max() <= step / 2 * 1.001, name


def test_a_graph_without_a_tensor_is_refused(network, shape, export, tmp_path, refused):
    path = tmp_path / "kokoro.onnx"
    export(network, path, is_quantised=False)
    model = onnx.load(path)
    [bias] = [one for one in model.graph.initializer if one.name == "encoder.bert_encoder.bias"]
    model.graph.initializer.remove(bias)
    path.write_bytes(model.SerializeToString())
    assert "bert_encoder.bias" in refused(lambda: load_network(path, None, shape), path)


def test_a_scale_that_is_missing_is_refused(network, shape, export, tmp_path, refused):
    path = tmp_path / "kokoro.onnx"
    export(network, path, is_quantised=True)
    model = onnx.load(path)
    [scale] = [one for one in model.graph.initializer if one.name == "onnx::bert_encoder_scale"]
    model.graph.initializer.remove(scale)
    path.write_bytes(model.SerializeToString())
    assert "not an export of Kokoro" in refused(lambda: load_network(path, None, shape), path)


@pytest.mark.parametrize("content", [b"x", b"\x08\x07", b"\xff" * 100])
def test_what_is_not_onnx_is_refused(content, shape, tmp_path, refused):
    path = tmp_path / "kokoro.onnx"
    path.write_bytes(content)
    assert "ONNX" in refused(lambda: load_network(path, None, shape), path)


def test_a_truncated_export_is_refused(network, shape, export, tmp_path, refused):
    path = tmp_path / "kokoro.onnx"
    export(network, path, is_quantised=False)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(lambda: load_network(path, None, shape), path)


def test_a_piper_voice_is_refused(choir_like, shape, refused):
    assert "not a complete checkpoint" in refused(lambda: load_network(choir_like, None, shape), choir_like)


@pytest.fixture
def choir_like(tmp_path):
    """An ONNX file of another network."""
    path = tmp_path / "kokoro.onnx"
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="/dec/Relu")
    tensor = onnx.numpy_helper.from_array(torch.zeros(3).numpy(), "dec.conv_pre.bias")
    path.write_bytes(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], [tensor])).SerializeToString())
    return path
