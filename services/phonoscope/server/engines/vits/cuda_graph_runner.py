"""The two halves of a network in a few fixed shapes, for a GPU: each shape recorded once, replayed for every batch.

Chosen by `engine.py` on CUDA devices; `cuda_graphs.py` records. A batch is padded to the next shape, in rows and in
length; the mask of real positions is itself an input, so one recording serves every mixture. Inputs are copied from
pinned memory without waiting, outputs are copied to pinned memory, and a batch waits once, at its end; `align_latents`
waits in the middle, since the number of frames is known only then.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phonoscope.server.engines.mask import DeviceMask
from phonoscope.server.engines.torch_devices import first_line
from phonoscope.server.engines.vits.batches import phoneme_speeds, with_height
from phonoscope.server.engines.vits.cuda_graphs import Outputs, Recorder, Recording
from phonoscope.server.engines.vits.lengths import padded_length
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.plan import VitsUtterance, Window
from phonoscope.server.engines.vits.runner import AlignedLatents, Preparation, frames_of, waveform

ROWS: Final = (1, 2, 4, 8, 16, 32)
PHONEMES: Final = (32, 64, 128, 256)
FRAMES: Final = (48, 128, 256, 512)
SlotT = TypeVar("SlotT", bound="_Slot")


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of a batch, and the length of each: phonemes, or frames without their context."""

    rows: int
    length: int

    @classmethod
    def around(cls, rows: int, length: int, lengths: Sequence[int]) -> Self:
        """Returns the smallest shape that fits; beyond the largest, a shape of its own."""
        return cls(
            next((size for size in ROWS if size >= rows), rows),
            next((size for size in lengths if size >= length), padded_length(length)),
        )


