"""The small layers of Kokoro: embeddings, convolutions, and normalisations that a style controls.

`albert.py`, `prosody.py` and `decoder.py` build the network from them. Sources: Li et al. 2023 (StyleTTS 2,
arXiv:2306.07691), Huang and Belongie 2017 (AdaIN, arXiv:1703.06868), Ziyin et al. 2020 (Snake, arXiv:2006.08195).

Tensors of convolutions are (batch, channels, 1, time) with channels last in memory, which oneDNN convolves up to twice
as fast as (batch, channels, time). Parameter names are those of the published checkpoint; weight normalisation is
folded when it is loaded.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from phonoscope.server.engines.kokoro.moments import Moments
from phonoscope.server.engines.mask import Mask, masked

SLOPE = 0.2
EPSILON = 1e-5


def embedding(count: int, channels: int) -> nn.Embedding:
    """Returns `count` vectors, to be loaded.

    nn.Embedding draws random ones; on the meta device, where networks are built, that imports TorchDynamo.
    """
    return nn.Embedding(count, channels, _weight=torch.empty(count, channels))


def conv(
    in_channels: int, out_channels: int, size: int = 1, *, stride: int = 1, dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    """Returns a convolution over time; with a stride of 1 and an odd size it keeps the length."""
    padding = dilation * (size - 1) // 2
    return nn.Conv2d(in_channels, out_channels, (1, size), (1, stride), (0, padding), (1, dilation), bias=bias)


def bi_lstm(in_channels: int, out_channels: int) -> nn.LSTM:
    """Returns an LSTM over (batch, positions, channels) in both directions, with half of the channels each."""
    return nn.LSTM(in_channels, out_channels // 2, batch_first=True, bidirectional=True)


def run_lstm(lstm: nn.LSTM, x: Tensor, lengths: Tensor | None) -> Tensor:
    """Returns the outputs of an LSTM for x (batch, positions, channels); those of padding are 0.

    Args:
        lstm: as `bi_lstm` makes it.
        x: its input.
        lengths: real positions of each row, (batch,), on the CPU; None where there is no padding.
    """
    if lengths is None:
        made: Tensor = lstm(x)[0]
        return made
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    padded, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=x.shape[1])
    return padded


def by_position(x: Tensor) -> Tensor:
    """Returns (batch, time, channels) of (batch, channels, 1, time); a view."""
    return x.squeeze(2).transpose(1, 2)


def by_channel(x: Tensor) -> Tensor:
    """Returns (batch, channels, 1, time) of (batch, time, channels); a view with channels last in memory."""
    return x.transpose(1, 2).unsqueeze(2)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(channels))
        self.beta = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Returns x normalised; (batch, channels, 1, time) in and out."""
        return by_channel(F.layer_norm(by_position(x), self.gamma.shape, self.gamma, self.beta, EPSILON))


class AdaLayerNorm(nn.Module):
    """Layer normalisation whose scale and shift come from a style."""

    def __init__(self, style_channels: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_channels, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Returns x (batch, positions, channels) normalised, for a style (batch, style)."""
        scale, shift = self.fc(style)[:, None].chunk(2, dim=2)  # (batch, 1, channels)
        styled: Tensor = F.layer_norm(x, x.shape[-1:], eps=EPSILON) * (1 + scale) + shift
        return styled


class AdaInstanceNorm(nn.Module):
    """Normalisation of each channel by moments of the utterance, whose scale and shift come from a style."""

    def __init__(self, style_channels: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_channels, 2 * channels)

    def line(self, x: Tensor, given: "Given") -> tuple[Tensor, Tensor]:
        """Returns what normalises x (batch, channels, 1, time): factor and offset (batch, channels, 1, 1), float32."""
        scale, shift = self.fc(given.style)[:, :, None, None].chunk(2, dim=1)
        mean, variance = given.moments.of(x, given.mask)
        factor = (1 + scale) * torch.rsqrt(variance + EPSILON)
        return factor, shift - mean * factor

    def forward(self, x: Tensor, given: "Given") -> Tensor:
        """Returns x normalised."""
        factor, offset = self.line(x, given)
        return torch.addcmul(offset.to(x.dtype), x, factor.to(x.dtype))


@dataclass(frozen=True, slots=True)
class Given:
    """What the layers of a sequence share.

    Attributes:
        style: of each row, (batch, style).
        moments: of its norms.
        mask: real positions; None where all are. Padding is zeroed before each convolution, which reads past an end.
    """

    style: Tensor
    moments: Moments
    mask: Mask | None = None

    def stretched(self, factor: int) -> "Given":
        """Returns the same for `factor` positions in place of each."""
        return self if self.mask is None else replace(self, mask=self.mask.stretched(factor))


def snake(x: Tensor, factor: Tensor, offset: Tensor, alpha: Tensor) -> Tensor:
    """Returns z + sin²(az)/a for z = factor * x + offset, with an a for each channel; three passes over memory.

    sin²(az) is (1 - cos 2az)/2.

    Args:
        x: (batch, channels, 1, time), in the precision of the result.
        factor: (batch, channels, 1, 1), in float32.
        offset: as `factor`.
        alpha: (1, channels, 1).
    """
    double = 2 * alpha.unsqueeze(2)
    height = double.reciprocal()
    ripple = torch.addcmul((double * offset).to(x.dtype), x, (double * factor).to(x.dtype)).cos_()
    line = torch.addcmul((offset + height).to(x.dtype), x, factor.to(x.dtype))
    return line.addcmul_(ripple, -height.to(x.dtype))


class StyledBlock(nn.Module):
    """A residual block of two convolutions, each after a normalisation by style; doubles the length if asked to."""

    def __init__(self, in_channels: int, out_channels: int, style_channels: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.doubles = doubles
        self.norm1 = AdaInstanceNorm(style_channels, in_channels)
        self.norm2 = AdaInstanceNorm(style_channels, out_channels)
        self.conv1 = conv(in_channels, out_channels, 3)
        self.conv2 = conv(out_channels, out_channels, 3)
        self.conv1x1 = conv(in_channels, out_channels, bias=False) if in_channels != out_channels else None
        self.pool = (
            nn.ConvTranspose2d(
                in_channels, in_channels, (1, 3), (1, 2), (0, 1), output_padding=(0, 1), groups=in_channels
            )
            if doubles
            else None
        )

    def forward(self, x: Tensor, given: Given) -> Tensor:
        """Returns (batch, out, 1, time) for x (batch, in, 1, time); twice the time where the block doubles it."""
        residual = masked(F.leaky_relu_(self.norm1(x, given), SLOPE), given.mask)
        if self.pool is not None:
            given = given.stretched(2)
            residual = masked(self.pool(residual), given.mask)
            x = x.repeat_interleave(2, dim=3)
        residual = masked(F.leaky_relu_(self.norm2(self.conv1(residual), given), SLOPE), given.mask)
        direct = x if self.conv1x1 is None else self.conv1x1(x)
        total: Tensor = self.conv2(residual) + direct
        return total * math.sqrt(0.5)
