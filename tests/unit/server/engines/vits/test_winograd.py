"""Minimal filtering gives the results of the convolutions that it replaces."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.vits.winograd import WinogradConv, filtering_matrices


@pytest.mark.parametrize(("tile", "taps"), [(2, 3), (4, 3), (4, 5), (2, 7)])
def test_the_matrices_filter_exactly(tile, taps):
    inputs, weights, outputs = filtering_matrices(tile, taps)
    assert inputs.shape == (tile + taps - 1,) * 2
    source = torch.Generator().manual_seed(1)
    d, g = (torch.randn(n, generator=source, dtype=torch.float64) for n in (tile + taps - 1, taps))
    wanted = torch.stack([d[i : i + taps] @ g for i in range(tile)])
    torch.testing.assert_close(outputs @ ((weights @ g) * (inputs @ d)), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("time", [1, 4, 7, 64, 301])
@pytest.mark.parametrize("taps", [3, 5, 7])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_filtered_convolution_equals_the_plain_one(time, taps, has_bias):
    source = torch.Generator().manual_seed(2)
    weight = torch.randn(24, 40, 1, taps, generator=source) / (40 * taps) ** 0.5
    bias = torch.randn(24, generator=source) if has_bias else None
    x = torch.randn(2, 40, 1, time, generator=source).contiguous(memory_format=torch.channels_last)
    made = WinogradConv(weight, bias)(x)
    wanted = F.conv2d(x, weight, bias, padding=(0, taps // 2))
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-4)
    assert made.shape == wanted.shape


def test_it_reads_a_slice_of_channels():
    weight = torch.ones(1, 2, 1, 5)
    x = torch.arange(24.0).view(1, 6, 1, 4).contiguous(memory_format=torch.channels_last)
    made = WinogradConv(weight, None)(x[:, 2:4])
    torch.testing.assert_close(made, F.conv2d(x[:, 2:4], weight, padding=(0, 2)), rtol=0, atol=1e-4)
