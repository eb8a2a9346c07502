"""The VITS engine: Piper voices behind the Engine contract.

Built by `__main__`, called by the scheduler from the engine thread. `prepare` runs the text encoder and the duration
predictor and lays the prior's latents out over frames; `render` runs the flow and the generator over a window of
frames with enough context on both sides that its samples equal those of the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phonoscope.common.errors import SettingsError, VoiceFileError
from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.engines.vits.config import read_voice
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.weights import read_weights
from phonoscope.server.types import Utterance, Voice

# Values in one activation of a generator's tile: 512 KiB, a few of which fit the second-level caches of a server CPU.
# docs/benchmarks.md has the sweep.
CPU_TILE_VALUES: Final = 128 * 1024
CPU_TUNING: Final = Tuning(prepare_batch=8, render_batch=4, first_window_frames=24, largest_window_frames=512)
CUDA_TUNING: Final = Tuning(prepare_batch=32, render_batch=32, first_window_frames=48, largest_window_frames=1024)
WARM_UP_PHONEMES: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVoice:
    """A voice and its network."""

    voice: Voice
    model: Vits


@dataclass(frozen=True, slots=True, eq=False)
class VitsPlan(Plan):
    """A prepared utterance: the prior's latents over frames, noise included, and who speaks them."""

    latents: Tensor  # (latent, frames)
    speaker: Tensor | None  # (1, speaker_channels, 1, 1)


def resolve_device(name: str) -> torch.device:
    """Returns the device for "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        SettingsError: the name is none of these, or that device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise SettingsError(f"device {name!r} is unknown; choose auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"device {name!r} is not there: torch sees {torch.cuda.device_count()} CUDA device(s); check the driver "
            "and that torch is a CUDA build, or choose cpu"
        )
    return torch.device(name)


def load_voice(onnx_path: Path, device: torch.device) -> LoadedVoice:
    """Loads a Piper voice from NAME.onnx and NAME.onnx.json onto a device.

    Raises:
        VoiceFileError: either file is missing, corrupt, truncated or foreign, or they do not belong together.
    """
    voice = read_voice(onnx_path.with_name(onnx_path.name + ".json"))
    weights = read_weights(onnx_path)
    _check_pair(onnx_path, voice, weights.shape.text_encoder.symbols, weights.shape.speakers)
    with torch.device("meta"):  # no memory, no random numbers: every parameter comes from the file
        model = Vits(weights.shape)
    try:
        model.load_state_dict(_laid_out(weights.parameters, model), assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise VoiceFileError(f"{onnx_path}: is not a whole Piper voice: {reason[:300]}; fetch it again") from error
    return LoadedVoice(voice, model.eval().requires_grad_(requires_grad=False).to(device))


def _laid_out(parameters: Mapping[str, Tensor], model: Vits) -> dict[str, Tensor]:
    """Returns the parameters in the model's layout: convolutions have a height of 1, and channels last in memory."""
    convolutions = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    }
    return {name: _wide(tensor) if name in convolutions else tensor for name, tensor in parameters.items()}


