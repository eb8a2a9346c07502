"""Packed convolutions equal the plain ones that they stand for."""

import pytest
import torch
from torch import nn

from phonoscope.server.engines.matrix_products import MatrixProduct, UpsamplingProduct
from phonoscope.server.engines.onednn import PackedConv, PackedProduct, can_pack, can_pack_bfloat16
from phonoscope.server.engines.vits import packing
from phonoscope.server.engines.vits.config import ConvShape
from phonoscope.server.engines.vits.convolutions import Depthwise, conv, same_conv
from phonoscope.server.engines.vits.packing import FEWEST_CHANNELS_AS_PRODUCT, pack
from phonoscope.server.engines.vits.winograd import WinogradConv

no_bfloat16 = pytest.mark.skipif(not can_pack_bfloat16(), reason="oneDNN has no bfloat16 on this CPU")
pytestmark = [
    pytest.mark.skipif(not can_pack(), reason="this torch was built without oneDNN"),
    pytest.mark.parametrize(
        ("dtype", "tolerance"),
        [
            pytest.param(torch.float32, 1e-5, id="float32"),
            pytest.param(torch.bfloat16, 0.02, id="bfloat16", marks=no_bfloat16),
        ],
    ),
]


def randomise(layer):
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.1, generator=source)
    return layer.requires_grad_(requires_grad=False)


def packed(layer, dtype, length):
    network = nn.ModuleDict({"layer": layer})
    pack(network, dtype, length=length)
    return network["layer"]


def sound(channels, length, batch=2):
    source = torch.Generator().manual_seed(2)
    x = torch.randn(batch, channels, 1, length, generator=source)
    return x.contiguous(memory_format=torch.channels_last)


def assert_same(made, wanted, tolerance):
    assert made.shape == wanted.shape
    assert float((made.float() - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (5, 1), (3, 4)])
@pytest.mark.parametrize("length", [1, 7, 40])
def test_many_channels_are_one_product(dtype, tolerance, taps, dilation, length):
    plain = randomise(same_conv(FEWEST_CHANNELS_AS_PRODUCT, 24, taps, dilation))
    quick = packed(plain, dtype, length=16)
    x = sound(FEWEST_CHANNELS_AS_PRODUCT, length)
    if dtype == torch.bfloat16:
        assert isinstance(quick, PackedProduct)
    else:
        assert isinstance(quick, WinogradConv if taps > 1 and dilation == 1 else MatrixProduct)
    assert_same(quick(x.to(dtype)), plain(x), tolerance)


def test_a_product_takes_a_slice_of_channels(dtype, tolerance):
    plain = randomise(same_conv(8, 24))
    x = sound(24, 10)
    assert_same(packed(plain, dtype, length=10)(x.to(dtype)[:, 8:16]), plain(x[:, 8:16]), tolerance)


def test_a_convolution_without_bias_has_none(dtype, tolerance):
    plain = randomise(conv(ConvShape(4, 6, 1, bias=False)))
    assert_same(packed(plain, dtype, length=10)(sound(4, 10).to(dtype)), plain(sound(4, 10)), tolerance)


@pytest.mark.parametrize(("taps", "dilation"), [(3, 1), (7, 12)])
@pytest.mark.parametrize("length", [64, 300])
def test_few_channels_stay_a_convolution_at_any_length(dtype, tolerance, taps, dilation, length, monkeypatch):
    plain = randomise(same_conv(32, 32, taps, dilation))
    for pays in (True, False):
        monkeypatch.setattr(packing, "packed_weights_pay", lambda pays=pays: pays)
        quick = packed(plain, dtype, length=256)
        assert isinstance(quick, PackedConv) == (pays or dtype == torch.bfloat16)
        assert_same(quick(sound(32, length).to(dtype)), plain(sound(32, length)), tolerance)


@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("channels", [32, FEWEST_CHANNELS_AS_PRODUCT])
def test_a_residual_is_added_and_stays_as_it_was(dtype, tolerance, channels, taps):
    plain = randomise(same_conv(channels, channels, taps))
    x, other = sound(channels, 20), sound(channels, 20).flip(3)
    residual = other.to(dtype)
    made = packed(plain, dtype, length=20).plus(x.to(dtype), residual)
    assert_same(made, plain(x) + other, tolerance)
    assert residual.equal(other.to(dtype))


@pytest.mark.parametrize(("taps", "stride"), [(16, 8), (8, 4), (4, 2), (7, 3)])
@pytest.mark.parametrize("length", [1, 2, 33])
def test_upsampling_is_one_product(dtype, tolerance, taps, stride, length):
    padding = (taps - stride) // 2
    plain = randomise(nn.ConvTranspose2d(16, 8, (1, taps), (1, stride), (0, padding)))
    quick = packed(plain, dtype, length=32)
    assert isinstance(quick, UpsamplingProduct)
    assert_same(quick(sound(16, length).to(dtype)), plain(sound(16, length)), tolerance)


def test_whether_packed_weights_pay_is_measured_once(dtype, tolerance, monkeypatch):
    times = iter([1.0, 2.0, 5.0, 1.0])  # packed, plain
    monkeypatch.setattr(packing, "_seconds", lambda _layer, _x: next(times))
    try:
        for pays in (True, False):
            packing.packed_weights_pay.cache_clear()
            assert [packing.packed_weights_pay() for _ in range(2)] == [pays, pays]
    finally:
        packing.packed_weights_pay.cache_clear()


def test_a_depthwise_convolution_stays_as_it_is(dtype, tolerance):
    layer = Depthwise(8, 3, 1)
    assert packed(layer, dtype, length=10) is layer
