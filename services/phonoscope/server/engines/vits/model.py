"""VITS as it runs: text to latents (`prepare`), latents to waveform (`render`).

Called by `engine.py`. Follows Kim et al. 2021 (arXiv:2106.06103), figure 1b. The network is for inference only:
it omits the posterior encoder and the discriminators of training. Shapes are in trailing comments.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.mask import Mask, masked
from phonoscope.server.engines.vits.config import (
    DurationShape,
    FlowShape,
    GeneratorShape,
    TextEncoderShape,
    VitsShape,
)
from phonoscope.server.engines.vits.convolutions import conv, same_conv
from phonoscope.server.engines.vits.lengths import UNIT, piece_lengths, pieces
from phonoscope.server.engines.vits.modules import (
    LEAKY_SLOPE,
    AffineCoupling,
    ChannelNorm,
    FeedForward,
    RelativeAttention,
    ResidualBlock,
    SeparableStack,
    SplineCoupling,
    embedding,
)

LAST_LEAKY_SLOPE = 0.01


class EncoderStack(nn.Module):
    """The transformer: attention and feed-forward, normalised after each sum."""

    def __init__(self, shape: TextEncoderShape) -> None:
        super().__init__()
        hidden = shape.hidden_channels
        self.attn_layers = nn.ModuleList(
            RelativeAttention(hidden, shape.heads, shape.window) for _ in range(shape.layers)
        )
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(hidden) for _ in range(shape.layers))
        self.ffn_layers = nn.ModuleList(
            FeedForward(hidden, shape.filter_channels, shape.kernel_size) for _ in range(shape.layers)
        )
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(hidden) for _ in range(shape.layers))

    def forward(self, x: Tensor, mask: Mask | None) -> Tensor:
        """Returns the hidden states, masked; (batch, hidden, 1, phonemes) in and out."""
        attend = None if mask is None else mask.real(x.device)  # (batch, 1, 1, phonemes)
        x = masked(x, mask)
        for attention, norm_1, feed_forward, norm_2 in zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        ):
            x = norm_1(x + attention(x, attend))
            x = norm_2(x + feed_forward(x, mask))
        return masked(x, mask)


class TextEncoder(nn.Module):
    """Phoneme ids to hidden states and to the prior's mean and log deviation."""

    def __init__(self, shape: TextEncoderShape) -> None:
        super().__init__()
        self.scale = math.sqrt(shape.hidden_channels)
        self.emb = embedding(shape.symbols, shape.hidden_channels)
        self.encoder = EncoderStack(shape)
        self.proj = same_conv(shape.hidden_channels, 2 * shape.latent_channels)

    def forward(self, ids: Tensor, mask: Mask | None) -> tuple[Tensor, Tensor, Tensor]:
        """Returns hidden states, means, log deviations; ids are (batch, phonemes)."""
        embedded = (self.emb(ids) * self.scale).unsqueeze(1).permute(0, 3, 1, 2)  # (batch, hidden, 1, phonemes)
        x = self.encoder(embedded, mask)
        mean, log_deviation = masked(self.proj(x), mask).chunk(2, dim=1)  # (batch, latent, 1, phonemes) each
        return x, mean, log_deviation


