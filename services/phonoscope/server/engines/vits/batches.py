"""Utterances and windows of different lengths side by side, as the network takes them. Called by `engine.py`.

Where lengths differ there is a mask, so that a batch gives what its members give alone; where they do not, there is
none, and nothing is multiplied.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phonoscope.server.engines.base import Plan, Window
from phonoscope.server.types import Utterance


@dataclass(frozen=True, slots=True, eq=False)
class VitsPlan(Plan):
    """A prepared utterance: the prior's latents over frames, noise included, and who speaks them."""

    latents: Tensor  # (latent, frames)
    speaker: Tensor | None  # (1, speaker_channels, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class TextBatch:
    """Utterances side by side, padded on the right."""

    ids: Tensor  # (batch, phonemes)
    mask: Tensor | None  # (batch, 1, 1, phonemes); None where nothing is padding
    duration_noise: Tensor  # (batch, 2, 1, phonemes)
    speakers: Tensor  # (batch,)
    length_scales: Tensor  # (batch, 1)

    @classmethod
    def of(cls, utterances: Sequence[Utterance], sources: Sequence[torch.Generator]) -> "TextBatch":
        """Returns the batch on the CPU; each utterance draws its durations' noise from its own source."""
        lengths = [len(utterance.phoneme_ids) for utterance in utterances]
        ids = torch.zeros(len(utterances), max(lengths), dtype=torch.long)
        mask = torch.zeros(len(utterances), 1, 1, max(lengths))
        noise = torch.zeros(len(utterances), 2, 1, max(lengths))
        for row, (utterance, source, length) in enumerate(zip(utterances, sources, lengths, strict=True)):
            ids[row, :length] = torch.tensor(utterance.phoneme_ids)
            mask[row, ..., :length] = 1
            noise[row, :, 0, :length] = torch.randn(2, length, generator=source) * utterance.noise_w_scale
        return cls(
            ids=ids,
            mask=None if min(lengths) == max(lengths) else mask,
            duration_noise=noise,
            speakers=torch.tensor([utterance.speaker for utterance in utterances]),
            length_scales=torch.tensor([[utterance.length_scale] for utterance in utterances]),
        )

    def to(self, device: torch.device) -> "TextBatch":
        """Returns the batch on a device; the length scales stay, since durations are rounded on the CPU."""
        return TextBatch(
            ids=self.ids.to(device),
            mask=None if self.mask is None else self.mask.to(device),
            duration_noise=self.duration_noise.to(device),
            speakers=self.speakers.to(device),
            length_scales=self.length_scales,
        )


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Windows side by side: each starts at `offset`, its context around it, zeros where an utterance has ended."""

    latents: Tensor  # (batch, latent, 1, context + frames + context)
    mask: Tensor | None  # (batch, 1, 1, the same); None where no position is padding
    speaker: Tensor | None  # (batch, speaker_channels, 1, 1)
    offset: int
    frames: int

    @classmethod
    def of(cls, windows: Sequence[Window], context: int) -> "FrameBatch":
        """Lays windows out with up to `context` frames around each, as far as its utterance reaches."""
        plans = [_own(window) for window in windows]
        lefts = [min(context, window.start) for window in windows]
        rights = [min(context, window.plan.frames - window.stop) for window in windows]
        parts = [
            plan.latents[:, window.start - left : window.stop + right]
            for plan, window, left, right in zip(plans, windows, lefts, rights, strict=True)
        ]
        offset = max(lefts)
        latents, mask = _side_by_side(parts, [offset - left for left in lefts])
        speakers = [plan.speaker for plan in plans if plan.speaker is not None]
        return cls(
            latents=with_height(latents),
            mask=mask,
            speaker=torch.cat(speakers) if speakers else None,
            offset=offset,
            frames=max(window.frames for window in windows),
        )


def _own(window: Window) -> VitsPlan:
    if not isinstance(window.plan, VitsPlan):
        raise TypeError("the VITS engine renders plans of its own prepare only")
    return window.plan


def _side_by_side(parts: Sequence[Tensor], offsets: Sequence[int]) -> tuple[Tensor, Tensor | None]:
    """Returns (batch, latent, time) with each part at its offset, and the mask of what is not padding."""
    length = max(offset + part.shape[1] for part, offset in zip(parts, offsets, strict=True))
    if all(part.shape[1] == length for part in parts):
        return torch.stack(list(parts)), None
    latents = parts[0].new_zeros(len(parts), parts[0].shape[0], length)
    mask = parts[0].new_zeros(len(parts), 1, 1, length)
    for row, (part, offset) in enumerate(zip(parts, offsets, strict=True)):
        latents[row, :, offset : offset + part.shape[1]] = part
        mask[row, ..., offset : offset + part.shape[1]] = 1
    return latents, mask


def with_height(x: Tensor) -> Tensor:
    """Returns (batch, channels, time) as (batch, channels, 1, time) with channels last in memory."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
