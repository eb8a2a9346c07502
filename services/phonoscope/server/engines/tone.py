"""An engine that sings instead of speaking: one short sine per phoneme id, without torch and without weights.

Tests of everything above the engines use it, and demos that need no voice. It keeps the contract of base.py to the
letter, and refuses calls that break it, so that a scheduler that works with it works with the real engine.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from string import ascii_lowercase, digits, punctuation
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.types import PhonemeScheme, Utterance, Voice

SAMPLES_PER_FRAME: Final = 256
DEFAULT_TUNING: Final = Tuning(prepare_batch=8, render_batch=8, first_window_frames=16, largest_window_frames=256)

_AMPLITUDE: Final = 0.5
_LOWEST_HZ: Final = 150.0
_STEPS_PER_OCTAVE: Final = 24
_STEPS: Final = 96
_TONE_FRAMES: Final = 8
_MARKS: Final = ("_", "^", "$")
_MARK_FRAMES: Final = 1
_GAP_FRAMES: Final = 4
_STOP_FRAMES: Final = 12
_STOPS: Final = ".,;:!?"
_DETUNE: Final = 0.02
_RHYTHM: Final = 0.15
_FADE_SAMPLES: Final = 128


@dataclass(frozen=True, slots=True)
class TonePlan(Plan):
    """A plan with the pitch of each phoneme, in hertz; 0 is silence."""

    pitches_hz: tuple[float, ...]


def tone_voice(
    voice_id: str = "tone",
    *,
    language: str = "en-US",
    sample_rate_hz: int = 22_050,
    speakers: Sequence[str] = (),
) -> Voice:
    """Returns a voice for ToneEngine that reads plain text: letters and digits sound, the rest are pauses."""
    return Voice(
        id=voice_id,
        language=language,
        sample_rate_hz=sample_rate_hz,
        phonemes=PhonemeScheme(kind="text", espeak_voice="", ids=_text_ids()),
        speakers=tuple(speakers),
        engine="tone",
    )


class ToneEngine:
    """Engine of sines. An id's pitch is a quarter-tone step; a speaker shifts all; the seed adds a little variation.

    `noise_scale` scales the variation of pitch, `noise_w_scale` that of duration; both 0 make the seed unheard.
    """

    def __init__(
        self,
        voices: Sequence[Voice] = (),
        *,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self._voices = tuple(voices) or (tone_voice(),)
        self._tuning = tuning
        self._voice_by_id = {voice.id: voice for voice in self._voices}
        self._pauses_by_id = {voice.id: _pauses(voice.phonemes.ids) for voice in self._voices}

    @property
    def name(self) -> str:
        """Short name of the engine."""
        return "tone"

    @property
    def device(self) -> str:
        """Where it computes."""
        return "cpu"

    @property
    def precision(self) -> str:
        """What it computes in."""
        return "float32"

    @property
    def voices(self) -> Sequence[Voice]:
        """The voices that it was made with."""
        return self._voices

    @property
    def tuning(self) -> Tuning:
        """The sizes that it was made with."""
        return self._tuning

    def warm_up(self) -> None:
        """Runs both halves once per voice."""
        for voice in self._voices:
            utterance = Utterance(voice.id, (0,), voice.default_speaker, 1.0, 0.0, 0.0, seed=0)
            (plan,) = self.prepare([utterance])
            self.render([Window(plan, 0, plan.frames)])

    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        """Turns utterances of one voice into plans, in order.

        Raises:
            ValueError: the batch is empty, too large, of several voices, or names a voice or speaker that is not here.
        """
        _check_batch([utterance.voice_id for utterance in batch], self._tuning.prepare_batch)
        return [self._plan(utterance) for utterance in batch]

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Turns windows of one voice into samples, shape (window.frames * SAMPLES_PER_FRAME,) each.

        Raises:
            ValueError: the batch is empty, too large or of several voices, or a window leaves its plan.
        """
        _check_batch([window.plan.voice_id for window in windows], self._tuning.render_batch)
        return [_render(window) for window in windows]

    def _plan(self, utterance: Utterance) -> TonePlan:
        voice = self._voice_by_id.get(utterance.voice_id)
        if voice is None:
            raise ValueError(f"voice {utterance.voice_id!r} is not loaded; loaded are {sorted(self._voice_by_id)}")
        if not 0 <= utterance.speaker < max(len(voice.speakers), 1):
            raise ValueError(f"voice {voice.id!r} has no speaker {utterance.speaker}")
        pauses = self._pauses_by_id[voice.id]
        # One draw per phoneme and kind, whatever the scales are: the same seed varies the same way.
        pitch_noise, rhythm_noise = np.random.default_rng(utterance.seed).uniform(
            -1.0, 1.0, (2, len(utterance.phoneme_ids))
        )
        detune = 1.0 + _DETUNE * utterance.noise_scale * pitch_noise
        length_scales = utterance.length_scale / np.array(utterance.speeds)
        stretch = length_scales * (1.0 + _RHYTHM * utterance.noise_w_scale * rhythm_noise)
        frames = tuple(
            max(1, round(pauses.get(phoneme, _TONE_FRAMES) * float(ratio)))
            for phoneme, ratio in zip(utterance.phoneme_ids, stretch, strict=True)
        )
        return TonePlan(
            voice_id=voice.id,
            frames=sum(frames),
            samples_per_frame=SAMPLES_PER_FRAME,
            sample_rate_hz=voice.sample_rate_hz,
            phoneme_frames=frames,
            pitches_hz=tuple(
                0.0 if phoneme in pauses else _pitch_hz(phoneme, utterance.speaker) * float(ratio)
                for phoneme, ratio in zip(utterance.phoneme_ids, detune, strict=True)
            ),
        )