class ElementwiseAffine(nn.Module):
    """A scale and a shift for each channel, run backwards."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(channels, 1))
        self.logs = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor, mask: Mask | None) -> Tensor:
        """Inverts x * exp(logs) + m."""
        return masked((x - self.m.unsqueeze(-1)) * torch.exp(-self.logs.unsqueeze(-1)), mask)


class DurationPredictor(nn.Module):
    """Noise to log durations, conditioned on the text: a flow run backwards (Kim et al. 2021, section 2.5.5).

    The flow's second layer only serves training and is left out, as in the published model.
    """

    def __init__(self, shape: DurationShape, speaker_channels: int) -> None:
        super().__init__()
        filters = shape.filter_channels
        self.pre = same_conv(shape.hidden_channels, filters)
        self.convs = SeparableStack(filters, shape.kernel_size, shape.layers)
        self.proj = same_conv(filters, filters)
        if speaker_channels:
            self.cond = same_conv(speaker_channels, filters)
        self.flows = nn.ModuleDict({"0": ElementwiseAffine(2)})
        self.flows.update(
            {
                str(number): SplineCoupling(filters, shape.kernel_size, shape.layers, shape.bins)
                for number in shape.flow_numbers
            }
        )
        self._backwards = tuple(str(number) for number in sorted(shape.flow_numbers, reverse=True))

    def forward(self, x: Tensor, mask: Mask | None, noise: Tensor, speaker: Tensor | None) -> Tensor:
        """Returns log durations in frames, (batch, 1, 1, phonemes); noise is (batch, 2, 1, phonemes)."""
        x = self.pre(x)
        if speaker is not None:
            x = x + self.cond(speaker)
        x = masked(self.proj(self.convs(x, mask)), mask)  # (batch, filters, 1, phonemes)
        z: Tensor = masked(noise, mask)
        for number in self._backwards:
            z = self.flows[number](z.flip(1), mask, x)
        z = self.flows["0"](z.flip(1), mask)
        return z[:, :1]


class Flow(nn.Module):
    """The prior's normalising flow, run backwards: couplings with the channels reversed between them."""

    def __init__(self, shape: FlowShape, speaker_channels: int) -> None:
        super().__init__()
        self.flows = nn.ModuleDict(
            {
                str(number): AffineCoupling(
                    shape.latent_channels,
                    shape.hidden_channels,
                    shape.kernel_size,
                    shape.dilations,
                    speaker_channels,
                )
                for number in shape.flow_numbers
            }
        )
        self._backwards = tuple(str(number) for number in sorted(shape.flow_numbers, reverse=True))

    def forward(self, z: Tensor, mask: Mask | None, speaker: Tensor | None) -> Tensor:
        """Returns the generator's input; (batch, latent, 1, frames) in and out."""
        for number in self._backwards:
            z = self.flows[number](z.flip(1), mask, speaker)
        return z


