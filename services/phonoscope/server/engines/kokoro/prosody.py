"""Durations, F0 and energy, and the text encoder of the decoder. Used by `model.py`.

Source: Li et al. 2023 (StyleTTS 2, arXiv:2306.07691), section 3 and appendix. Sequences of phonemes are (batch,
positions, channels), curves over time (batch, channels, 1, time). Parameter names are those of the
published checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.layers import (
    SLOPE,
    AdaLayerNorm,
    ChannelNorm,
    Given,
    StyledBlock,
    bi_lstm,
    by_channel,
    by_position,
    conv,
    embedding,
    run_lstm,
)
from phonoscope.server.engines.mask import Mask, masked


class DurationEncoder(nn.Module):
    """Vectors of phonemes, in the light of their neighbours and of the style."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        channels, style_channels = shape.hidden_channels, shape.style_channels
        self.lstms = nn.ModuleList()
        for _ in range(shape.layers):
            self.lstms += [bi_lstm(channels + style_channels, channels), AdaLayerNorm(style_channels, channels)]

    def forward(self, x: Tensor, style: Tensor, lengths: Tensor | None) -> Tensor:
        """Returns (batch, positions, hidden + style) for x (batch, positions, hidden) and styles (batch, style)."""
        styles = style[:, None].expand(-1, x.shape[1], -1)  # (batch, positions, style)
        for layer in self.lstms:
            if isinstance(layer, AdaLayerNorm):
                x = layer(x, style)
            elif isinstance(layer, nn.LSTM):
                x = run_lstm(layer, torch.cat([x, styles], dim=2), lengths)
        return torch.cat([x, styles], dim=2)


class DurationProjection(nn.Module):
    """Projects to one number for each frame that a phoneme may last."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(shape.hidden_channels, shape.max_duration)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the expected frames of x (batch, positions, hidden): the sum of their probabilities."""
        frames: Tensor = self.linear_layer(x).sigmoid().sum(dim=2)
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

    def durations(self, encoded: Tensor, lengths: Tensor | None) -> Tensor:
        """Returns the frames of each phoneme, not rounded, (batch, positions), for the output of `text_encoder`."""
        frames: Tensor = self.duration_proj(run_lstm(self.lstm, encoded, lengths))
        return frames

    def curves(self, aligned: Tensor, given: Given, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns F0 in Hz and energy, (batch, 1, 1, 2 x frames) each, for (batch, frames, hidden + style).

        Args:
            aligned: vectors of phonemes over frames.
            given: its style is the second half of a style, its mask that of the frames.
            lengths: frames of each row, (batch,), on the CPU; None where there is no padding.
        """
        x = by_channel(run_lstm(self.shared, aligned, lengths))
        return self.F0_proj(_curve_of(self.F0, x, given)), self.N_proj(_curve_of(self.N, x, given))


def _curve_of(blocks: nn.ModuleList, x: Tensor, given: Given) -> Tensor:
    """Returns (batch, channels, 1, 2 x frames) of a curve's blocks; padding is 0."""
    for block in blocks:
        before = x.shape[3]
        x = block(x, given)
        given = given.stretched(x.shape[3] // before)
    return masked(x, given.mask)


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

    def forward(self, ids: Tensor, mask: Mask | None, lengths: Tensor | None) -> Tensor:
        """Returns (batch, positions, hidden) for ids (batch, positions)."""
        x = masked(by_channel(self.embedding(ids)), mask)
        for layer in self.cnn:
            x = masked(F.leaky_relu(layer(x), SLOPE), mask)
        return run_lstm(self.lstm, by_position(x), lengths)