def _pitch_hz(phoneme: int, speaker: int) -> float:
    """Returns 150 to 3 300 Hz: a step per id, a step per speaker; below half of 8 000 Hz, the lowest rate served."""
    steps = phoneme % _STEPS + speaker % (_STEPS_PER_OCTAVE // 2)
    return float(_LOWEST_HZ * 2.0 ** (steps / _STEPS_PER_OCTAVE))


def _check_batch(voice_ids: Sequence[str], most: int) -> None:
    if not 1 <= len(voice_ids) <= most:
        raise ValueError(f"a batch of {len(voice_ids)}; 1 to {most} are taken")
    if len(set(voice_ids)) > 1:
        raise ValueError(f"a batch of several voices: {sorted(set(voice_ids))}")


def _render(window: Window) -> NDArray[np.float32]:
    plan = window.plan
    if not isinstance(plan, TonePlan):
        raise TypeError(f"{type(plan).__name__} is not a plan of this engine")
    if not 0 <= window.start < window.stop <= plan.frames:
        raise ValueError(f"frames {window.start} to {window.stop} of a plan of {plan.frames}")
    edges = [0, *accumulate(plan.phoneme_frames)]
    first = bisect_right(edges, window.start) - 1
    samples = np.zeros(window.frames * SAMPLES_PER_FRAME, np.float32)
    for pitch_hz, (begin, end) in zip(plan.pitches_hz[first:], pairwise(edges[first:]), strict=True):
        if begin >= window.stop:
            break
        # The whole tone, then its part: every window computes a sample in the same way, to the last bit.
        tone = _tone(pitch_hz, (end - begin) * SAMPLES_PER_FRAME, plan.sample_rate_hz)
        start, stop = max(begin, window.start), min(end, window.stop)
        part = tone[(start - begin) * SAMPLES_PER_FRAME : (stop - begin) * SAMPLES_PER_FRAME]
        offset = (start - window.start) * SAMPLES_PER_FRAME
        samples[offset : offset + len(part)] = part
    return samples


def _tone(pitch_hz: float, samples: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Returns a sine that fades in and out by raised cosines, so that no edge clicks."""
    tone: NDArray[np.float64] = _AMPLITUDE * np.sin(2.0 * np.pi * pitch_hz / sample_rate_hz * np.arange(samples))
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(_FADE_SAMPLES) / _FADE_SAMPLES)
    tone[:_FADE_SAMPLES] *= fade
    tone[-_FADE_SAMPLES:] *= fade[::-1]
    return tone.astype(np.float32)


def _text_ids() -> dict[str, tuple[int, ...]]:
    symbols = [*_MARKS, " ", *(sign for sign in punctuation if sign not in _MARKS), *digits, *ascii_lowercase]
    ids: dict[str, tuple[int, ...]] = {symbol: (number,) for number, symbol in enumerate(symbols)}
    return ids | {letter.upper(): ids[letter] for letter in ascii_lowercase}


def _pauses(ids: Mapping[str, tuple[int, ...]]) -> dict[int, int]:
    """Returns the frames of each id that is silent: marks, spaces and whatever is no letter and no digit."""
    pauses: dict[int, int] = {}
    for symbol, numbers in ids.items():
        if symbol in _MARKS:
            frames = _MARK_FRAMES
        elif symbol in _STOPS:
            frames = _STOP_FRAMES
        elif not symbol.isalnum():
            frames = _GAP_FRAMES
        else:
            continue
        pauses |= dict.fromkeys(numbers, frames)
    return pauses
