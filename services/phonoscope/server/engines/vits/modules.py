"""The layers of VITS, smallest first. `model.py` builds the network from them.

Sources: Kim et al. 2021 (VITS, arXiv:2106.06103), Kong et al. 2020 (HiFi-GAN, arXiv:2010.05646), Shaw et al. 2018
(relative positions, arXiv:1803.02155), van den Oord et al. 2016 (WaveNet, arXiv:1609.03499), Durkan et al. 2019
(neural spline flows, arXiv:1906.04032).

Parameter names are those of published VITS checkpoints, since Piper's files carry them. Tensors are (batch, channels,
1, time) with channels last in memory: oneDNN convolves that layout up to three times as fast as (batch, channels,
time), which it has to reorder first. A mask is None where every position is real.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.mask import Mask, masked
from phonoscope.server.engines.vits.config import ConvShape
from phonoscope.server.engines.vits.convolutions import Depthwise, conv, same_conv

LEAKY_SLOPE = 0.1
SPLINE_BOUND = 5.0
SPLINE_MIN_BIN = 1e-3
SPLINE_MIN_SLOPE = 1e-3


def embedding(count: int, channels: int) -> nn.Embedding:
    """Returns `count` vectors, to be loaded.

    nn.Embedding draws random ones; on the meta device, where networks are built, that imports TorchDynamo, which takes
    longer than to load the voice.
    """
    return nn.Embedding(count, channels, _weight=torch.empty(count, channels))


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Returns x normalised; (batch, channels, 1, time) in and out."""
        by_position = x.permute(0, 2, 3, 1)  # (batch, 1, time, channels): the memory layout
        return F.layer_norm(by_position, self.gamma.shape, self.gamma, self.beta, eps=1e-5).permute(0, 3, 1, 2)


