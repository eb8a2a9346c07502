"""Before the scheduler: turns a request's sentences into utterances, each with context for its samples.

`synthesizer.py` makes one for each request, `text_producer.py` calls it. Facts about a sentence that are needed after
the engine pass through the scheduler as the utterance's context; `audio_assembler.py` receives it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from phonoscope.server.emotions import NEUTRAL
from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.text.passage import Passage
from phonoscope.server.types import PhonemeScheme, Utterance, Voice

# Of emotion, prosody and pitch together, at any nesting.
SPEED_LIMITS: Final = (0.2, 5.0)
# What a voice renders as a pause within a sentence.
PAUSE_MARKS: Final = ",;:"


@dataclass(frozen=True, slots=True)
class Silence:
    """Silence, and the marks in it.

    Attributes:
        seconds: its duration.
        marks: names, each with its offset in seconds.
    """

    seconds: float = 0.0
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence passing through the scheduler: the context of its utterance.

    Attributes:
        voice, speaker: who speaks it.
        written, written_from: the text that its offsets refer to, and the offset of that text's first character.
        before: the silence before it.
    """

    sentence: Sentence
    voice: Voice
    speaker: int
    written: str
    written_from: int
    before: Silence


class UtteranceBuilder:
    """Builds the utterances of one request, in order.

    Args:
        resolved: the request.

    Attributes:
        sentences: how many were built.
    """

    def __init__(self, resolved: ResolvedRequest) -> None:
        self.sentences = 0
        self._resolved = resolved
        self._pause_seconds = 0.0  # before the next sentence, or at the end
        self._marks: list[tuple[float, str]] = []  # in that pause, each with its offset

    def pause(self, seconds: float) -> None:
        """Adds silence before the next sentence."""
        self._pause_seconds += seconds

    def leave_marks(self, names: tuple[str, ...]) -> None:
        """Adds marks at the end of the text and silence so far."""
        self._marks += ((self._pause_seconds, name) for name in names)

    def build(
        self, sentence: Sentence, passage: Passage, written: str, written_from: int = 0
    ) -> tuple[Utterance, SpokenSentence]:
        """Returns the next sentence as an utterance, and its context.

        Args:
            sentence: of `passage`.
            passage: names the speaker.
            written: the caller's text that contains it.
            written_from: offset of its first character.
        """
        resolved = self._resolved
        own = (resolved.voice, resolved.speaker)
        voice, speaker = (passage.voice, passage.speaker) if passage.voice else own
        context = SpokenSentence(sentence, voice, speaker, written, written_from, self.silence())
        number, self.sentences = self.sentences, self.sentences + 1
        prosody = resolved.prosody_of(voice)
        speed, rates = _speed(sentence, voice.phonemes, resolved.speed_of(voice), prosody.pauses)
        is_native = voice.emotion_rendering == "native"
        utterance = Utterance(
            voice_id=voice.loaded_id,
            symbols=sentence.symbols,
            speaker=speaker,
            seed=sentence_seed(resolved.seed, number),
            text=sentence.text,
            language=voice.language,
            speed=speed,
            rates=rates,
            variation=prosody.noise,
            rhythm_variation=prosody.rhythm,
            emotion_weights=resolved.emotion_weights if is_native else {},
            emotion_intensity=resolved.emotion_intensity if is_native else 1.0,
            reference=voice.reference,
            emotion_reference=resolved.emotion_reference if voice.takes_emotion_reference else None,
        )
        return utterance, context

    def silence(self) -> Silence:
        """Returns the silence since the last sentence, with its marks, and resets it."""
        silence = Silence(self._pause_seconds, tuple(self._marks))
        self._pause_seconds, self._marks = 0.0, []
        return silence


def sentence_seed(seed: int, number: int) -> int:
    """Returns a distinct seed for each sentence of a request, so that none repeats another's noise."""
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # torch takes seeds below 2**63


def within(value: float, limits: tuple[float, float]) -> float:
    """Returns a value, clamped to its limits."""
    return min(max(value, limits[0]), limits[1])


def _speed(sentence: Sentence, scheme: PhonemeScheme, speed: float, pauses: float) -> tuple[float, tuple[float, ...]]:
    """Returns the speed of a sentence, and the rate of each symbol as a ratio to it; no rates where all are 1."""
    manners = sentence.alignment.manners
    if scheme.kind == "plain":  # a sentence has at most one prosody
        return within(speed * (manners[0][1].rate if manners else 1.0), SPEED_LIMITS), ()
    if pauses == 1.0 and all(prosody.rate == 1.0 for _, prosody in manners):
        return speed, ()
    rates = [1.0] * len(sentence.symbols)
    for (first, prosody), (end, _) in pairwise((*manners, (len(rates), NEUTRAL))):
        rates[first:end] = [prosody.rate] * (end - first)
    if pauses != 1.0:
        for at in _pauses(sentence.symbols, scheme):
            rates[at] /= pauses
    return speed, tuple(within(rate * speed, SPEED_LIMITS) / speed for rate in rates)


def _pauses(symbols: Sequence[int] | str, scheme: PhonemeScheme) -> Iterator[int]:
    """Yields the positions of pause marks within a sentence and of the pads after them, except at its end."""
    marks = {one for mark in PAUSE_MARKS for one in scheme.ids.get(mark, ())}
    last = len(symbols)
    return (at + offset for at, one in enumerate(symbols) if one in marks for offset in (0, 1) if at + offset < last)
