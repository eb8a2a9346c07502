"""The layers of VITS against plain restatements of their papers."""

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.mask import SpanMask, masked
from phonoscope.server.engines.vits.config import ConvShape
from phonoscope.server.engines.vits.modules import (
    SPLINE_BOUND,
    SPLINE_MIN_BIN,
    SPLINE_MIN_SLOPE,
    AffineCoupling,
    ChannelNorm,
    RelativeAttention,
    ResidualBlock,
    SeparableStack,
    SplineCoupling,
    WaveNetStack,
    inverse_spline,
)

BINS = 10


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        yield


def randomise(module):
    for parameter in module.parameters():
        parameter.copy_(0.5 * torch.randn_like(parameter))
    return module


def mask_of(*lengths):
    """Returns the mask of rows of these lengths, padded to the longest."""
    return SpanMask.of([(0, length) for length in lengths], max(lengths))


def forward_spline(x, widths, heights, slopes):
    """The spline as Durkan et al. 2019 define it, one number at a time in float64: equation 4, tails of slope 1."""
    if abs(x) > SPLINE_BOUND:
        return x
    bins = len(widths)

    def knots(sizes):
        shares = [SPLINE_MIN_BIN + (1 - SPLINE_MIN_BIN * bins) * share for share in sizes.softmax(-1).tolist()]
        return [2 * SPLINE_BOUND * sum(shares[:k]) - SPLINE_BOUND for k in range(bins + 1)]

    xs, ys = knots(widths), knots(heights)
    deltas = [1.0, *(SPLINE_MIN_SLOPE + F.softplus(slopes)).tolist(), 1.0]
    k = max(i for i in range(bins) if xs[i] <= x)
    s = (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k])
    xi = (x - xs[k]) / (xs[k + 1] - xs[k])
    top = (ys[k + 1] - ys[k]) * (s * xi**2 + deltas[k] * xi * (1 - xi))
    return ys[k] + top / (s + (deltas[k + 1] + deltas[k] - 2 * s) * xi * (1 - xi))


class TestInverseSpline:
    def test_it_undoes_the_spline(self):
        x = torch.cat([torch.linspace(-4.99, 4.99, 80), torch.tensor([0.0, -7.5, 6.1, 30.0])]).double()
        widths, heights = torch.randn(2, len(x), BINS, dtype=torch.float64)
        slopes = torch.randn(len(x), BINS - 1, dtype=torch.float64)
        y = [forward_spline(*row) for row in zip(x.tolist(), widths, heights, slopes, strict=True)]
        assert max(abs(a - b) for a, b in zip(x.tolist(), y, strict=True)) > 1, "the spline does nothing"
        back = inverse_spline(torch.tensor(y, dtype=torch.float64), widths, heights, slopes)
        torch.testing.assert_close(back, x, rtol=0, atol=1e-9)

    def test_it_is_continuous_at_its_bounds_and_the_identity_beyond(self):
        edges = torch.tensor([-5.001, -5.0, 5.0, 5.001])
        widths, heights, slopes = torch.randn(4, BINS), torch.randn(4, BINS), torch.randn(4, BINS - 1)
        torch.testing.assert_close(inverse_spline(edges, widths, heights, slopes), edges, rtol=0, atol=1e-4)

    def test_it_grows_everywhere(self):
        y = torch.linspace(-6, 6, 2000)
        widths, heights = torch.randn(2, 1, BINS)
        x = inverse_spline(y, widths.expand(2000, -1), heights.expand(2000, -1), torch.randn(1, 9).expand(2000, -1))
        assert (x.diff() > 0).all()