def _check_pair(path: Path, voice: Voice, symbols: int, speakers: int) -> None:
    highest = max((i for ids in voice.phonemes.ids.values() for i in ids), default=0)
    if highest >= symbols:
        raise VoiceFileError(f"{path}: knows {symbols} phonemes but its .json names number {highest}; not a pair")
    if max(1, len(voice.speakers)) != speakers:
        raise VoiceFileError(
            f"{path}: has {speakers} speaker(s) but its .json names {len(voice.speakers)}; not a pair"
        )


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
            highest = loaded.model.shape.text_encoder.symbols - 1
            ids = tuple(i % highest for i in range(WARM_UP_PHONEMES))
            scales = (voice.length_scale, voice.noise_scale, voice.noise_w_scale)
            [plan] = self.prepare([Utterance(voice.id, ids, voice.default_speaker, *scales, seed=0)])
            self.render([Window(plan, 0, min(plan.frames, self.tuning.first_window_frames))])
            self.render([Window(plan, 0, plan.frames)])

    @torch.inference_mode()
    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        """Turns utterances of one voice into plans, in order."""
        loaded = self._voices[batch[0].voice_id]
        lengths = [len(utterance.phoneme_ids) for utterance in batch]
        ids = torch.zeros(len(batch), max(lengths), dtype=torch.long)
        real = torch.zeros(len(batch), 1, 1, max(lengths))
        duration_noise = torch.zeros(len(batch), 2, 1, max(lengths))
        sources = [torch.Generator().manual_seed(utterance.seed) for utterance in batch]
        for row, (utterance, source, length) in enumerate(zip(batch, sources, lengths, strict=True)):
            ids[row, :length] = torch.tensor(utterance.phoneme_ids)
            real[row, ..., :length] = 1
            duration_noise[row, :, 0, :length] = torch.randn(2, length, generator=source) * utterance.noise_w_scale
        mask = None if min(lengths) == max(lengths) else real.to(self._device)
        speaker = loaded.model.speaker(torch.tensor([u.speaker for u in batch], device=self._device))
        prior = loaded.model.prior(ids.to(self._device), mask, duration_noise.to(self._device), speaker)
        scales = torch.tensor([[utterance.length_scale] for utterance in batch])
        durations = (prior.log_duration.cpu().exp() * scales).ceil().long()  # (batch, phonemes)
        return [
            self._plan(
                loaded,
                utterance,
                phoneme_frames=durations[row, :length],
                mean=prior.mean[row, :, :length],
                deviation=prior.log_deviation[row, :, :length].exp() * utterance.noise_scale,
                source=source,
                speaker=None if speaker is None else speaker[row : row + 1],
            )
            for row, (utterance, source, length) in enumerate(zip(batch, sources, lengths, strict=True))
        ]

    def _plan(
        self,
        loaded: LoadedVoice,
        utterance: Utterance,
        *,
        phoneme_frames: Tensor,
        mean: Tensor,
        deviation: Tensor,
        source: torch.Generator,
        speaker: Tensor | None,
    ) -> VitsPlan:
        """Lays one utterance's prior out over its frames and adds the noise; mean and deviation by phoneme."""
        repeats = phoneme_frames.to(self._device)
        frames = int(phoneme_frames.sum())
        noise = torch.randn(mean.shape[0], frames, generator=source).to(self._device)
        latents = mean.repeat_interleave(repeats, dim=1) + noise * deviation.repeat_interleave(repeats, dim=1)
        return VitsPlan(
            voice_id=utterance.voice_id,
            frames=frames,
            samples_per_frame=loaded.model.shape.samples_per_frame,
            sample_rate_hz=loaded.voice.sample_rate_hz,
            phoneme_frames=tuple(phoneme_frames.tolist()),
            latents=latents,  # (latent, frames)
            speaker=speaker,
        )

    @torch.inference_mode()
    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Turns windows of one voice into samples, in order."""
        model = self._voices[windows[0].plan.voice_id].model
        flow_context, generator_context = model.shape.flow_context_frames, model.shape.generator_context_frames
        packed = _pack(windows, flow_context + generator_context)
        z = model.flow(packed.latents, packed.mask, packed.speaker)
        left = max(0, packed.offset - generator_context)
        near = slice(left, packed.offset + packed.frames + generator_context)
        mask = None if packed.mask is None else packed.mask[..., near]
        samples = model.dec(z[..., near], mask, packed.speaker, self._tile_values)
        rows = samples[:, 0, 0].cpu().numpy()  # (batch, samples)
        per_frame = model.shape.samples_per_frame
        first = (packed.offset - left) * per_frame
        return [
            row[first : first + window.frames * per_frame].copy() for row, window in zip(rows, windows, strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Packed:
    """Windows side by side: each starts at `offset`, its context around it, zeros where an utterance has ended."""

    latents: Tensor  # (batch, latent, 1, context + frames + context)
    mask: Tensor | None  # (batch, 1, 1, the same); None where no position is padding
    speaker: Tensor | None  # (batch, speaker_channels, 1, 1)
    offset: int
    frames: int


def _pack(windows: Sequence[Window], context: int) -> _Packed:
    """Lays windows out with up to `context` frames around each, as far as its utterance reaches."""
    plans = [window.plan for window in windows]
    if not all(isinstance(plan, VitsPlan) for plan in plans):
        raise TypeError("the VITS engine renders plans of its own prepare only")
    lefts = [min(context, window.start) for window in windows]
    rights = [min(context, window.plan.frames - window.stop) for window in windows]
    offset, frames = max(lefts), max(window.frames for window in windows)
    length = max(offset + w.frames + right for w, right in zip(windows, rights, strict=True))
    slices = [
        plan.latents[:, w.start - left : w.stop + right]
        for plan, w, left, right in zip(plans, windows, lefts, rights, strict=True)
        if isinstance(plan, VitsPlan)
    ]
    speakers = [plan.speaker for plan in plans if isinstance(plan, VitsPlan) and plan.speaker is not None]
    speaker = torch.cat(speakers) if speakers else None
    if all(part.shape[1] == length for part in slices):
        return _Packed(_wide(torch.stack(slices)), None, speaker, offset, frames)
    latents = slices[0].new_zeros(len(windows), slices[0].shape[0], length)
    mask = slices[0].new_zeros(len(windows), 1, 1, length)
    for row, (part, left) in enumerate(zip(slices, lefts, strict=True)):
        span = slice(offset - left, offset - left + part.shape[1])
        latents[row, :, span] = part
        mask[row, ..., span] = 1
    return _Packed(_wide(latents), mask, speaker, offset, frames)


def _wide(x: Tensor) -> Tensor:
    """Returns (batch, channels, time) as (batch, channels, 1, time) with channels last in memory."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
