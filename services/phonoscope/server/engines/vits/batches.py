"""Batches of utterances and windows of different lengths, as network inputs. Called by `runner.py`.

Where lengths differ there is a mask, so that a batch gives the same results as its members alone. Lengths come from a
small fixed set: oneDNN generates code for each new shape, which takes longer than rendering a short window, and keeps
it, which takes memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from phonoscope.server.engines.vits.mask import Mask, SpanMask
from phonoscope.server.engines.vits.plan import VitsUtterance, Window

# (lengths up to, step): a batch is padded to a multiple of its step.
LENGTH_STEPS: Final = ((128, 8), (256, 16), (512, 32), (1024, 64), (4096, 256))


@dataclass(frozen=True, slots=True, eq=False)
class TextBatch:
    """Utterances side by side, padded on the right."""

    ids: Tensor  # (batch, phonemes)
    mask: Mask | None
    duration_noise: Tensor  # (batch, 2, 1, phonemes)
    speakers: Tensor  # (batch,)
    length_scales: Tensor  # (batch, 1)
    speeds: Tensor  # (batch, phonemes)

    @classmethod
    def of(cls, utterances: Sequence[VitsUtterance], sources: Sequence[torch.Generator]) -> "TextBatch":
        """Returns the batch; each utterance draws its durations' noise from its own source."""
        lengths = [len(utterance.phoneme_ids) for utterance in utterances]
        padded = padded_length(max(lengths))
        ids = torch.zeros(len(utterances), padded, dtype=torch.long)
        noise = torch.zeros(len(utterances), 2, 1, padded)
        for row, (utterance, source, length) in enumerate(zip(utterances, sources, lengths, strict=True)):
            ids[row, :length] = torch.tensor(utterance.phoneme_ids)
            noise[row, :, 0, :length] = torch.randn(2, length, generator=source) * utterance.noise_w_scale
        return cls(
            ids=ids,
            mask=SpanMask.of([(0, length) for length in lengths], padded),
            duration_noise=noise,
            speakers=torch.tensor([utterance.speaker for utterance in utterances]),
            length_scales=torch.tensor([[utterance.length_scale] for utterance in utterances]),
            speeds=phoneme_speeds(utterances, padded),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Windows in a batch: each starts at `offset`, with context around it, and zeros past the utterance's end."""

    latents: Tensor  # (batch, latent, 1, context + frames + context)
    mask: Mask | None
    speaker: Tensor | None  # (batch, speaker_channels, 1, 1)
    offset: int
    frames: int

    @classmethod
    def of(cls, windows: Sequence[Window], context: int) -> "FrameBatch":
        """Returns windows with at least `context` frames around each, within the bounds of its utterance."""
        plans = [window.plan for window in windows]
        lefts = [min(context, window.start) for window in windows]
        offset = max(lefts)
        needed = [offset + w.frames + min(context, w.plan.frames - w.stop) for w in windows]
        length = padded_length(max(needed))
        latents = plans[0].latents.new_zeros(len(windows), plans[0].latents.shape[0], length)
        spans = []
        for row, (plan, window, left) in enumerate(zip(plans, windows, lefts, strict=True)):
            start = offset - left
            part = plan.latents[:, window.start - left : window.start + length - offset]  # context up to the end
            latents[row, :, start : start + part.shape[1]] = part
            spans.append((start, start + part.shape[1]))
        speakers = [plan.speaker for plan in plans if plan.speaker is not None]
        return cls(
            latents=with_height(latents),
            mask=SpanMask.of(spans, length),
            speaker=torch.cat(speakers) if speakers else None,
            offset=offset,
            frames=max(window.frames for window in windows),
        )

    def near(self, context: int) -> slice:
        """Returns the positions of the windows with at least `context` frames around them, a padded length of them."""
        end = self.latents.shape[3]
        left, right = max(0, self.offset - context), min(end, self.offset + self.frames + context)
        length = min(end, padded_length(right - left))
        left = min(left, end - length)  # more context on the left if the right has no room for the padding
        return slice(left, left + length)


def phoneme_speeds(utterances: Sequence[VitsUtterance], length: int) -> Tensor:
    """Returns the speed of each phoneme, (batch, length), 1 for padding."""
    speeds = torch.ones(len(utterances), length)
    for row, utterance in enumerate(utterances):
        speeds[row, : len(utterance.phoneme_ids)] = torch.tensor(utterance.speeds)
    return speeds


def padded_length(length: int) -> int:
    """Returns the smallest batch length that fits."""
    step = next((step for limit, step in LENGTH_STEPS if length <= limit), LENGTH_STEPS[-1][1])
    return -(-length // step) * step


def padded_lengths(max_length: int) -> list[int]:
    """Returns the batch lengths up to that of `max_length`."""
    lengths = [padded_length(1)]
    while lengths[-1] < max_length:
        lengths.append(padded_length(lengths[-1] + 1))
    return lengths


def with_height(x: Tensor) -> Tensor:
    """Returns (batch, channels, time) as (batch, channels, 1, time) with channels last in memory."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
