"""The decoder: phonemes, F0 and energy over frames become features, and these samples. Used by `model.py`.

Source: Li et al. 2023 (StyleTTS 2, arXiv:2306.07691). Tensors are (batch, channels, 1, time). Parameter names are
those of the published checkpoint.
"""

import torch
from torch import Tensor, nn

from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.generator import Generator
from phonoscope.server.engines.kokoro.layers import Given, StyledBlock, conv


class Decoder(nn.Module):
    """Styled blocks at the rate of frames; the generator follows."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        hidden, style = shape.hidden_channels, shape.style_channels
        inner, residual = shape.decoder_channels, shape.residual_channels
        self.encode = StyledBlock(hidden + 2, inner, style)
        self.decode = nn.ModuleList(StyledBlock(inner + residual + 2, inner, style) for _ in range(3))
        self.decode.append(StyledBlock(inner + residual + 2, shape.generator.channels, style, doubles=True))
        self.F0_conv = conv(1, 1, 3, stride=2)
        self.N_conv = conv(1, 1, 3, stride=2)
        self.asr_res = nn.Sequential(conv(hidden, residual))
        self.generator = Generator(shape.generator, style)

    def features(self, text: Tensor, f0: Tensor, energy: Tensor, given: Given) -> Tensor:
        """Returns the generator's input, (batch, channels, 1, 2 x frames).

        Args:
            text: of the text encoder, (batch, hidden, 1, frames).
            f0: in Hz, (batch, 1, 1, 2 x frames).
            energy: (batch, 1, 1, 2 x frames).
            given: its style is the first half of a style, its mask that of the frames.
        """
        dtype = self.generator.dtype
        curves = [self.F0_conv(f0).to(dtype), self.N_conv(energy).to(dtype)]
        residual = self.asr_res(text).to(dtype)
        x = self.encode(torch.cat([text.to(dtype), *curves], dim=1), given)
        for block in self.decode:
            x = block(torch.cat([x, residual, *curves], dim=1), given)
        features: Tensor = x
        return features
