"""Durations, F0 and energy, and the text encoder of the decoder. Used by `model.py`.

Source: Li et al. 2023 (StyleTTS 2, arXiv:2306.07691), section 3 and appendix. Sequences of phonemes are (1, positions,
channels), curves over time (1, channels, 1, time). Parameter names are those of the published checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.layers import (
    SLOPE,
    AdaLayerNorm,
    ChannelNorm,
    StyledBlock,
    bi_lstm,
    by_channel,
    by_position,
    conv,
    embedding,
)


class DurationEncoder(nn.Module):
    """Vectors of phonemes, in the light of their neighbours and of the style."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        channels, style_channels = shape.hidden_channels, shape.style_channels
        self.lstms = nn.ModuleList()
        for _ in range(shape.layers):
            self.lstms += [bi_lstm(channels + style_channels, channels), AdaLayerNorm(style_channels, channels)]

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Returns (1, positions, hidden + style) for x (1, positions, hidden) and a style (1, style)."""
        styles = style.expand(x.shape[1], -1).unsqueeze(0)  # (1, positions, style)
        for layer in self.lstms:
            if isinstance(layer, AdaLayerNorm):
                x = layer(x, style)
            else:
                x, _ = layer(torch.cat([x, styles], dim=2))
        return torch.cat([x, styles], dim=2)


class DurationProjection(nn.Module):
    """Projects to one number for each frame that a phoneme may last."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(shape.hidden_channels, shape.max_duration)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the expected frames (positions,) of x (1, positions, hidden): the sum of their probabilities."""
        frames: Tensor = self.linear_layer(x).sigmoid().sum(dim=2)[0]
        return frames


class ProsodyPredictor(nn.Module):
    """Durations from phonemes; F0 and energy from phonemes laid out over frames."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        channels, style_channels = shape.hidden_channels, shape.style_channels
        self.text_encoder = DurationEncoder(shape)
        self.lstm = bi_lstm(channels + style_channels, channels)
        self.duration_proj = DurationProjection(shape)
        self.shared = bi_lstm(channels + style_channels, channels)
        self.F0 = _curve(channels, style_channels)
        self.N = _curve(channels, style_channels)
        self.F0_proj = conv(channels // 2, 1)
        self.N_proj = conv(channels // 2, 1)

    def durations(self, encoded: Tensor) -> Tensor:
        """Returns the frames of each phoneme (positions,), not rounded, for the output of `text_encoder`."""
        x, _ = self.lstm(encoded)
        frames: Tensor = self.duration_proj(x)
        return frames

    def curves(self, aligned: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Returns F0 in Hz and energy, (1, 1, 1, 2 x frames) each, for (1, frames, hidden + style)."""
        x, _ = self.shared(aligned)
        f0 = energy = by_channel(x)
        for block in self.F0:
            f0 = block(f0, style)
        for block in self.N:
            energy = block(energy, style)
        return self.F0_proj(f0), self.N_proj(energy)


def _curve(channels: int, style_channels: int) -> nn.ModuleList:
    """Returns the blocks of a curve with two points for each frame."""
    half = channels // 2
    return nn.ModuleList(
        [
            StyledBlock(channels, channels, style_channels),
            StyledBlock(channels, half, style_channels, doubles=True),
            StyledBlock(half, half, style_channels),
        ]
    )


class TextEncoder(nn.Module):
    """Vectors of phonemes for the decoder: what is said, without prosody."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        channels = shape.hidden_channels
        self.embedding = embedding(shape.symbols, channels)
        self.cnn = nn.ModuleList(
            nn.Sequential(conv(channels, channels, shape.kernel_size), ChannelNorm(channels))
            for _ in range(shape.layers)
        )
        self.lstm = bi_lstm(channels, channels)

    def forward(self, ids: Tensor) -> Tensor:
        """Returns (1, positions, hidden) for ids (1, positions)."""
        x = by_channel(self.embedding(ids))
        for layer in self.cnn:
            x = F.leaky_relu(layer(x), SLOPE)
        encoded: Tensor = self.lstm(by_position(x))[0]
        return encoded
