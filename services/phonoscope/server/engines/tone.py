"""A test engine that plays tones instead of speech: one short sine per symbol, without torch and without weights.

Tests of the layers above the engines use it, and demos that need no voice. It follows the contract of base.py exactly,
and refuses calls that break it, so that a scheduler that works with it works with the real engine. It also speaks like
a recording: its tones then lie in the two octaves above the recording's own pitch.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.f0 import median_hz
from phonoscope.server.engines.base import NO_SAMPLES, Job, Step, StepResult, Tuning
from phonoscope.server.engines.tone_voice import pauses, tone_voice
from phonoscope.server.engines.windows import nearest_size, window_stops
from phonoscope.server.types import Recording, Utterance, Voice

SAMPLES_PER_FRAME: Final = 256
FRAMES: Final = (16, 32, 64, 128, 256)
PREPARE: Final = "prepare"
RENDER: Final = "render"
MAX_BATCH: Final = 8

_AMPLITUDE: Final = 0.5
_LOWEST_HZ: Final = 150.0
_STEPS_PER_OCTAVE: Final = 24
_STEPS: Final = 96
_IMITATED_STEPS: Final = 36
_MAX_RECORDINGS: Final = 64
_TONE_FRAMES: Final = 8
_DETUNE: Final = 0.0133
_RHYTHM: Final = 0.12
_FADE_SAMPLES: Final = 128


@dataclass(frozen=True, slots=True)
class TonePlan:
    """An utterance whose length is known.

    Attributes:
        voice_id: the voice; steps of one batch share it.
        sample_rate_hz: of its samples.
        symbol_frames: frames that each symbol lasts.
        pitches_hz: of each symbol; 0 is silence.
    """

    voice_id: str
    sample_rate_hz: int
    symbol_frames: tuple[int, ...]
    pitches_hz: tuple[float, ...]

    @property
    def frames(self) -> int:
        """Length of the utterance."""
        return sum(self.symbol_frames)


@dataclass(frozen=True, slots=True)
class RenderStep(Step):
    """Frames `start` to `stop` (excluded) of a plan."""

    plan: TonePlan
    start: int
    stop: int


class ToneJob:
    """An utterance in progress: planned in one step, then rendered window by window.

    Attributes:
        plan: None until the first step has run.
        cursor: the next frame to render.
    """

    def __init__(self, utterance: Utterance, sizes: Sequence[int]) -> None:
        self.utterance = utterance
        self.plan: TonePlan | None = None
        self.cursor = 0
        self._sizes = sizes

    def next_step(self, audio_seconds: float) -> Step | None:
        """Returns the plan's step, then windows of about this much audio; None at the end."""
        plan = self.plan
        if plan is None:
            voice, symbols = self.utterance.voice_id, self.utterance.symbols
            return Step(self, PREPARE, voice, cost=len(symbols), audio_seconds=0.0)
        if self.cursor == plan.frames:
            return None
        wanted = audio_seconds * plan.sample_rate_hz / SAMPLES_PER_FRAME
        [stop] = window_stops(self.cursor, nearest_size(self._sizes, wanted), plan.frames)
        frames = stop - self.cursor
        seconds = frames * SAMPLES_PER_FRAME / plan.sample_rate_hz
        return RenderStep(self, RENDER, plan.voice_id, frames, seconds, plan, self.cursor, stop)


