"""Batches of utterances and windows of different lengths, as network inputs. Called by `runner.py`.

Where lengths differ there is a mask, so that a batch gives the same results as its members alone. Windows have lengths
from a fixed set: see `lengths.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phonoscope.server.engines.mask import Mask, SpanMask
from phonoscope.server.engines.vits.lengths import LengthSteps, padded_length
from phonoscope.server.engines.vits.plan import VitsUtterance, Window


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
        padded = max(lengths)
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
    steps: LengthSteps

    @classmethod
    def of(cls, windows: Sequence[Window], context: int, steps: LengthSteps) -> "FrameBatch":
        """Returns windows with at least `context` frames around each, within the bounds of its utterance.

        Args:
            windows: of one voice.
            context: frames that the network's first layers need on each side.
            steps: the lengths to pad to.
        """
        plans = [window.plan for window in windows]
        lefts = [min(context, window.start) for window in windows]
        offset = max(lefts)
        needed = [offset + w.frames + min(context, w.plan.frames - w.stop) for w in windows]
        length = padded_length(max(needed), steps)
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
            steps=steps,
        )

    def near(self, context: int) -> slice:
        """Returns the positions of the windows with at least `context` frames around them, a padded length of them."""
        end = self.latents.shape[3]
        left, right = max(0, self.offset - context), min(end, self.offset + self.frames + context)
        length = min(end, padded_length(right - left, self.steps))
        left = min(left, end - length)  # more context on the left if the right has no room for the padding
        return slice(left, left + length)


def phoneme_speeds(utterances: Sequence[VitsUtterance], length: int) -> Tensor:
    """Returns the speed of each phoneme, (batch, length), 1 for padding."""
    speeds = torch.ones(len(utterances), length)
    for row, utterance in enumerate(utterances):
        speeds[row, : len(utterance.phoneme_ids)] = torch.tensor(utterance.speeds)
    return speeds


def with_height(x: Tensor) -> Tensor:
    """Returns (batch, channels, time) as (batch, channels, 1, time) with channels last in memory."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
