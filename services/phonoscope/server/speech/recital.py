"""What a request says, from sentences to bytes: what the engine is told of each, and how its samples are to sound.

③ synthesizer makes one for each request. Its feed has `say` make utterances of sentences; its reader has `hear` turn
what the engine rendered into bytes: silence before a passage, loudness and pitch of words, the encoding. Whoever
listens is told what each chunk speaks, and when.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final

from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.request.resolver import ResolvedRequest, speaker_name
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.speech.speaker_pitch import pitch_ratio
from phonoscope.server.speech.timings import TimingNotes, Timings
from phonoscope.server.speech.utterances import utterance_of
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.text.passage import Passage
from phonoscope.server.types import PhonemeScheme, Utterance, Voice

# Of emotion, prosody and pitch together, whatever is nested.
SPEED_LIMITS: Final = (0.2, 5.0)
PITCH_LIMITS: Final = (0.4, 2.5)
# What a voice hears as a pause within a sentence.
PAUSE_MARKS: Final = ",;:"


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence that was said.

    Attributes:
        voice, speaker: who says it.
        written, written_from: text that its offsets count, and the offset of that text's first character.
        pause_seconds: silence before it.
        marks: that stand in this silence, each behind how much of it.
    """

    sentence: Sentence
    voice: Voice
    speaker: int
    written: str
    written_from: int
    pause_seconds: float
    marks: tuple[tuple[float, str], ...]


