"""Runs the two halves of a network: utterances to latents over frames, windows of them to samples.

`engine.py` chooses one of two runners: `EagerRunner`, here, which computes the exact shapes and suits a CPU, and
`cuda_graph_runner.py`, which always computes the same few shapes and suits a GPU.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phonoscope.server.engines.mask import Mask
from phonoscope.server.engines.vits.batches import FrameBatch, TextBatch, with_height
from phonoscope.server.engines.vits.lengths import COARSE_STEPS, FINE_STEPS, padded_lengths
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.plan import VitsUtterance, Window

# Lengths up to that of most sentences are prepared; the work of longer ones far exceeds the cost of a new length.
PREPARED_FRAMES: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class AlignedLatents:
    """An utterance's latents, aligned with its frames."""

    phoneme_frames: Tensor  # (phonemes,), on the CPU
    latents: Tensor  # (latent, frames)
    speaker: Tensor | None  # (1, speaker_channels, 1, 1)


@dataclass(frozen=True, slots=True)
class Preparation:
    """A short piece of work that makes later windows of about `frames` faster."""

    frames: int
    run: Callable[[], object]


class NetworkRunner(Protocol):
    """One network, ready to run. Everything is called in inference mode, from one thread."""

    def align_latents(
        self, batch: Sequence[VitsUtterance], sources: Sequence[torch.Generator], max_frames: int
    ) -> Sequence[AlignedLatents]:
        """Returns each utterance's aligned latents, at most `max_frames` per phoneme; `sources` draw its noise."""

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Returns the samples of each window."""

    def preparations(self) -> Iterator[Preparation]:
        """Yields what makes later windows faster, the shortest length of each part of the network first."""


class EagerRunner:
    """Runs a network on the exact lengths of a batch; nothing is computed twice, and each row is its own launch.

    Args:
        model: the network.
        tile_bytes: largest activation of the generator; 0 for no tiles.
    """

    def __init__(self, model: Vits, tile_bytes: int = 0) -> None:
        self._model = model
        self._tile_bytes = tile_bytes
        self._steps = FINE_STEPS if model.dec.conv_pre.dtype == torch.float32 else COARSE_STEPS

    def align_latents(
        self, batch: Sequence[VitsUtterance], sources: Sequence[torch.Generator], max_frames: int
    ) -> Sequence[AlignedLatents]:
        """Returns each utterance's aligned latents, at most `max_frames` per phoneme."""
        text = TextBatch.of(batch, sources)
        speaker = self._model.speaker(text.speakers)
        prior = self._model.prior(text.ids, text.mask, text.duration_noise, speaker)
        durations = frames_of(prior.log_duration, text.length_scales, text.speeds, max_frames)
        laid = []
        for row, (utterance, source) in enumerate(zip(batch, sources, strict=True)):
            phonemes = slice(len(utterance.phoneme_ids))
            phoneme_frames = durations[row, phonemes]
            latents = _latents(
                phoneme_frames,
                mean=prior.mean[row, :, phonemes],
                deviation=prior.log_deviation[row, :, phonemes].exp() * utterance.noise_scale,
                source=source,
            )
            laid.append(AlignedLatents(phoneme_frames, latents, None if speaker is None else speaker[row : row + 1]))
        return laid

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Returns the samples of each window."""
        shape = self._model.shape
        batch = FrameBatch.of(windows, shape.flow_context_frames + shape.generator_context_frames, self._steps)
        near = batch.near(shape.generator_context_frames)
        rows = waveform(self._model, batch.latents, batch.mask, batch.speaker, near, self._tile_bytes).numpy()
        first = (batch.offset - near.start) * shape.samples_per_frame
        return [
            row[first : first + window.frames * shape.samples_per_frame].copy()
            for row, window in zip(rows, windows, strict=True)
        ]

    def preparations(self) -> Iterator[Preparation]:
        """Yields runs of the flow and of the generator's stages for each of their lengths up to that of a sentence.

        oneDNN generates code for a new length, which takes several times as long as a short window.
        """
        generator, flow, dtype = self._model.dec, self._model.flow, self._model.dec.conv_pre.dtype
        for stage, length in generator.piece_shapes(self._tile_bytes // dtype.itemsize):
            silence = _silence(generator.stage_channels(stage), length, dtype)
            yield Preparation(generator.frames_of(stage, length), partial(generator.run_stage, stage, silence))
        if self._steps is COARSE_STEPS:
            for length in padded_lengths(PREPARED_FRAMES, COARSE_STEPS):
                latents = _silence(self._model.shape.flow.latent_channels, length, dtype)
                yield Preparation(length, partial(flow, latents, None, self._some_speaker()))

    def _some_speaker(self) -> Tensor | None:
        speaker = self._model.speaker(torch.zeros(1, dtype=torch.long))
        return None if speaker is None else speaker.to(self._model.dec.conv_pre.dtype)


def _silence(channels: int, length: int, dtype: torch.dtype) -> Tensor:
    return with_height(torch.zeros(1, channels, length, dtype=dtype))


def frames_of(log_duration: Tensor, length_scales: Tensor, speeds: Tensor, max_frames: int) -> Tensor:
    """Returns whole frames for log durations, on the CPU, so that rounding never depends on the device.

    VITS rounds every phoneme up. Dividing durations by the speed before that would make twice the speed only 1.6 times
    the rate, since most phonemes last a few frames; so the ends of the rounded ones are divided, and rounded.

    Args:
        log_duration: in frames, (batch, phonemes).
        length_scales: of the voices, (batch, 1).
        speeds: as requested, (batch, phonemes).
        max_frames: for a phoneme at speed 1.
    """
    frames = (log_duration.exp() * length_scales).ceil().clamp(max=max_frames)
    ends = (frames / speeds.double()).cumsum(dim=1).round().clamp(min=1)
    return ends.diff(dim=1, prepend=torch.zeros_like(ends[:, :1])).long()


def _latents(phoneme_frames: Tensor, *, mean: Tensor, deviation: Tensor, source: torch.Generator) -> Tensor:
    """Returns one utterance's prior aligned with its frames, with its noise, (latent, frames)."""
    noise = torch.randn(mean.shape[0], int(phoneme_frames.sum()), generator=source)
    return mean.repeat_interleave(phoneme_frames, dim=1) + noise * deviation.repeat_interleave(phoneme_frames, dim=1)


def waveform(
    model: Vits, latents: Tensor, mask: Mask | None, speaker: Tensor | None, near: slice, tile_bytes: int = 0
) -> Tensor:
    """Returns samples in [-1, 1], (batch, frames of `near` * samples_per_frame), float32.

    Args:
        model: computes in the precision of its generator.
        latents: of windows and their context, (batch, latent, 1, frames).
        mask: of these frames, or None.
        speaker: (batch, speaker_channels, 1, 1), or None.
        near: the frames that the generator needs.
        tile_bytes: largest activation of the generator; 0 for no tiles.
    """
    dtype = model.dec.conv_pre.dtype
    speaker = None if speaker is None else speaker.to(dtype)
    z = model.flow(latents.to(dtype), mask, speaker)
    near_mask = None if mask is None else mask.cut(near.start, near.stop)
    samples: Tensor = model.dec(z[..., near], near_mask, speaker, tile_bytes // dtype.itemsize)
    return samples[:, 0, 0]
