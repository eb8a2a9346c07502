"""The network's inputs and plans: an utterance with its scales, its latents over frames, windows of them.

`job.py` makes utterances and windows, `engine.py` plans, `batches.py` makes batches of them.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class VitsUtterance:
    """A sentence for the network.

    Attributes:
        voice_id: the voice to speak with.
        phoneme_ids: ids with pads and marks, from the voice's PhonemeScheme.
        speaker: speaker number within the voice.
        length_scale: the voice's own duration as a ratio, before it is rounded to frames; 2.0 is twice as slow.
        noise_scale: standard deviation of the prior's noise, as a ratio.
        noise_w_scale: standard deviation of the durations' noise, as a ratio.
        seed: of this utterance's noise.
        speed: rate as a ratio to the voice's own; 2.0 is twice as fast.
        rates: of each phoneme id, as a ratio to `speed`; empty where all are 1.
    """

    voice_id: str
    phoneme_ids: tuple[int, ...]
    speaker: int
    length_scale: float
    noise_scale: float
    noise_w_scale: float
    seed: int
    speed: float = 1.0
    rates: tuple[float, ...] = ()

    @property
    def speeds(self) -> tuple[float, ...]:
        """The speed of each phoneme id."""
        return tuple(self.speed * rate for rate in self.rates) or (self.speed,) * len(self.phoneme_ids)


@dataclass(frozen=True, slots=True, eq=False)
class VitsPlan:
    """An utterance after `prepare`: its length is known, its samples are not rendered yet.

    Attributes:
        voice_id: the voice; windows of one batch share it.
        frames: length of the utterance.
        samples_per_frame: samples that each frame becomes.
        sample_rate_hz: of those samples.
        phoneme_frames: frames that each phoneme id lasts; sums to `frames`.
        latents: the prior's, noise included, (latent, frames).
        speaker: who speaks, (1, speaker_channels, 1, 1); None for a voice of one speaker.
    """

    voice_id: str
    frames: int
    samples_per_frame: int
    sample_rate_hz: int
    phoneme_frames: tuple[int, ...]
    latents: Tensor
    speaker: Tensor | None

    @property
    def audio_seconds(self) -> float:
        """Duration of the whole utterance."""
        return self.frames * self.samples_per_frame / self.sample_rate_hz

    @property
    def samples(self) -> int:
        """Samples of the whole utterance."""
        return self.frames * self.samples_per_frame


@dataclass(frozen=True, slots=True)
class Window:
    """Frames `start` to `stop` (excluded) of a plan: the unit of `render`."""

    plan: VitsPlan
    start: int
    stop: int

    @property
    def frames(self) -> int:
        """Number of frames in the window."""
        return self.stop - self.start

    @property
    def audio_seconds(self) -> float:
        """Duration of the window."""
        return self.frames * self.plan.samples_per_frame / self.plan.sample_rate_hz