class Recital:
    """One request, on its way from sentences to bytes. `say` and `hear` may run on two threads, each on one at a time.

    Args:
        resolved: the request.
        encoder: makes the bytes.
        own_hz: own pitch by speaker, where the request needs it.

    Attributes:
        is_heavy: whether `hear` and `end` compute for so long that an event loop should not wait for them.
    """

    def __init__(
        self, resolved: ResolvedRequest, encoder: AudioEncoder, own_hz: Mapping[str, float] | None = None
    ) -> None:
        self.is_heavy = resolved.changes_pitch or resolved.encoding in CODECS
        self._resolved = resolved
        self._encoder = encoder
        self._own_hz = own_hz or {}
        self._said: list[_Said] = []
        self._notes = TimingNotes(resolved.timing_types)
        self._pause_seconds = 0.0  # before the next sentence, or at the end
        self._marks: list[tuple[float, str]] = []  # in that pause, each behind how much of it
        self._first_heard: int | None = None  # utterance that began to sound since a span was told
        self._last_heard = 0

    @property
    def sentences(self) -> int:
        """How many were said."""
        return len(self._said)

    @property
    def seconds_out(self) -> float:
        """Duration of all bytes so far."""
        return self._encoder.samples_out / self._resolved.sample_rate_hz

    def wait(self, seconds: float) -> None:
        """Puts silence before what is said next."""
        self._pause_seconds += seconds

    def leave_marks(self, names: tuple[str, ...]) -> None:
        """Puts marks behind what was said and waited so far, before what comes next."""
        self._marks += ((self._pause_seconds, name) for name in names)

    def say(self, sentence: Sentence, passage: Passage, written: str, written_from: int = 0) -> Utterance:
        """Takes the next sentence, and returns what the engine is to make of it.

        Args:
            sentence: of `passage`.
            passage: says who speaks.
            written: the caller's text that it came from.
            written_from: offset of its first character.
        """
        voice, speaker = (passage.voice, passage.speaker) if passage.voice else self._own
        pause, marks = self._pause_seconds, tuple(self._marks)
        self._pause_seconds, self._marks = 0.0, []
        said = _Said(sentence, voice, speaker, written, written_from, pause, marks)
        self._said.append(said)
        rates = self._rates(sentence, voice.phonemes)
        return utterance_of(self._resolved, voice, speaker, sentence, len(self._said) - 1, rates)

    def _rates(self, sentence: Sentence, scheme: PhonemeScheme) -> tuple[float, ...]:
        """Returns the rate of each phoneme id, as a ratio to the request's speed; none where all are 1."""
        manners, pauses, speed = sentence.wording.manners, self._resolved.prosody.pauses, self._resolved.speed
        if pauses == 1.0 and all(prosody.rate == 1.0 for _, prosody in manners):
            return ()
        rates = [1.0] * len(sentence.phoneme_ids)
        for (first, prosody), (end, _) in pairwise((*manners, (len(rates), NEUTRAL))):
            rates[first:end] = [prosody.rate] * (end - first)
        if pauses != 1.0:
            for at in _pauses(sentence.phoneme_ids, scheme):
                rates[at] /= pauses
        return tuple(_within(rate * speed, SPEED_LIMITS) / speed for rate in rates)

    @property
    def _own(self) -> tuple[Voice, int]:
        return self._resolved.voice, self._resolved.speaker

    def hear(self, rendered: Rendered) -> bytes:
        """Takes the next samples, and returns the bytes that are ready."""
        self._last_heard = rendered.utterance
        if self._first_heard is None:
            self._first_heard = rendered.utterance
        said = self._said[rendered.utterance]
        parts = [self._begin(said, rendered)] if rendered.start == 0 else []
        for start, stop, prosody in _stretches(said, rendered):
            parts += self._turn(said, prosody), self._encoder.encode(rendered.samples[start:stop])
        return b"".join(parts)

    def end(self) -> bytes:
        """Ends it, and returns the rest of the bytes."""
        self._note_marks(self._marks)
        return self._encoder.pause(self._pause_seconds) + self._encoder.finish()

    def timings(self, *, is_end: bool = False) -> Timings | None:
        """Returns what begins in the bytes so far and was not told before; None where nobody asked."""
        return self._notes.begun_by(math.inf if is_end else self.seconds_out)

    def span(self) -> tuple[int, int] | None:
        """Returns the characters of all that sounded since the last call; the last sentence's where nothing did."""
        first = self._last_heard if self._first_heard is None else self._first_heard
        self._first_heard = None
        return (self._said[first].sentence.start, self._said[self._last_heard].sentence.stop) if self._said else None

    def _begin(self, said: _Said, rendered: Rendered) -> bytes:
        """Makes the silence before a sentence, and notes when all of it is heard."""
        ready = self._turn(said, NEUTRAL)
        self._note_marks(said.marks)
        ready += self._encoder.pause(said.pause_seconds)
        begins = self._encoder.seconds_in
        if self._resolved.timing_types:
            frame_seconds = rendered.samples_per_frame / said.voice.sample_rate_hz
            times = [begins + frames * frame_seconds for frames in accumulate(rendered.phoneme_frames, initial=0)]
            self._notes.note(said.sentence.wording, said.written, said.written_from, times)
        return ready

    def _note_marks(self, marks: Sequence[tuple[float, str]]) -> None:
        """Notes marks of a silence that begins now."""
        for behind_seconds, name in marks:
            self._notes.mark(name, self._encoder.seconds_in + behind_seconds)

    def _turn(self, said: _Said, prosody: Prosody) -> bytes:
        """Says how what comes next is to sound."""
        resolved = self._resolved
        own_hz = self._own_hz.get(speaker_name(said.voice, said.speaker), 0.0)
        pitch = _within(resolved.pitch * pitch_ratio(prosody, own_hz), PITCH_LIMITS)
        manner = replace(NEUTRAL, pitch=pitch, pitch_range=resolved.prosody.pitch_range, gain_db=prosody.gain_db)
        return self._encoder.turn(said.voice.sample_rate_hz, manner, own_hz)


def _pauses(ids: Sequence[int], scheme: PhonemeScheme) -> Iterator[int]:
    """Yields where the marks of pauses within a sentence are, and the pads behind them; not what ends it."""
    marks = {one for mark in PAUSE_MARKS for one in scheme.ids.get(mark, ())}
    return (at + offset for at, one in enumerate(ids) if one in marks for offset in (0, 1) if at + offset < len(ids))


def _stretches(said: _Said, rendered: Rendered) -> Iterator[tuple[int, int, Prosody]]:
    """Yields the parts of a window's samples that sound alike."""
    manners = said.sentence.wording.manners or ((0, NEUTRAL),)
    samples = len(rendered.samples)
    if len(manners) == 1:
        yield 0, samples, manners[0][1]
        return
    frames = [0, *accumulate(rendered.phoneme_frames)]
    begins = [(frames[first] - rendered.start) * rendered.samples_per_frame for first, _ in manners]
    for start, stop, (_, prosody) in zip(begins, [*begins[1:], samples], manners, strict=True):
        first, last = max(start, 0), min(stop, samples)
        if first < last:
            yield first, last, prosody


def _within(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
