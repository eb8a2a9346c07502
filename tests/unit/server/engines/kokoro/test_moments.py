"""Means and variances of channels: of a sequence, of a sample, and known ones."""

import pytest
import torch

from phonoscope.server.engines.kokoro import moments
from phonoscope.server.engines.kokoro.moments import GatheredMoments, KnownMoments, OwnMoments
from phonoscope.server.engines.mask import SpanMask


@pytest.fixture
def x():
    return torch.randn(2, 3, 1, 50, generator=torch.Generator().manual_seed(1)) + 4


def expected(x):
    variance, mean = torch.var_mean(x, dim=(2, 3), unbiased=False, keepdim=True)
    return mean, variance


@pytest.mark.parametrize("chunk", [7, 4096])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_own_moments_are_those_of_each_row(x, chunk, dtype, monkeypatch):
    monkeypatch.setattr(moments, "CHUNK", chunk)
    x = x.to(dtype)
    for made, wanted in zip(OwnMoments().of(x, None), expected(x.float()), strict=True):
        assert made.dtype == torch.float32
        torch.testing.assert_close(made, wanted, rtol=1e-4, atol=1e-5)


def test_a_mean_that_is_large_beside_its_deviation_loses_no_precision(x):
    _, variance = OwnMoments().of(x + 1000, None)
    torch.testing.assert_close(variance, expected(x)[1], rtol=1e-2, atol=0)


def test_padding_does_not_count(x):
    mask = SpanMask.of([(0, 50), (0, 20)], 50)
    mean, variance = OwnMoments().of(x, mask)
    short_mean, short_variance = expected(x[1:, ..., :20])
    torch.testing.assert_close(mean[1:], short_mean)
    torch.testing.assert_close(variance[1:], short_variance)


def test_rows_of_a_sample_count_by_their_weights_and_without_margins(x):
    gathered = GatheredMoments(torch.tensor([0.75, 0.25]), margin=5)
    mean, variance = gathered.of(x, None)
    inner = x[..., 5:45]
    whole = torch.cat([inner[:1], inner[:1], inner[:1], inner[1:]], dim=3)
    wanted_mean, wanted_variance = expected(whole)
    torch.testing.assert_close(mean, wanted_mean)
    torch.testing.assert_close(variance, wanted_variance)
    assert gathered.gathered == [(mean, variance)]


def test_known_moments_come_in_order_one_row_for_each_utterance(x):
    rows = [[(x[:1] * row + norm, x[:1]) for norm in range(2)] for row in range(2)]
    known = KnownMoments(rows)
    first, _ = known.of(x, None)
    second, _ = known.of(x, None)
    torch.testing.assert_close(first, torch.cat([rows[0][0][0], rows[1][0][0]]))
    torch.testing.assert_close(second, torch.cat([rows[0][1][0], rows[1][1][0]]))
