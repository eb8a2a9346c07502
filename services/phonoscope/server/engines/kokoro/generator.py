"""The vocoder: features at twice the rate of frames become samples. Used by `model.py`.

Sources: Kaneko et al. 2022 (iSTFTNet, arXiv:2203.02395), Kong et al. 2020 (HiFi-GAN, arXiv:2010.05646). Tensors are
(batch, channels, 1, time). Parameter names are those of the published checkpoint.

Each stage raises the rate and mixes the harmonic source in. The last one does three quarters of the work and reads a
few milliseconds to each side, so that it can run over windows; the others run over whole utterances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.config import GeneratorShape
from phonoscope.server.engines.kokoro.layers import AdaInstanceNorm, Given, conv, snake
from phonoscope.server.engines.kokoro.source import HarmonicSource
from phonoscope.server.engines.mask import masked

STAGE_SLOPE: Final = 0.1
LAST_SLOPE: Final = 0.01
# Blocks of the branches that bring the source into each stage but the last, and into the last.
SOURCE_SIZE: Final = 7
LAST_SOURCE_SIZE: Final = 11
SOURCE_DILATIONS: Final = (1, 3, 5)
POST_SIZE: Final = 7
# Values that a convolution reads at once in a long sequence: in bfloat16 they fit into the cache of a core.
PIECE_VALUES: Final = 1 << 18


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
        self.reaches = [(size - 1) // 2 * dilation for dilation in dilations]
        self.undilated_reach = (size - 1) // 2

    @property
    def reach(self) -> int:
        """Positions to each side that an output depends on, apart from the moments."""
        return sum(self.reaches) + len(self.reaches) * self.undilated_reach

    def forward(self, x: Tensor, given: Given) -> Tensor:
        """Returns (batch, channels, 1, time) for the same."""
        for index, reach in enumerate(self.reaches):
            y = _convolved(x, self.adain1[index], self.alpha1[index], self.convs1[index], reach, given)
            y = _convolved(y, self.adain2[index], self.alpha2[index], self.convs2[index], self.undilated_reach, given)
            x = y.add_(x)
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

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its stages."""
        return _upsampling(self.ups[0]).weight.dtype

    @property
    def last_channels(self) -> int:
        """Channels of the last stage."""
        channels: int = self.conv_post.in_channels
        return channels

    @property
    def positions_per_point(self) -> int:
        """Positions of the last stage for each value of F0."""
        return prod(_rate(upsample) for upsample in self.ups)

    @property
    def reach(self) -> int:
        """Positions of the last stage to each side that its blocks and what follows them read."""
        blocks = self.resblocks[-self.blocks_per_stage :]
        return max(_reach(block) for block in blocks) + POST_SIZE // 2 + self.fft_size // (2 * self.hop)

    @property
    def source_reach(self) -> int:
        """Positions to each side that the source's own blocks read, in addition."""
        return _reach(self.noise_res[-1])

    def source(self, f0: Tensor, noise: Tensor) -> Tensor:
        """Returns the source's spectra for F0 in Hz (points,) and noise (samples,): (1, fft + 2, 1, hops + 1).

        Magnitudes first, then phases.
        """
        samples = self.m_source(f0, noise)
        window = torch.hann_window(self.fft_size, device=samples.device)
        spectra = torch.stft(samples, self.fft_size, self.hop, window=window, return_complex=True)
        parts = torch.cat([spectra.abs(), spectra.angle()])  # (fft + 2, hops + 1)
        return parts[None, :, None].contiguous(memory_format=torch.channels_last)

    def early_stages(self, x: Tensor, source: Tensor, given: Given) -> Tensor:
        """Returns the input of the last stage's blocks, without its source, for whole utterances.

        Args:
            x: (batch, channels, 1, points).
            source: spectra, (batch, fft + 2, 1, hops + 1).
            given: its mask is that of the points.
        """
        x, source = x.to(self.dtype), source.to(self.dtype)
        for stage, upsample in enumerate(self.ups[:-1]):
            x = upsample(masked(F.leaky_relu(x, STAGE_SLOPE), given.mask))
            given = given.stretched(_rate(upsample))
            x = self._mix(stage, x, self.noise_convs[stage](source)[..., : x.shape[3]], given)
        x = self.ups[-1](masked(F.leaky_relu(x, STAGE_SLOPE), given.mask))
        return torch.cat([x[..., 1:2], x], dim=3)  # one spectrum more than hops: the first is reflected

    def last_source(self, source: Tensor, given: Given) -> Tensor:
        """Returns what the source adds to the last stage, (batch, channels, 1, time), for its spectra."""
        made: Tensor = self.noise_res[-1](self.noise_convs[-1](source.to(self.dtype)), given)
        return made

    def last_blocks(self, x: Tensor, given: Given) -> Tensor:
        """Returns log-magnitudes and the sines' arguments of phases, (batch, fft + 2, 1, time)."""
        made = self._blocks(len(self.ups) - 1, x, given)
        return self.conv_post(masked(F.leaky_relu(made.float(), LAST_SLOPE), given.mask))  # type: ignore[no-any-return]

    def samples(self, x: Tensor) -> Tensor:
        """Returns samples (batch, hops * time) of the output of `last_blocks`, for hops + 1 spectra."""
        window = torch.hann_window(self.fft_size, device=x.device)
        magnitude, phase = x.squeeze(2).float().chunk(2, dim=1)  # (batch, fft / 2 + 1, hops + 1) each
        spectra = torch.polar(magnitude.exp(), phase.sin())
        return torch.istft(spectra, self.fft_size, self.hop, window=window)

    def _mix(self, stage: int, x: Tensor, source: Tensor, given: Given) -> Tensor:
        return self._blocks(stage, x + self.noise_res[stage](source, given), given)

    def _blocks(self, stage: int, x: Tensor, given: Given) -> Tensor:
        first = stage * self.blocks_per_stage
        total, *others = (block(x, given) for block in self.resblocks[first : first + self.blocks_per_stage])
        for made in others:
            total += made
        mean: Tensor = total.div_(self.blocks_per_stage)
        return mean