class CudaGraphRunner:
    """Runs a network in fixed shapes.

    Args:
        model: the network, in its final precision and on its final device.
        recorder: records on that device.

    Attributes:
        recorded: number of recorded shapes.
        refusal: why recording ended early; shapes that are not recorded run kernel by kernel.
    """

    def __init__(self, model: Vits, recorder: Recorder) -> None:
        self._model = model
        self._recorder = recorder
        self._texts: dict[Shape, _TextSlot] = {}
        self._windows: dict[Shape, _WindowSlot] = {}
        self.recorded = 0
        self.refusal = ""

    def record_all(self, rows: Sequence[int] = ROWS) -> None:
        """Records every shape for each number of rows, the largest first, so that the others fit into its memory."""
        if not self._recorder.is_recording_graphs:
            return
        try:
            for count in sorted(rows, reverse=True):
                for length in sorted(FRAMES, reverse=True):
                    self._record(_WindowSlot, Shape(count, length), self._windows)
                for length in sorted(PHONEMES, reverse=True):
                    self._record(_TextSlot, Shape(count, length), self._texts)
        except RuntimeError as error:  # includes torch's OutOfMemoryError, also for a slot's own tensors
            self.refusal = first_line(error)

    def _record(self, kind: type[SlotT], shape: Shape, recorded: dict[Shape, SlotT]) -> None:
        slot = kind(self._model, self._recorder, shape)
        slot.record()
        recorded[shape] = slot
        self.recorded += 1

    def align_latents(
        self, batch: Sequence[VitsUtterance], sources: Sequence[torch.Generator], max_frames: int
    ) -> Sequence[AlignedLatents]:
        """Returns each utterance's latents, aligned with its frames, at most `max_frames` for a phoneme."""
        shape = Shape.around(len(batch), max(len(utterance.phoneme_ids) for utterance in batch), PHONEMES)
        slot = self._texts.get(shape) or _TextSlot(self._model, self._recorder, shape)
        return slot.align_latents(batch, sources, max_frames)

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Returns the samples of each window."""
        shape = Shape.around(len(windows), max(window.frames for window in windows), FRAMES)
        slot = self._windows.get(shape) or _WindowSlot(self._model, self._recorder, shape)
        return slot.render(windows)

    def preparations(self) -> Iterator[Preparation]:
        """Yields nothing: `record_all` has prepared every shape."""
        yield from ()


class _Slot(ABC):
    """One shape: its input tensors, and its recording once there is one."""

    def __init__(self, model: Vits, recorder: Recorder, shape: Shape) -> None:
        self.shape = shape
        self._model = model
        self._recorder = recorder
        self._device = model.enc_p.emb.weight.device
        self._recording: Recording | None = None

    def record(self) -> None:
        """Records the computation. Raises RuntimeError if the device refuses."""
        self._recording = self._recorder.record(self._compute)

    @abstractmethod
    def _compute(self) -> Outputs:
        """Computes from the input tensors, without reading their values on the host."""

    def _computed(self) -> Outputs:
        """Computes from the current input tensors, without waiting for the result."""
        if self._recording is None:
            return self._compute()
        self._recording.replay()
        return self._recording.outputs

    def _host(self, *size: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(size, dtype=dtype, pin_memory=self._recorder.pins)

    def _on_device(self, host: Tensor) -> Tensor:
        return torch.zeros_like(host, device=self._device)


class _TextSlot(_Slot):
    """The global half: text encoder and durations, then the prior aligned with frames."""

    def __init__(self, model: Vits, recorder: Recorder, shape: Shape) -> None:
        super().__init__(model, recorder, shape)
        rows, length = shape.rows, shape.length
        self._ids = self._host(rows, length, dtype=torch.long)
        self._noise = self._host(rows, 2, 1, length)
        self._numbers = self._host(2, rows, dtype=torch.long)  # lengths, speakers
        self._log_duration = self._host(rows, length)
        self._inputs = [(host, self._on_device(host)) for host in (self._ids, self._noise, self._numbers)]

    def _compute(self) -> Outputs:
        ids, noise, (lengths, speakers) = (device for _, device in self._inputs)
        mask = DeviceMask(torch.zeros_like(lengths), lengths, self.shape.length)
        speaker = self._model.speaker(speakers)
        prior = self._model.prior(ids, mask, noise, speaker)
        shared = () if speaker is None else (speaker,)
        return prior.log_duration.contiguous(), prior.mean, prior.log_deviation, *shared

    def align_latents(
        self, batch: Sequence[VitsUtterance], sources: Sequence[torch.Generator], max_frames: int
    ) -> Sequence[AlignedLatents]:
        """Returns each utterance's latents, aligned with its frames."""
        self._fill(batch, sources)
        log_duration, mean, log_deviation, *speaker = self._computed()
        self._log_duration.copy_(log_duration, non_blocking=True)
        self._recorder.synchronise()
        scales = torch.tensor([[utterance.length_scale] for utterance in batch])
        speeds = phoneme_speeds(batch, self.shape.length)
        frames = frames_of(self._log_duration[: len(batch)], scales, speeds, max_frames)
        durations = [row[: len(utterance.phoneme_ids)] for row, utterance in zip(frames, batch, strict=True)]
        latents = self._latents(durations, batch, sources, mean, log_deviation)
        speakers = [speaker[0][row : row + 1].clone() if speaker else None for row in range(len(batch))]
        return [AlignedLatents(*parts) for parts in zip(durations, latents, speakers, strict=True)]

    def _fill(self, batch: Sequence[VitsUtterance], sources: Sequence[torch.Generator]) -> None:
        """Copies a batch to the device. Old data after its texts is masked, and further rows are not read."""
        for row, (utterance, source) in enumerate(zip(batch, sources, strict=True)):
            length = len(utterance.phoneme_ids)
            self._ids[row, :length] = torch.tensor(utterance.phoneme_ids)
            self._noise[row, :, 0, :length] = torch.randn(2, length, generator=source) * utterance.noise_w_scale
            self._numbers[:, row] = torch.tensor([length, utterance.speaker])
        for host, device in self._inputs:
            device.copy_(host, non_blocking=True)

    def _latents(
        self,
        durations: Sequence[Tensor],
        batch: Sequence[VitsUtterance],
        sources: Sequence[torch.Generator],
        mean: Tensor,
        log_deviation: Tensor,
    ) -> list[Tensor]:
        """Returns each utterance's prior over its frames, with its noise, (latent, frames); one gather for all."""
        totals = [int(phoneme_frames.sum()) for phoneme_frames in durations]
        columns = self._host(sum(totals), dtype=torch.long)  # which column of (latent, rows * length) a frame shows
        noise = self._host(mean.shape[1], sum(totals))
        start = 0
        for row, (phoneme_frames, utterance, source) in enumerate(zip(durations, batch, sources, strict=True)):
            stop = start + totals[row]
            first = row * self.shape.length
            phonemes = torch.arange(first, first + len(phoneme_frames))
            columns[start:stop] = phonemes.repeat_interleave(phoneme_frames)
            drawn = torch.randn(mean.shape[1], totals[row], generator=source)
            torch.mul(drawn, utterance.noise_scale, out=noise[:, start:stop])
            start = stop
        where = columns.to(self._device, non_blocking=True)
        laid, deviation = (x.transpose(0, 1).flatten(1).index_select(1, where) for x in (mean, log_deviation))
        latents = laid.addcmul_(noise.to(self._device, non_blocking=True), deviation.exp_())
        return [part.clone() for part in torch.split(latents, totals, dim=1)]  # copies, to free the batch


