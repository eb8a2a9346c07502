"""After the scheduler: turns a request's samples into bytes, with silence, loudness and pitch, and their timings.

`synthesizer.py` makes one for each request, and passes it what the scheduler delivers. Its facts about a sentence are
those in the context from `utterance_builder.py`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.events import EmotionFallback
from phonoscope.server.request.resolver import ResolvedRequest, speaker_name
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.speech.speaker_pitch import pitch_ratio
from phonoscope.server.speech.timings import TimingNotes, Timings
from phonoscope.server.speech.utterance_builder import Silence, SpokenSentence, within

PITCH_LIMITS: Final = (0.4, 2.5)


class AudioAssembler:
    """Assembles the audio of one request. Calls may come from two threads, one at a time.

    Args:
        resolved: the request.
        encoder: makes the bytes.
        speaker_hz: each speaker's own pitch, where the request needs it.

    Attributes:
        is_heavy: whether `add` and `end` compute for so long that an event loop should not wait for them.
    """

    def __init__(
        self, resolved: ResolvedRequest, encoder: AudioEncoder, speaker_hz: Mapping[str, float] | None = None
    ) -> None:
        self.is_heavy = resolved.changes_pitch or resolved.encoding in CODECS
        self._resolved = resolved
        self._encoder = encoder
        self._speaker_hz = speaker_hz or {}
        self._notes = TimingNotes(resolved.timing_types)
        self._first: SpokenSentence | None = None  # that began since the last call of `span`
        self._last: SpokenSentence | None = None
        self._emotion_fallback: EmotionFallback | None = (
            None  # of what began since the last call of `emotion_fallback`
        )

    @property
    def seconds_out(self) -> float:
        """Duration of all bytes so far."""
        return self._encoder.samples_out / self._resolved.sample_rate_hz

    def add(self, rendered: Rendered) -> bytes:
        """Adds the next samples, and returns the bytes that are ready.

        Raises:
            TypeError: their context is not one of `utterance_builder.py`.
        """
        spoken = rendered.context
        if not isinstance(spoken, SpokenSentence):
            raise TypeError(f"the context of an utterance is a {type(spoken).__name__}, not a SpokenSentence")
        self._last = spoken
        self._first = self._first or spoken
        if rendered.start == 0:
            self._emotion_fallback = self._emotion_fallback or spoken.emotion_fallback
        parts = [self._begin(spoken, rendered)] if rendered.start == 0 else []
        for start, stop, prosody in _stretches(spoken, rendered):
            parts += self._change(spoken, prosody), self._encoder.encode(rendered.samples[start:stop])
        return b"".join(parts)

    def end(self, silence: Silence) -> bytes:
        """Adds the silence at the end, and returns the rest of the bytes."""
        self._note_marks(silence)
        return self._encoder.pause(silence.seconds) + self._encoder.finish()

    def timings(self, *, is_end: bool = False) -> Timings | None:
        """Returns new timings that begin in the bytes so far; None where no timings are requested."""
        return self._notes.begun_by(math.inf if is_end else self.seconds_out)

    def span(self) -> tuple[int, int] | None:
        """Returns the characters of all samples added since the last call; the last sentence's if there were none."""
        first, self._first = self._first or self._last, None
        return (first.sentence.start, self._last.sentence.stop) if first and self._last else None

    def emotion_fallback(self) -> EmotionFallback | None:
        """Returns why the first of the sentences that began since the last call is neutral, if one of them is."""
        fallback, self._emotion_fallback = self._emotion_fallback, None
        return fallback

    def _begin(self, spoken: SpokenSentence, rendered: Rendered) -> bytes:
        """Adds the silence before a sentence, and notes when each of its words begins."""
        ready = self._change(spoken, NEUTRAL)
        self._note_marks(spoken.before)
        ready += self._encoder.pause(spoken.before.seconds)
        if self._resolved.timing_types and rendered.symbol_samples is not None:
            begins, rate_hz = self._encoder.seconds_in, spoken.voice.sample_rate_hz
            times = [begins + samples / rate_hz for samples in accumulate(rendered.symbol_samples, initial=0)]
            self._notes.note(spoken.sentence.alignment, spoken.written, spoken.written_from, times)
        return ready

    def _note_marks(self, silence: Silence) -> None:
        """Notes the marks of a silence that begins now."""
        for after_seconds, name in silence.marks:
            self._notes.mark(name, self._encoder.seconds_in + after_seconds)

    def _change(self, spoken: SpokenSentence, prosody: Prosody) -> bytes:
        """Sets how the next samples are shaped; returns bytes that this makes ready."""
        resolved, voice = self._resolved, spoken.voice
        own_hz = self._speaker_hz.get(speaker_name(voice, spoken.speaker), 0.0)
        emotion, found = resolved.prosody_of(voice), spoken.emotion
        pitch = within(resolved.pitch_of(voice) * found.pitch * pitch_ratio(prosody, own_hz), PITCH_LIMITS)
        # The encoder's gain is that of the request's own voice.
        gain_db = prosody.gain_db + emotion.gain_db + found.gain_db - resolved.prosody_of(resolved.voice).gain_db
        pitch_range = emotion.pitch_range * found.pitch_range
        manner = replace(NEUTRAL, pitch=pitch, pitch_range=pitch_range, gain_db=gain_db)
        return self._encoder.set_prosody(voice.sample_rate_hz, manner, own_hz)


def _stretches(spoken: SpokenSentence, rendered: Rendered) -> Iterator[tuple[int, int, Prosody]]:
    """Yields the parts of the samples that have one prosody each."""
    manners: Sequence[tuple[int, Prosody]] = spoken.sentence.alignment.manners or ((0, NEUTRAL),)
    samples = len(rendered.samples)
    if len(manners) == 1 or rendered.symbol_samples is None:
        yield 0, samples, manners[0][1]
        return
    edges = [0, *accumulate(rendered.symbol_samples)]
    begins = [edges[first] - rendered.start for first, _ in manners]
    for start, stop, (_, prosody) in zip(begins, [*begins[1:], samples], manners, strict=True):
        first, last = max(start, 0), min(stop, samples)
        if first < last:
            yield first, last, prosody
