"""A network in another precision: the same sound, and what stays in float32."""

import pytest
import torch

from phonoscope.server.engines.kokoro.precision import in_precision


def spoken(network, given):
    with torch.inference_mode():
        return network.whole(network.decode([given])[0])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.2)])
def test_it_makes_the_same_sound(network, plan, dtype, tolerance):
    quick = in_precision(network, dtype)
    [(_, given)] = plan(10)
    wanted, made = spoken(network, given), spoken(quick, given)
    assert made.dtype == torch.float32
    assert float((made - wanted).square().mean().sqrt()) <= tolerance * float(wanted.square().mean().sqrt())


def test_rhythm_and_pitch_are_computed_by_the_same_layers(network):
    quick = in_precision(network, torch.bfloat16)
    assert quick.predictor is network.predictor
    assert quick.bert is network.bert
    assert quick.text_encoder is network.text_encoder
    assert quick.decoder.generator.m_source.l_linear.weight.dtype == torch.float32
    assert quick.decoder.generator.conv_post.weight.dtype == torch.float32


def test_the_original_stays_as_it_was(network):
    in_precision(network, torch.bfloat16)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert network.decoder.generator.dtype == torch.float32
