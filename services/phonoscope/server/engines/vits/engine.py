"""The VITS engine: Piper voices behind the Engine contract.

Built by `__main__`, called by the scheduler from the engine thread. `prepare` runs the text encoder and the duration
predictor and lays the prior's latents out over frames; `render` runs the flow and the generator over a window of
frames with enough context on both sides that its samples equal those of the whole.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.engines.vits.batches import FrameBatch, TextBatch, VitsPlan
from phonoscope.server.engines.vits.loading import LoadedVoice
from phonoscope.server.types import Utterance, Voice

# Values in one activation of a generator's tile: 512 KiB, a few of which fit the second-level caches of a server CPU.
# docs/benchmarks.md has the sweep.
CPU_TILE_VALUES: Final = 128 * 1024
CPU_TUNING: Final = Tuning(prepare_batch=8, render_batch=4, first_window_frames=24, largest_window_frames=512)
CUDA_TUNING: Final = Tuning(prepare_batch=32, render_batch=32, first_window_frames=48, largest_window_frames=1024)
WARM_UP_PHONEMES: Final = 40
# The durations are an exponential of noise: this bounds what one unlucky or damaged phoneme can ask for.
MOST_PHONEME_SECONDS: Final = 10


class VitsEngine:
    """Speaks with Piper voices on one device.

    Args:
        voices: at least one, all on `device`.
        device: where to compute.
        threads: CPU threads of torch in this process; 0 leaves torch's own choice.
    """

    name = "vits"

    def __init__(self, voices: Sequence[LoadedVoice], device: torch.device, *, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        # Convolutions in TF32 would move samples by more than batches and windows may; speed there is fp16's work.
        torch.backends.cudnn.allow_tf32 = False
        self._device = device
        self._voices: Mapping[str, LoadedVoice] = {loaded.voice.id: loaded for loaded in voices}
        self._tile_values = CPU_TILE_VALUES if device.type == "cpu" else 0

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""
        return str(self._device)

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""
        return [loaded.voice for loaded in self._voices.values()]

    @property
    def tuning(self) -> Tuning:
        """What this device does best."""
        return CPU_TUNING if self._device.type == "cpu" else CUDA_TUNING

    def warm_up(self) -> None:
        """Speaks a made-up utterance with every voice, so that kernels are chosen and memory is allocated."""
        for loaded in self._voices.values():
            voice = loaded.voice
            ids = tuple(i % loaded.model.shape.text_encoder.symbols for i in range(WARM_UP_PHONEMES))
            scales = (voice.length_scale, voice.noise_scale, voice.noise_w_scale)
            [plan] = self.prepare([Utterance(voice.id, ids, voice.default_speaker, *scales, seed=0)])
            self.render([Window(plan, 0, min(plan.frames, self.tuning.first_window_frames))])
            self.render([Window(plan, 0, plan.frames)])

    @torch.inference_mode()
    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        """Turns utterances of one voice into plans, in order."""
        loaded = self._voices[batch[0].voice_id]
        sources = [torch.Generator().manual_seed(utterance.seed) for utterance in batch]
        text = TextBatch.of(batch, sources).to(self._device)
        speaker = loaded.model.speaker(text.speakers)
        prior = loaded.model.prior(text.ids, text.mask, text.duration_noise, speaker)
        most_frames = self._most_phoneme_frames(loaded)
        durations = (prior.log_duration.cpu().exp() * text.length_scales).ceil().clamp(max=most_frames).long()
        plans: list[Plan] = []
        for row, (utterance, source) in enumerate(zip(batch, sources, strict=True)):
            phonemes = slice(len(utterance.phoneme_ids))
            phoneme_frames = durations[row, phonemes]
            plans.append(
                VitsPlan(
                    voice_id=utterance.voice_id,
                    frames=int(phoneme_frames.sum()),
                    samples_per_frame=loaded.model.shape.samples_per_frame,
                    sample_rate_hz=loaded.voice.sample_rate_hz,
                    phoneme_frames=tuple(phoneme_frames.tolist()),
                    latents=self._latents(
                        phoneme_frames,
                        mean=prior.mean[row, :, phonemes],
                        deviation=prior.log_deviation[row, :, phonemes].exp() * utterance.noise_scale,
                        source=source,
                    ),
                    speaker=None if speaker is None else speaker[row : row + 1],
                )
            )
        return plans

    def _latents(self, phoneme_frames: Tensor, *, mean: Tensor, deviation: Tensor, source: torch.Generator) -> Tensor:
        """Returns one utterance's prior laid out over its frames, with its noise, (latent, frames)."""
        repeats = phoneme_frames.to(self._device)
        noise = torch.randn(mean.shape[0], int(phoneme_frames.sum()), generator=source).to(self._device)
        return mean.repeat_interleave(repeats, dim=1) + noise * deviation.repeat_interleave(repeats, dim=1)

    def _most_phoneme_frames(self, loaded: LoadedVoice) -> int:
        return MOST_PHONEME_SECONDS * loaded.voice.sample_rate_hz // loaded.model.shape.samples_per_frame

    @torch.inference_mode()
    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Turns windows of one voice into samples, in order."""
        model = self._voices[windows[0].plan.voice_id].model
        flow_context, generator_context = model.shape.flow_context_frames, model.shape.generator_context_frames
        batch = FrameBatch.of(windows, flow_context + generator_context)
        z = model.flow(batch.latents, batch.mask, batch.speaker)
        left = max(0, batch.offset - generator_context)
        near = slice(left, batch.offset + batch.frames + generator_context)
        mask = None if batch.mask is None else batch.mask[..., near]
        samples = model.dec(z[..., near], mask, batch.speaker, self._tile_values)
        rows = samples[:, 0, 0].cpu().numpy()  # (batch, samples)
        per_frame = model.shape.samples_per_frame
        first = (batch.offset - left) * per_frame
        return [
            row[first : first + window.frames * per_frame].copy() for row, window in zip(rows, windows, strict=True)
        ]