class Generator(nn.Module):
    """The vocoder: HiFi-GAN's generator (Kong et al. 2020, section 2.2).

    Each stage can run in pieces of time, with as much context as its convolutions reach, so that its activations stay
    in cache and its convolutions see few lengths; the result is the same as without pieces. Stages with many samples
    have a short context, so pieces cost little: 13 input positions, at 4 samples each, for the last stage of a medium
    voice.
    """

    def __init__(self, shape: GeneratorShape, speaker_channels: int) -> None:
        super().__init__()
        self.conv_pre = conv(shape.conv_pre)
        self.conv_pre_channels = shape.conv_pre.out_channels
        if speaker_channels:
            self.cond = same_conv(speaker_channels, shape.conv_pre.out_channels)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(up.in_channels, up.out_channels, (1, up.kernel_size), (1, up.stride), (0, up.padding))
            for up in shape.ups
        )
        self.resblocks = nn.ModuleList(ResidualBlock(block) for stage in shape.blocks for block in stage)
        self.conv_post = conv(shape.conv_post)
        self.strides = tuple(up.stride for up in shape.ups)
        self.channels = tuple(up.out_channels for up in shape.ups)
        self.reaches = shape.stage_reaches
        self.blocks_per_stage = len(shape.blocks[0])

    def forward(self, x: Tensor, mask: Mask | None, speaker: Tensor | None, tile_values: int = 0) -> Tensor:
        """Returns samples in [-1, 1], (batch, 1, 1, frames * samples_per_frame).

        Args:
            x: the flow's output, (batch, latent, 1, frames).
            mask: of the frames, or None.
            speaker: (batch, speaker_channels, 1, 1), or None.
            tile_values: maximum values that a stage computes at once in each activation; 0 for no tiles.
        """
        x = self.conv_pre(x if mask is None else masked(x.clone(), mask))
        if speaker is not None:
            x = x + self.cond(speaker)
        x = masked(x, mask)
        for stage, stride in enumerate(self.strides):
            lengths = self._piece_lengths(stage, tile_values // x.shape[0]) if tile_values else ()
            x = self._in_pieces(stage, x, mask, lengths) if lengths else self.run_stage(stage, x, mask)
            mask = None if mask is None else mask.stretched(stride)
        return x

    def piece_shapes(self, tile_values: int) -> Sequence[tuple[int, int]]:
        """Returns each stage's number with each length of input that it computes in `forward`, the shortest first."""
        shapes = [
            (length // self._unit(stage), stage, length)
            for stage in range(len(self.strides))
            for length in self._piece_lengths(stage, tile_values)
        ]
        return [(stage, length) for _, stage, length in sorted(shapes)]

    def frames_of(self, stage: int, length: int) -> int:
        """Returns the frames of `length` input positions of a stage."""
        return length * UNIT // self._unit(stage)

    def stage_channels(self, stage: int) -> int:
        """Returns the channels of a stage's input."""
        return self.channels[stage - 1] if stage else self.conv_pre_channels

    def _unit(self, stage: int) -> int:
        """Returns a stage's input positions for the shortest length of windows."""
        return UNIT * math.prod(self.strides[:stage])

    def _piece_lengths(self, stage: int, tile_values: int) -> Sequence[int]:
        max_length = tile_values // (self.channels[stage] * self.strides[stage])
        return piece_lengths(max_length, self._unit(stage), self.reaches[stage])

    def _in_pieces(self, stage: int, x: Tensor, mask: Mask | None, lengths: Sequence[int]) -> Tensor:
        """Runs a stage over pieces of these lengths and joins the results."""
        stride, reach = self.strides[stage], self.reaches[stage]
        parts = []
        for piece in pieces(x.shape[3], lengths, reach):
            cut = None if mask is None else mask.cut(piece.left, piece.right)
            part = self.run_stage(stage, x[..., piece.left : piece.right], cut)
            parts.append(part[..., (piece.start - piece.left) * stride : (piece.stop - piece.left) * stride])
        return torch.cat(parts, dim=3) if len(parts) > 1 else parts[0]

    def run_stage(self, stage: int, x: Tensor, mask: Mask | None = None) -> Tensor:
        """Runs one stage: upsampling, then the mean of its residual blocks; after the last, the waveform."""
        mask = None if mask is None else mask.stretched(self.strides[stage])
        x = masked(self.ups[stage](F.leaky_relu(x, LEAKY_SLOPE)), mask)
        first = stage * self.blocks_per_stage
        total = self.resblocks[first](x, mask)
        for number in range(first + 1, first + self.blocks_per_stage):
            total.add_(self.resblocks[number](x, mask))
        x = total.div_(self.blocks_per_stage)
        if stage == len(self.strides) - 1:
            x = self.conv_post(F.leaky_relu(x, LAST_LEAKY_SLOPE).to(self.conv_post.dtype)).tanh_()
        return x


@dataclass(frozen=True, slots=True)
class Prior:
    """The prior of a batch without noise: its statistics and log durations, by phoneme."""

    mean: Tensor  # (batch, latent, phonemes)
    log_deviation: Tensor  # (batch, latent, phonemes)
    log_duration: Tensor  # (batch, phonemes)


class Vits(nn.Module):
    """The whole network of one voice."""

    def __init__(self, shape: VitsShape) -> None:
        super().__init__()
        self.shape = shape
        self.enc_p = TextEncoder(shape.text_encoder)
        self.dp = DurationPredictor(shape.duration, shape.speaker_channels)
        self.flow = Flow(shape.flow, shape.speaker_channels)
        self.dec = Generator(shape.generator, shape.speaker_channels)
        if shape.speaker_channels:
            self.emb_g = embedding(shape.speakers, shape.speaker_channels)

    def speaker(self, numbers: Tensor) -> Tensor | None:
        """Returns speaker embeddings, (batch, speaker_channels, 1, 1), or None for a voice of one speaker."""
        return self.emb_g(numbers)[:, :, None, None] if self.shape.speaker_channels else None

    def prior(self, ids: Tensor, mask: Mask | None, duration_noise: Tensor, speaker: Tensor | None) -> Prior:
        """Returns the prior of a batch of phoneme ids, (batch, phonemes).

        Args:
            ids: phoneme ids, padded with anything.
            mask: of the phonemes, or None if there is no padding.
            duration_noise: (batch, 2, 1, phonemes).
            speaker: the result of `speaker`.
        """
        x, mean, log_deviation = self.enc_p(ids, mask)
        log_duration = self.dp(x, mask, duration_noise, speaker)
        return Prior(mean.squeeze(2), log_deviation.squeeze(2), log_duration[:, 0, 0])
