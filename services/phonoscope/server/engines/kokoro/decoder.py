"""The decoder: phonemes, F0 and energy over frames become samples. Used by `model.py`.

Sources: Li et al. 2023 (StyleTTS 2, arXiv:2306.07691), Kaneko et al. 2022 (iSTFTNet, arXiv:2203.02395), Kong et al.
2020 (HiFi-GAN, arXiv:2010.05646). Tensors are (1, channels, 1, time). Parameter names are those of the published
checkpoint.
"""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.config import GeneratorShape, KokoroShape
from phonoscope.server.engines.kokoro.layers import AdaInstanceNorm, Snake, StyledBlock, conv
from phonoscope.server.engines.kokoro.source import HarmonicSource

STAGE_SLOPE = 0.1
LAST_SLOPE = 0.01
# Blocks of the branches that bring the source into each stage but the last, and into the last.
SOURCE_SIZE = 7
LAST_SOURCE_SIZE = 11
SOURCE_DILATIONS = (1, 3, 5)
POST_SIZE = 7


class Decoder(nn.Module):
    """Styled blocks at the rate of frames, then the generator."""

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

    def forward(self, text: Tensor, f0: Tensor, energy: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Returns samples (time,).

        Args:
            text: of the text encoder, (1, hidden, 1, frames).
            f0: in Hz, (1, 1, 1, 2 x frames).
            energy: (1, 1, 1, 2 x frames).
            style: the first half of a style, (1, style).
            noise: standard normal, (samples,).
        """
        curves = [self.F0_conv(f0), self.N_conv(energy)]
        residual = self.asr_res(text)
        x = self.encode(torch.cat([text, *curves], dim=1), style)
        for block in self.decode:
            x = block(torch.cat([x, residual, *curves], dim=1), style)
        samples: Tensor = self.generator(x, f0.flatten(), style, noise)
        return samples


class ResidualBlock(nn.Module):
    """Pairs of convolutions, dilated and not, each after a normalisation by style and a Snake."""

    def __init__(self, channels: int, size: int, dilations: tuple[int, ...], style_channels: int) -> None:
        super().__init__()
        count = range(len(dilations))
        self.convs1 = nn.ModuleList(conv(channels, channels, size, dilation=dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(conv(channels, channels, size) for _ in count)
        self.adain1 = nn.ModuleList(AdaInstanceNorm(style_channels, channels) for _ in count)
        self.adain2 = nn.ModuleList(AdaInstanceNorm(style_channels, channels) for _ in count)
        self.alpha1 = nn.ParameterList(nn.Parameter(torch.empty(1, channels, 1)) for _ in count)
        self.alpha2 = nn.ParameterList(nn.Parameter(torch.empty(1, channels, 1)) for _ in count)
        self.snake = Snake()

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Returns (1, channels, 1, time) for the same."""
        for index, (first, second) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            y = first(self.snake(self.adain1[index](x, style), self.alpha1[index]))
            x = second(self.snake(self.adain2[index](y, style), self.alpha2[index])) + x
        return x


class Generator(nn.Module):
    """Upsampling stages fed with a harmonic source; the last makes magnitudes and phases of short spectra."""

    def __init__(self, shape: GeneratorShape, style_channels: int) -> None:
        super().__init__()
        self.fft_size, self.hop = shape.fft_size, shape.hop
        self.m_source = HarmonicSource(prod(shape.rates) * shape.hop)
        channels = [shape.channels >> stage for stage in range(len(shape.rates) + 1)]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, (1, size), (1, rate), (0, (size - rate) // 2))
            for (wide, narrow), rate, size in zip(pairwise(channels), shape.rates, shape.kernel_sizes, strict=True)
        )
        kinds = list(zip(shape.block_kernel_sizes, shape.block_dilations, strict=True))
        self.blocks_per_stage = len(kinds)
        self.resblocks = nn.ModuleList(
            ResidualBlock(narrow, size, dilations, style_channels)
            for narrow in channels[1:]
            for size, dilations in kinds
        )
        self.noise_convs, self.noise_res = nn.ModuleList(), nn.ModuleList()
        for stage, narrow in enumerate(channels[1:], start=1):
            stride = prod(shape.rates[stage:])  # from the rate of the spectra to that of the stage
            is_last = stage == len(shape.rates)
            self.noise_convs.append(_source_conv(shape.fft_size + 2, narrow, stride))
            size = LAST_SOURCE_SIZE if is_last else SOURCE_SIZE
            self.noise_res.append(ResidualBlock(narrow, size, SOURCE_DILATIONS, style_channels))
        self.conv_post = conv(channels[-1], shape.fft_size + 2, POST_SIZE)

    def forward(self, x: Tensor, f0: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Returns samples (time,) for x (1, channels, 1, points), F0 in Hz (points,) and noise (time,)."""
        source = self._spectra(self.m_source(f0, noise))
        for stage, upsample in enumerate(self.ups):
            x = upsample(F.leaky_relu(x, STAGE_SLOPE))
            if stage == len(self.ups) - 1:
                x = torch.cat([x[..., 1:2], x], dim=3)  # one spectrum more than hops: the first is reflected
            x = x + self.noise_res[stage](self.noise_convs[stage](source), style)
            first = stage * self.blocks_per_stage
            blocks = self.resblocks[first : first + self.blocks_per_stage]
            x = sum(block(x, style) for block in blocks) / len(blocks)
        return self._samples(self.conv_post(F.leaky_relu(x, LAST_SLOPE)))

    def _spectra(self, samples: Tensor) -> Tensor:
        """Returns magnitudes, then phases, (1, fft + 2, 1, hops + 1)."""
        window = torch.hann_window(self.fft_size, device=samples.device)
        spectra = torch.stft(samples, self.fft_size, self.hop, window=window, return_complex=True)
        parts = torch.cat([spectra.abs(), spectra.angle()])  # (fft + 2, hops + 1)
        return parts[None, :, None].contiguous(memory_format=torch.channels_last)

    def _samples(self, x: Tensor) -> Tensor:
        """Returns samples of log-magnitudes and the sines' arguments of phases, (1, fft + 2, 1, hops + 1)."""
        window = torch.hann_window(self.fft_size, device=x.device)
        magnitude, phase = x[0, :, 0].float().chunk(2)  # (fft / 2 + 1, hops + 1) each
        spectra = torch.polar(magnitude.exp(), phase.sin())
        return torch.istft(spectra, self.fft_size, self.hop, window=window)


def _source_conv(in_channels: int, out_channels: int, stride: int) -> nn.Conv2d:
    """Returns the convolution that brings the source's spectra to a stage's rate."""
    if stride == 1:
        return conv(in_channels, out_channels)
    return nn.Conv2d(in_channels, out_channels, (1, 2 * stride), (1, stride), (0, (stride + 1) // 2))