class RelativeAttention(nn.Module):
    """Self-attention with distances up to `window` positions (Shaw et al. 2018), embeddings shared by heads."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.head_channels = channels // heads
        self.conv_q = same_conv(channels, channels)
        self.conv_k = same_conv(channels, channels)
        self.conv_v = same_conv(channels, channels)
        self.conv_o = same_conv(channels, channels)
        self.emb_rel_k = nn.Parameter(torch.zeros(1, 2 * window + 1, self.head_channels))
        self.emb_rel_v = nn.Parameter(torch.zeros(1, 2 * window + 1, self.head_channels))

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        """Returns the attended values; `attend` is (batch, 1, 1, time), True where a key may be seen, or None."""
        query = self._split(self.conv_q(x)) / math.sqrt(self.head_channels)  # (batch, heads, time, head_channels)
        key, value = self._split(self.conv_k(x)), self._split(self.conv_v(x))
        scores = query @ key.transpose(-2, -1) + self._on_diagonals(query @ self.emb_rel_k[0].T)
        if attend is not None:
            scores.masked_fill_(~attend, -1e4)
        weights = scores.softmax(-1)  # (batch, heads, time, time)
        attended = weights @ value + self._off_diagonals(weights) @ self.emb_rel_v[0]
        return self.conv_o(attended.transpose(2, 3).flatten(1, 2).unsqueeze(2))  # type: ignore[no-any-return]  # Module

    def _split(self, x: Tensor) -> Tensor:
        batch, _, _, time = x.shape
        return x.view(batch, self.heads, self.head_channels, time).transpose(2, 3)

    def _on_diagonals(self, by_distance: Tensor) -> Tensor:
        """Returns (batch, heads, time, time) with values by distance, (…, time, 2 window + 1), around its diagonal."""
        batch, heads, time, _ = by_distance.shape
        wide = by_distance.new_zeros(batch, heads, time, time + 2 * self.window)
        self._band(wide).copy_(by_distance)
        return wide[..., self.window : self.window + time]

    def _off_diagonals(self, square: Tensor) -> Tensor:
        """Returns the values of (batch, heads, time, time) by distance, (…, time, 2 window + 1), 0 past its edges."""
        return self._band(F.pad(square, (self.window, self.window)))

    def _band(self, wide: Tensor) -> Tensor:
        """Views (…, time, time + 2 window) by distance: row i shows columns i to i + 2 window."""
        batch, heads, time, width = wide.shape
        by_row = (heads * time * width, time * width, width + 1, 1)
        return wide.as_strided((batch, heads, time, 2 * self.window + 1), by_row)


class FeedForward(nn.Module):
    """Two convolutions with a ReLU between."""

    def __init__(self, channels: int, filter_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv_1 = same_conv(channels, filter_channels, kernel_size)
        self.conv_2 = same_conv(filter_channels, channels, kernel_size)

    def forward(self, x: Tensor, mask: Mask | None) -> Tensor:
        """Returns the transformed x, masked."""
        return masked(self.conv_2(masked(self.conv_1(masked(x, mask)).relu(), mask)), mask)


class SeparableStack(nn.Module):
    """Dilated depth-separable convolutions (DDSConv; Kim et al. 2021, appendix B)."""

    def __init__(self, channels: int, kernel_size: int, layers: int) -> None:
        super().__init__()
        self.convs_sep = nn.ModuleList(
            Depthwise(channels, kernel_size, dilation=kernel_size**i) for i in range(layers)
        )
        self.convs_1x1 = nn.ModuleList(same_conv(channels, channels) for _ in range(layers))
        self.norms_1 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))
        self.norms_2 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))

    def forward(self, x: Tensor, mask: Mask | None) -> Tensor:
        """Returns x after all layers, masked."""
        for sep, norm_1, pointwise, norm_2 in zip(
            self.convs_sep, self.norms_1, self.convs_1x1, self.norms_2, strict=True
        ):
            y = F.gelu(norm_1(sep(masked(x, mask))))
            x = x + F.gelu(norm_2(pointwise(y)))
        return masked(x, mask)


class SplineCoupling(nn.Module):
    """A coupling layer with a monotonic rational-quadratic spline (Durkan et al. 2019), run backwards."""

    def __init__(self, filter_channels: int, kernel_size: int, layers: int, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.scale = math.sqrt(filter_channels)
        self.pre = same_conv(1, filter_channels)
        self.convs = SeparableStack(filter_channels, kernel_size, layers)
        self.proj = same_conv(filter_channels, 3 * bins - 1)

    def forward(self, x: Tensor, mask: Mask | None, condition: Tensor) -> Tensor:
        """Inverts the coupling: (batch, 2, 1, time) in and out; the first channel conditions the second."""
        kept, moved = x.chunk(2, dim=1)  # (batch, 1, 1, time) each
        h = self.convs(self.pre(kept) + condition, mask)
        h = masked(self.proj(h), mask).permute(0, 2, 3, 1)  # (batch, 1, time, 3 bins - 1)
        widths, heights, slopes = h.tensor_split([self.bins, 2 * self.bins], dim=-1)
        moved = inverse_spline(moved.squeeze(1), widths / self.scale, heights / self.scale, slopes)
        return masked(torch.cat([kept, moved.unsqueeze(1)], dim=1), mask)


def inverse_spline(y: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor) -> Tensor:
    """Inverts the rational-quadratic spline of Durkan et al. 2019, section 3.1, with linear tails beyond its bound.

    Args:
        y: values to invert, (...).
        widths: unnormalised widths of the bins, (..., bins).
        heights: unnormalised heights of the bins, (..., bins).
        slopes: unnormalised derivatives at the inner knots, (..., bins - 1).

    Returns:
        x with spline(x) = y, (...).
    """
    x_knots, y_knots = _knots(widths), _knots(heights)  # (..., bins + 1)
    slope = F.pad(SPLINE_MIN_SLOPE + F.softplus(slopes), (1, 1), value=1.0)  # (..., bins + 1)
    inside = y.clamp(-SPLINE_BOUND, SPLINE_BOUND)
    bins = widths.shape[-1]
    number = (inside.unsqueeze(-1) >= y_knots[..., 1:-1]).sum(-1, keepdim=True).clamp(max=bins - 1)

    def at(knots: Tensor, step: int = 0) -> Tensor:
        return knots.gather(-1, number + step).squeeze(-1)

    x0, y0 = at(x_knots), at(y_knots)
    width, height = at(x_knots, 1) - x0, at(y_knots, 1) - y0
    d0, d1 = at(slope), at(slope, 1)
    mean_slope = height / width
    rise = inside - y0
    curve = d0 + d1 - 2 * mean_slope
    a = rise * curve + height * (mean_slope - d0)
    b = height * d0 - rise * curve
    c = -mean_slope * rise
    root = 2 * c / (-b - (b.square() - 4 * a * c).clamp(min=0).sqrt())  # equation 29: the stable form
    x = root * width + x0
    return torch.where(y.abs() <= SPLINE_BOUND, x, y)


def _knots(sizes: Tensor) -> Tensor:
    """Returns the positions of the knots from -bound to bound for unnormalised bin sizes."""
    bins = sizes.shape[-1]
    shares = SPLINE_MIN_BIN + (1 - SPLINE_MIN_BIN * bins) * sizes.softmax(-1)
    inner = (2 * SPLINE_BOUND) * shares.cumsum(-1)[..., :-1] - SPLINE_BOUND
    return F.pad(F.pad(inner, (1, 0), value=-SPLINE_BOUND), (0, 1), value=SPLINE_BOUND)


class WaveNetStack(nn.Module):
    """Gated dilated convolutions with residual and skip paths (van den Oord et al. 2016)."""

    def __init__(self, channels: int, kernel_size: int, dilations: tuple[int, ...], speaker_channels: int) -> None:
        super().__init__()
        self.channels = channels
        layers = len(dilations)
        self.in_layers = nn.ModuleList(same_conv(channels, 2 * channels, kernel_size, d) for d in dilations)
        self.res_skip_layers = nn.ModuleList(
            same_conv(channels, 2 * channels if i < layers - 1 else channels) for i in range(layers)
        )
        if speaker_channels:
            self.cond_layer = same_conv(speaker_channels, 2 * channels * layers)

    def forward(self, x: Tensor, mask: Mask | None, speaker: Tensor | None) -> Tensor:
        """Returns the sum of the skips, masked; `speaker` is (batch, speaker_channels, 1, 1)."""
        conditions = [None] * len(self.in_layers) if speaker is None else self._conditions(speaker)
        skips: Tensor | None = None
        for in_layer, res_skip, condition in zip(self.in_layers, self.res_skip_layers, conditions, strict=True):
            gates = in_layer(x)  # (batch, 2 channels, 1, time)
            if condition is not None:
                gates = gates + condition
            both = res_skip(gated(gates, self.channels))
            if both.shape[1] > self.channels:  # all layers but the last have a residual path
                x = masked(x + both[:, : self.channels], mask)
            skip = both[:, -self.channels :]
            skips = skip if skips is None else skips + skip
        if skips is None:
            raise ValueError("a WaveNet stack needs at least one layer")
        return masked(skips, mask)

    def _conditions(self, speaker: Tensor) -> list[Tensor]:
        return list(self.cond_layer(speaker).split(2 * self.channels, dim=1))


def gated(gates: Tensor, channels: int) -> Tensor:
    """Returns tanh of the first half of the channels times sigmoid of the second.

    tanh(x) is 2 sigmoid(2 x) - 1: on a CPU torch computes tanh of a slice value by value.
    """
    first = (gates[:, :channels] * 2).sigmoid_().mul_(2).sub_(1)
    return first.mul_(gates[:, channels:].sigmoid())


class AffineCoupling(nn.Module):
    """A mean-only coupling layer on a WaveNet stack (Kim et al. 2021, section 2.5.3), run backwards."""

    def __init__(
        self, channels: int, hidden_channels: int, kernel_size: int, dilations: tuple[int, ...], speaker_channels: int
    ) -> None:
        super().__init__()
        self.pre = same_conv(channels // 2, hidden_channels)
        self.enc = WaveNetStack(hidden_channels, kernel_size, dilations, speaker_channels)
        self.post = same_conv(hidden_channels, channels // 2)

    def forward(self, z: Tensor, mask: Mask | None, speaker: Tensor | None) -> Tensor:
        """Inverts the coupling: the first half of the channels is unchanged and shifts the second."""
        kept, moved = z.chunk(2, dim=1)
        h = self.enc(masked(self.pre(kept), mask), mask, speaker)
        return torch.cat([kept, masked(moved - self.post(h), mask)], dim=1)


class ResidualBlock(nn.Module):
    """One receptive field of the generator: layers of one convolution (type 2) or two (type 1), each with a skip."""

    def __init__(self, layers: tuple[tuple[ConvShape, ...], ...]) -> None:
        super().__init__()
        if all(len(layer) == 1 for layer in layers):
            self.convs = nn.ModuleList(conv(shape) for (shape,) in layers)
            self._columns: tuple[str, ...] = ("convs",)
        else:
            self.convs1 = nn.ModuleList(conv(layer[0]) for layer in layers)
            self.convs2 = nn.ModuleList(conv(layer[1]) for layer in layers)
            self._columns = ("convs1", "convs2")

    def forward(self, x: Tensor, mask: Mask | None) -> Tensor:
        """Returns x refined; masked where a mask is given, so that zeros stay zeros for the next convolution."""
        columns: list[nn.ModuleList] = [getattr(self, name) for name in self._columns]
        for layer in zip(*columns, strict=True):
            y = x
            for step in layer[:-1]:
                y = masked(step(F.leaky_relu(y, LEAKY_SLOPE)), mask)
            x = masked(layer[-1].plus(F.leaky_relu(y, LEAKY_SLOPE), x), mask)
        return x