class _WindowSlot(_Slot):
    """The local half: flow and generator over windows and their context."""

    def __init__(self, model: Vits, recorder: Recorder, shape: Shape) -> None:
        super().__init__(model, recorder, shape)
        network = model.shape
        self._context = network.flow_context_frames + network.generator_context_frames
        near_start = network.flow_context_frames
        self._near = slice(near_start, near_start + shape.length + 2 * network.generator_context_frames)
        self._per_frame = network.samples_per_frame
        self._first_sample = network.generator_context_frames * self._per_frame
        self._length = shape.length + 2 * self._context
        self._latents = with_height(
            torch.zeros(shape.rows, network.flow.latent_channels, self._length, device=self._device)
        )
        self._spans = self._host(2, shape.rows, dtype=torch.long)  # starts, stops
        self._spans_there = self._on_device(self._spans)
        speakers = torch.zeros(shape.rows, network.speaker_channels, 1, 1, device=self._device)
        self._speaker = speakers if network.speaker_channels else None
        self._samples = self._host(shape.rows, shape.length * self._per_frame)

    def _compute(self) -> Outputs:
        starts, stops = self._spans_there
        mask = DeviceMask(starts, stops, self._length)
        samples = waveform(self._model, self._latents, mask, self._speaker, self._near)
        wanted = samples[:, self._first_sample : self._first_sample + self.shape.length * self._per_frame]
        return (wanted.contiguous(),)

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Returns the samples of each window."""
        self._fill(windows)
        [samples] = self._computed()
        self._samples.copy_(samples, non_blocking=True)
        self._recorder.synchronise()
        rows = self._samples.numpy()
        return [row[: window.frames * self._per_frame].copy() for row, window in zip(rows, windows, strict=False)]

    def _fill(self, windows: Sequence[Window]) -> None:
        """Copies windows with their context. Data of an earlier batch around them, and in further rows, is masked."""
        for row, window in enumerate(windows):
            plan = window.plan
            left = min(self._context, window.start)
            part = plan.latents[:, window.start - left : window.start - self._context + self._length]
            start = self._context - left
            stop = start + part.shape[1]
            self._latents[row, :, 0, start:stop] = part
            self._spans[0, row], self._spans[1, row] = start, stop
            if self._speaker is not None and plan.speaker is not None:
                self._speaker[row : row + 1] = plan.speaker
        self._spans_there.copy_(self._spans, non_blocking=True)
