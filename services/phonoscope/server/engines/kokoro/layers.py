"""The small layers of Kokoro: embeddings, convolutions, and normalisations that a style controls.

`albert.py`, `prosody.py` and `decoder.py` build the network from them. Sources: Li et al. 2023 (StyleTTS 2,
arXiv:2306.07691), Huang and Belongie 2017 (AdaIN, arXiv:1703.06868), Ziyin et al. 2020 (Snake, arXiv:2006.08195).

Tensors of convolutions are (batch, channels, 1, time) with channels last in memory, which oneDNN convolves up to twice
as fast as (batch, channels, time). Parameter names are those of the published checkpoint; weight normalisation is
folded when it is loaded.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

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
        """Returns x (batch, positions, channels) normalised, for a style (1, style)."""
        scale, shift = self.fc(style).chunk(2, dim=1)
        styled: Tensor = F.layer_norm(x, x.shape[-1:], eps=EPSILON) * (1 + scale) + shift
        return styled


class AdaInstanceNorm(nn.Module):
    """Normalisation of each channel over the whole utterance, whose scale and shift come from a style."""

    def __init__(self, style_channels: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_channels, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Returns x (1, channels, 1, time) normalised, for a style (1, style)."""
        scale, shift = self.fc(style)[0].chunk(2)
        # The statistics of a batch of one are those of its instance, and this kernel is fast where channels are last.
        return F.batch_norm(x, None, None, 1 + scale, shift, training=True, eps=EPSILON)


class Snake(nn.Module):
    """x + sin²(ax)/a, for the a of each channel."""

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Returns the activation of x (batch, channels, 1, time) for alpha (1, channels, 1)."""
        alpha = alpha.unsqueeze(2)
        return torch.addcmul(x, (x * alpha).sin_().square_(), alpha.reciprocal())


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

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Returns (1, out, 1, time) for x (1, in, 1, time); twice the time where the block doubles it."""
        residual = F.leaky_relu(self.norm1(x, style), SLOPE)
        if self.pool is not None:
            residual = self.pool(residual)
            x = x.repeat_interleave(2, dim=3)
        residual = F.leaky_relu(self.norm2(self.conv1(residual), style), SLOPE)
        direct = x if self.conv1x1 is None else self.conv1x1(x)
        total: Tensor = self.conv2(residual) + direct
        return total * math.sqrt(0.5)