def _convolved(x: Tensor, norm: nn.Module, alpha: Tensor, convolution: nn.Module, reach: int, given: Given) -> Tensor:
    """Returns the convolution of x, normalised and with a Snake; a long sequence is computed piece by piece."""
    assert isinstance(norm, AdaInstanceNorm)  # noqa: S101  tells the type of a ModuleList's item
    factor, offset = norm.line(x, given)
    made: Tensor | None = None
    for piece in _pieces(x.shape[3], max(PIECE_VALUES // x.shape[1], 4 * reach), reach):
        part = snake(x[..., piece.left : piece.right], factor, offset, alpha)
        mask = None if given.mask is None else given.mask.cut(piece.left, piece.right)
        convolved: Tensor = convolution(masked(part, mask))
        if piece.stop - piece.start == x.shape[3]:
            return convolved
        made = torch.empty_like(x) if made is None else made
        made[..., piece.start : piece.stop] = convolved[..., piece.start - piece.left : piece.stop - piece.left]
    assert made is not None  # noqa: S101  a sequence has a piece
    return made


@dataclass(frozen=True, slots=True)
class _Piece:
    """Positions `left` to `right` are read, of which `start` to `stop` are kept (all excluded)."""

    left: int
    right: int
    start: int
    stop: int


def _pieces(length: int, piece: int, reach: int) -> Iterator[_Piece]:
    """Yields pieces of `piece` positions that keep each position once, `reach` from a cut or more.

    The last one begins earlier than it must rather than to be shorter: oneDNN generates code for each length.
    """
    piece = length if length <= 2 * piece else piece
    start = 0
    while start < length:
        left = max(min(start - reach, length - piece), 0)
        right = min(left + piece, length)
        stop = length if right == length else right - reach
        yield _Piece(left, right, start, stop)
        start = stop


def _upsampling(module: nn.Module) -> nn.ConvTranspose2d:
    assert isinstance(module, nn.ConvTranspose2d)  # noqa: S101  tells the type of a ModuleList's item
    return module


def _rate(module: nn.Module) -> int:
    return int(_upsampling(module).stride[1])


def _reach(block: nn.Module) -> int:
    assert isinstance(block, ResidualBlock)  # noqa: S101  tells the type of a ModuleList's item
    return block.reach


def _source_conv(in_channels: int, out_channels: int, stride: int) -> nn.Conv2d:
    """Returns the convolution that brings the source's spectra to a stage's rate."""
    if stride == 1:
        return conv(in_channels, out_channels)
    return nn.Conv2d(in_channels, out_channels, (1, 2 * stride), (1, stride), (0, (stride + 1) // 2))