class TestRelativeAttention:
    @pytest.mark.parametrize("time", [1, 3, 4, 5, 12])
    def test_it_equals_shaw_et_al_pair_by_pair(self, time):
        """Every query and key on its own: equations 3 and 4, embeddings of distances beyond the window left out."""
        layer = randomise(RelativeAttention(channels=8, heads=2, window=4))
        x = torch.randn(1, 8, 1, time)
        torch.testing.assert_close(layer(x, None), self.naive(layer, x), rtol=1e-4, atol=1e-5)

    def test_padding_is_never_attended(self):
        layer = randomise(RelativeAttention(channels=8, heads=2, window=4))
        x = torch.randn(2, 8, 1, 9)
        together = layer(x, mask_of(9, 5).real(x.device))
        torch.testing.assert_close(together[1:, ..., :5], layer(x[1:, ..., :5], None), rtol=1e-4, atol=1e-5)

    def naive(self, layer, x):
        time, size = x.shape[-1], layer.head_channels
        query, key, value = (conv(x)[0, :, 0] for conv in (layer.conv_q, layer.conv_k, layer.conv_v))
        out = torch.zeros(layer.heads * size, time)
        for head in range(layer.heads):
            rows = slice(head * size, (head + 1) * size)
            for i in range(time):
                scores = torch.empty(time)
                for j in range(time):
                    scores[j] = query[rows, i] @ (key[rows, j] + self.near(layer.emb_rel_k, layer, j - i))
                weights = (scores / math.sqrt(size)).softmax(0)
                for j in range(time):
                    out[rows, i] += weights[j] * (value[rows, j] + self.near(layer.emb_rel_v, layer, j - i))
        return layer.conv_o(out[None, :, None])

    def near(self, embeddings, layer, distance):
        if abs(distance) > layer.window:
            return torch.zeros(layer.head_channels)
        return embeddings[0, distance + layer.window]


def test_channel_norm_normalises_each_position():
    norm = ChannelNorm(6)
    norm.gamma.fill_(2.0)
    norm.beta.fill_(3.0)
    y = norm(torch.randn(2, 6, 1, 5) * 10)
    torch.testing.assert_close(y.mean(1), torch.full((2, 1, 5), 3.0))
    torch.testing.assert_close(y.std(1, correction=0), torch.full((2, 1, 5), 2.0), rtol=1e-3, atol=0)


@pytest.mark.parametrize("speaker_channels", [0, 3])
def test_an_affine_coupling_undoes_its_forward_pass(speaker_channels):
    layer = randomise(AffineCoupling(4, 6, 5, (1, 2), speaker_channels))
    speaker = torch.randn(1, 3, 1, 1) if speaker_channels else None
    x = torch.randn(1, 4, 1, 20)
    kept, moved = x.chunk(2, dim=1)
    shift = layer.post(layer.enc(layer.pre(kept), None, speaker))
    assert shift.abs().max() > 0.1
    z = torch.cat([kept, moved + shift], dim=1)
    torch.testing.assert_close(layer(z, None, speaker), x)


def test_a_spline_coupling_keeps_its_first_channel_and_heeds_its_condition():
    layer = randomise(SplineCoupling(filter_channels=6, kernel_size=3, layers=2, bins=BINS))
    z = torch.randn(1, 2, 1, 20)
    first, second = (layer(z, None, torch.randn(1, 6, 1, 20)) for _ in range(2))
    assert first[:, 0].equal(z[:, 0])
    assert not first[:, 1].allclose(second[:, 1])


def residual_block():
    first = ConvShape(4, 4, 3, dilation=2, padding=2)
    second = ConvShape(4, 4, 3, padding=1)
    return ResidualBlock(((first, second), (second, second)))


LAYERS = {
    "separable": lambda: SeparableStack(4, 3, 3),
    "wavenet": lambda: WaveNetStack(4, 5, (1, 2), 0),
    "coupling": lambda: AffineCoupling(4, 6, 5, (1, 1), 0),
    "residual": residual_block,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_masked_layer_treats_each_row_as_if_it_were_alone(name):
    layer = randomise(LAYERS[name]())
    more = (None,) if name in ("wavenet", "coupling") else ()  # these take a speaker
    mask = mask_of(15, 9)
    x = masked(torch.randn(2, 4, 1, 15), mask)
    together = layer(x.clone(), mask, *more)
    alone = layer(x[1:, ..., :9].clone(), None, *more)
    torch.testing.assert_close(together[1:, ..., :9], alone, rtol=1e-4, atol=1e-5)
    assert together[1, ..., 9:].abs().max() == 0, "zeros must stay zeros for the next convolution"


def test_a_residual_block_of_pairs_equals_its_definition():
    block = randomise(residual_block())
    x = torch.randn(1, 4, 1, 15)
    expected = x.clone()
    for first, second in zip(block.convs1, block.convs2, strict=True):
        expected = expected + second(F.leaky_relu(first(F.leaky_relu(expected, 0.1)), 0.1))
    torch.testing.assert_close(block(x, None), expected)