class ToneEngine:
    """Engine of sines: a quarter-tone step for each symbol, shifted by the speaker, varied a little by the seed.

    Args:
        voices: at least one; without any, one voice called "tone".
        sizes: lengths of windows, in frames, ascending.
        max_batch: steps in one batch.
    """

    name = "tone"
    step_kinds = (PREPARE, RENDER)

    def __init__(
        self,
        voices: Sequence[Voice] = (),
        *,
        sizes: Sequence[int] = FRAMES,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self._voices = tuple(voices) or (tone_voice(),)
        self._sizes = tuple(sizes)
        self._max_batch = max_batch
        self._voice_by_id = {voice.id: voice for voice in self._voices}
        self._recordings = _Pitches()
        self._pauses_by_id = {voice.id: pauses(voice.phonemes.ids) for voice in self._voices}

    @property
    def device(self) -> str:
        """Where it computes."""
        return "cpu"

    @property
    def precision(self) -> str:
        """The precision of its computation."""
        return "float32"

    @property
    def voices(self) -> Sequence[Voice]:
        """The voices that it was made with."""
        return self._voices

    @property
    def tuning(self) -> Tuning:
        """Lengths of windows as the first voice has them, and the size of batches."""
        frame_seconds = SAMPLES_PER_FRAME / self._voices[0].sample_rate_hz
        max_batch = {PREPARE: self._max_batch, RENDER: self._max_batch}
        return Tuning(max_batch, tuple(frames * frame_seconds for frames in self._sizes), plans_ahead=True)

    def warm_up(self) -> None:
        """Runs both kinds of steps once per voice."""
        for voice in self._voices:
            job = self.open(Utterance(voice.id, (0,), voice.default_speaker))
            while step := job.next_step(0.0):
                self.run([step])
            self.close(job)

    def idle_work(self) -> int:
        """Returns 0: sines need no preparation."""
        return 0

    def open(self, utterance: Utterance) -> Job:
        """Begins an utterance.

        Raises:
            ValueError: it names an unknown voice or speaker.
        """
        voice = self._voice_by_id.get(utterance.voice_id)
        if voice is None:
            raise ValueError(f"voice {utterance.voice_id!r} is not loaded; loaded are {sorted(self._voice_by_id)}")
        if not 0 <= utterance.speaker < max(len(voice.speakers), 1):
            raise ValueError(f"voice {voice.id!r} has no speaker {utterance.speaker}")
        return ToneJob(utterance, self._sizes)

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Runs steps of one kind and voice.

        Raises:
            ValueError: the batch is empty, too large, of several kinds or voices, or a window is not its job's next.
        """
        _check_batch(steps, self._max_batch)
        return [self._prepare(step) if step.kind == PREPARE else _render(step) for step in steps]

    def close(self, job: Job) -> None:
        """Frees the plan."""
        _own(job).plan = None

    def _prepare(self, step: Step) -> StepResult:
        job = _own(step.job)
        job.plan = self._plan(job.utterance)
        return _result(NO_SAMPLES, job.plan, is_last=False)

    def _plan(self, utterance: Utterance) -> TonePlan:
        voice = self._voice_by_id[utterance.voice_id]
        symbols = [int(symbol) for symbol in utterance.symbols]
        silent = self._pauses_by_id[voice.id]
        # One draw per phoneme and kind, regardless of the scales: the same seed gives the same variation.
        pitch_noise, rhythm_noise = np.random.default_rng(utterance.seed).uniform(-1.0, 1.0, (2, len(symbols)))
        detune = 1.0 + _DETUNE * utterance.variation * pitch_noise
        stretch = (1.0 + _RHYTHM * utterance.rhythm_variation * rhythm_noise) / np.array(utterance.speeds)
        frames = tuple(
            max(1, round(silent.get(phoneme, _TONE_FRAMES) * float(ratio)))
            for phoneme, ratio in zip(symbols, stretch, strict=True)
        )
        own_hz = self._recordings.of(utterance.reference) if utterance.reference else 0.0
        return TonePlan(
            voice_id=voice.id,
            sample_rate_hz=voice.sample_rate_hz,
            symbol_frames=frames,
            pitches_hz=tuple(
                0.0 if phoneme in silent else _pitch_hz(phoneme, utterance.speaker, own_hz) * float(ratio)
                for phoneme, ratio in zip(symbols, detune, strict=True)
            ),
        )


class _Pitches:
    """The pitch of the latest recordings."""

    def __init__(self) -> None:
        self._hz: OrderedDict[str, float] = OrderedDict()

    def of(self, recording: Recording) -> float:
        """Returns the median pitch of a recording; 0 if it has none."""
        if recording.digest not in self._hz:
            self._hz[recording.digest] = median_hz(recording.samples, recording.sample_rate_hz)
        self._hz.move_to_end(recording.digest)
        if len(self._hz) > _MAX_RECORDINGS:
            self._hz.popitem(last=False)
        return self._hz[recording.digest]


def _pitch_hz(phoneme: int, speaker: int, own_hz: float) -> float:
    """Returns the pitch of a symbol: a step per id, a step per speaker.

    Without a recording's own pitch, 150 to 3 300 Hz; with one, up to two octaves above it, which is 500 Hz at most.
    Both are below half of 8 000 Hz, the lowest rate served.
    """
    lowest, steps = (own_hz, phoneme % _IMITATED_STEPS) if own_hz else (_LOWEST_HZ, phoneme % _STEPS)
    return float(lowest * 2.0 ** ((steps + speaker % (_STEPS_PER_OCTAVE // 2)) / _STEPS_PER_OCTAVE))


def _check_batch(steps: Sequence[Step], max_batch: int) -> None:
    if not 1 <= len(steps) <= max_batch:
        raise ValueError(f"a batch of {len(steps)} steps; 1 to {max_batch} run together")
    if len({(step.kind, step.batch_key) for step in steps}) > 1:
        raise ValueError(f"a batch of several kinds or voices: {[(step.kind, step.batch_key) for step in steps]}")


def _own(job: Job) -> ToneJob:
    if not isinstance(job, ToneJob):
        raise TypeError(f"{type(job).__name__} is not a job of the tone engine")
    return job


def _result(samples: NDArray[np.float32], plan: TonePlan, *, is_last: bool) -> StepResult:
    lengths = tuple(frames * SAMPLES_PER_FRAME for frames in plan.symbol_frames)
    return StepResult(samples, is_last, total_samples=sum(lengths), symbol_samples=lengths)


def _render(step: Step) -> StepResult:
    if not isinstance(step, RenderStep):
        raise TypeError(f"a step of kind {step.kind!r} has no window to render")
    job, plan = _own(step.job), step.plan
    if step.start != job.cursor or not step.start < step.stop <= plan.frames:
        raise ValueError(f"frames {step.start} to {step.stop} of {plan.frames}, of which {job.cursor} are rendered")
    samples = _samples(plan, step.start, step.stop)
    job.cursor = step.stop
    return _result(samples, plan, is_last=step.stop == plan.frames)


def _samples(plan: TonePlan, first_frame: int, stop_frame: int) -> NDArray[np.float32]:
    """Returns the samples of some frames, shape (frames * SAMPLES_PER_FRAME,)."""
    edges = [0, *accumulate(plan.symbol_frames)]
    first = bisect_right(edges, first_frame) - 1
    samples = np.zeros((stop_frame - first_frame) * SAMPLES_PER_FRAME, np.float32)
    for pitch_hz, (begin, end) in zip(plan.pitches_hz[first:], pairwise(edges[first:]), strict=True):
        if begin >= stop_frame:
            break
        # The whole tone, then a slice: every window computes a sample in the same way, to the last bit.
        tone = _tone(pitch_hz, (end - begin) * SAMPLES_PER_FRAME, plan.sample_rate_hz)
        start, stop = max(begin, first_frame), min(end, stop_frame)
        part = tone[(start - begin) * SAMPLES_PER_FRAME : (stop - begin) * SAMPLES_PER_FRAME]
        offset = (start - first_frame) * SAMPLES_PER_FRAME
        samples[offset : offset + len(part)] = part
    return samples


def _tone(pitch_hz: float, samples: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Returns a sine that fades in and out by raised cosines, so that no edge clicks."""
    tone: NDArray[np.float64] = _AMPLITUDE * np.sin(2.0 * np.pi * pitch_hz / sample_rate_hz * np.arange(samples))
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(_FADE_SAMPLES) / _FADE_SAMPLES)
    tone[:_FADE_SAMPLES] *= fade
    tone[-_FADE_SAMPLES:] *= fade[::-1]
    return tone.astype(np.float32)
