"""The published form of a checkpoint, and bad ones."""

import torch

from phonoscope.server.engines.kokoro.weights import load_network


def saved(parts, tmp_path):
    path = tmp_path / "kokoro-v1_0.pth"
    torch.save(parts, path)
    return path


def test_a_checkpoint_has_the_networks_parameters(checkpoint, network, shape, tmp_path):
    loaded = load_network(saved(checkpoint, tmp_path), None, shape).state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor, rtol=1e-5, atol=1e-6)


def test_the_newer_names_of_weight_normalisation_are_read(checkpoint, network, shape, tmp_path):
    ends = {"_g": "s.weight.original0", "_v": "s.weight.original1"}
    parts = {
        part: {
            (
                name[: -len("weight_g")] + "parametrization" + ends[name[-2:]] if name.endswith(tuple(ends)) else name
            ): one
            for name, one in held.items()
        }
        for part, held in checkpoint.items()
    }
    loaded = load_network(saved(parts, tmp_path), None, shape).state_dict()
    torch.testing.assert_close(loaded["decoder.encode.conv1.weight"], network.decoder.encode.conv1.weight)


def test_identical_norms_are_passed_over(checkpoint, shape, tmp_path):
    norms = {"module.encode.norm1.norm.weight": torch.ones(18), "module.encode.norm1.norm.bias": torch.zeros(18)}
    load_network(saved(checkpoint | {"decoder": checkpoint["decoder"] | norms}, tmp_path), None, shape)


def test_a_norm_that_does_something_is_refused(checkpoint, shape, tmp_path, refused):
    norms = {"module.encode.norm1.norm.weight": torch.full((18,), 2.0)}
    path = saved(checkpoint | {"decoder": checkpoint["decoder"] | norms}, tmp_path)
    assert "norm1.norm.weight" in refused(lambda: load_network(path, None, shape), path)


def test_a_checkpoint_without_a_part_is_refused(checkpoint, shape, tmp_path, refused):
    path = saved({part: held for part, held in checkpoint.items() if part != "predictor"}, tmp_path)
    assert "lacks predictor" in refused(lambda: load_network(path, None, shape), path)


def test_a_checkpoint_of_another_shape_is_refused(checkpoint, shape, tmp_path, refused):
    bert = checkpoint["bert_encoder"] | {"module.bias": torch.zeros(3)}
    path = saved(checkpoint | {"bert_encoder": bert}, tmp_path)
    assert "size mismatch" in refused(lambda: load_network(path, None, shape), path)


def test_a_checkpoint_that_is_not_finite_is_refused(checkpoint, shape, tmp_path, refused):
    bert = checkpoint["bert_encoder"] | {"module.bias": torch.full((16,), torch.inf)}
    path = saved(checkpoint | {"bert_encoder": bert}, tmp_path)
    assert "bert_encoder.bias is not finite" in refused(lambda: load_network(path, None, shape), path)


def test_a_truncated_checkpoint_is_refused(checkpoint, shape, tmp_path, refused):
    path = saved(checkpoint, tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    assert "truncated" in refused(lambda: load_network(path, None, shape), path)


def test_a_foreign_file_is_refused(shape, tmp_path, refused):
    path = tmp_path / "kokoro-v1_0.pth"
    path.write_text("no checkpoint")
    refused(lambda: load_network(path, None, shape), path)


def test_a_tensor_is_refused(shape, tmp_path, refused):
    path = saved(torch.zeros(3), tmp_path)
    assert "not a checkpoint of Kokoro" in refused(lambda: load_network(path, None, shape), path)


def test_finite_numbers_whose_sum_is_not_are_accepted(checkpoint, shape, tmp_path):
    bert = checkpoint["bert_encoder"] | {"module.bias": torch.full((16,), 3e38)}
    load_network(saved(checkpoint | {"bert_encoder": bert}, tmp_path), None, shape)
