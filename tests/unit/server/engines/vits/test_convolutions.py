"""Convolutions that take their own path equal torch's."""

import pytest
import torch

from phonoscope.server.engines.vits.config import ConvShape
from phonoscope.server.engines.vits.convolutions import Conv, Depthwise, Pointwise, conv, same_conv


def randomise(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    return layer.requires_grad_(requires_grad=False)


@pytest.mark.parametrize(("taps", "dilation"), [(3, 1), (3, 9), (5, 2)])
def test_a_depthwise_convolution_equals_torchs(taps, dilation):
    layer = randomise(Depthwise(6, taps, dilation))
    x = torch.randn(2, 6, 1, 11)
    torch.testing.assert_close(layer(x), torch.nn.Conv2d.forward(layer, x), rtol=1e-5, atol=1e-5)


def test_a_pointwise_convolution_equals_torchs_also_on_a_slice_of_channels():
    layer = randomise(Pointwise(3, 5))
    x = torch.randn(2, 6, 1, 7).contiguous(memory_format=torch.channels_last)[:, 3:]
    torch.testing.assert_close(layer(x), torch.nn.Conv2d.forward(layer, x), rtol=1e-5, atol=1e-5)


def test_the_kind_of_convolution_follows_from_its_taps():
    assert isinstance(same_conv(4, 6), Pointwise)
    assert type(same_conv(4, 6, 3)) is Conv


@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (7, 12)])
def test_the_length_is_kept(taps, dilation):
    assert same_conv(2, 3, taps, dilation)(torch.zeros(1, 2, 1, 50)).shape == (1, 3, 1, 50)


def test_a_shape_is_built_as_it_says():
    layer = conv(ConvShape(2, 3, 5, dilation=4, padding=8, bias=False))
    assert (layer.kernel_size, layer.dilation, layer.padding, layer.bias) == ((1, 5), (1, 4), (0, 8), None)


@pytest.mark.parametrize("taps", [1, 3])
def test_a_residual_is_added_and_stays_as_it_was(taps):
    layer = randomise(same_conv(4, 4, taps))
    x, other = torch.randn(2, 4, 1, 9), torch.randn(2, 4, 1, 9)
    before = other.clone()
    torch.testing.assert_close(layer.plus(x, other), layer(x) + before, rtol=1e-6, atol=1e-6)
    assert other.equal(before)
