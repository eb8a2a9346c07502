"""AudioAssembler: what becomes of the engine's samples, on the way to bytes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.emotions import EMOTIONS, NEUTRAL, Prosody
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.speech.audio_assembler import PITCH_LIMITS, AudioAssembler
from phonoscope.server.speech.timings import MarkTiming, Timings
from phonoscope.server.speech.utterance_builder import Silence, SpokenSentence
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.text.word_alignment import PLAIN, SentenceAlignment, Word
from phonoscope.server.types import SpeechRequest, Voice

SYMBOL = 100  # samples that a symbol lasts at least: 10 ms of Joe's
JOE = tone_voice("joe", sample_rate_hz=10_000)
DUO = tone_voice("duo", sample_rate_hz=20_000, speakers=("anna", "bea"))
ACTOR = replace(tone_voice("actor", sample_rate_hz=10_000), emotion_rendering="native")
HIGH, MUTE = Prosody(pitch=1.5), Prosody(gain_db=-math.inf)
END = Silence()


class Noting(AudioEncoder):
    """An encoder that writes down how samples are to be shaped."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.changes: list[tuple[int, Prosody, float]] = []

    def set_prosody(self, source_rate_hz: int, manner: Prosody, centre_hz: float = 0.0) -> bytes:
        self.changes.append((source_rate_hz, manner, centre_hz))
        return super().set_prosody(source_rate_hz, manner, centre_hz)


def resolve(**fields: Any) -> ResolvedRequest:
    request = SpeechRequest(**({"text": "Hello."} | fields))
    return RequestResolver([JOE, DUO, ACTOR], max_characters=1000).resolve(request)


def encoder(resolved: ResolvedRequest) -> Noting:
    return Noting(
        encoding=resolved.encoding,
        source_rate_hz=resolved.voice.sample_rate_hz,
        target_rate_hz=resolved.sample_rate_hz,
        changes_pitch=resolved.changes_pitch,
    )


def assembler(**fields: Any) -> AudioAssembler:
    resolved = resolve(**fields)
    return AudioAssembler(resolved, encoder(resolved))


def spoken(
    alignment: SentenceAlignment = PLAIN,
    before: Silence = END,
    *,
    voice: Voice = JOE,
    speaker: int = 0,
    start: int = 0,
    stop: int = 6,
    written: str = "Hello.",
    written_from: int = 0,
) -> SpokenSentence:
    sentence = Sentence(start, stop, (), alignment=alignment)  # what its symbols are, only the engine needs
    return SpokenSentence(sentence, voice, speaker, written, written_from, before)


def sound(symbols: int) -> NDArray[np.float32]:
    """Samples of which each is another."""
    return np.linspace(0.1, 0.9, symbols * SYMBOL, dtype=np.float32)


def rendered(
    context: object, samples: NDArray[np.float32], symbols: Sequence[int] | None = None, start: int = 0
) -> Rendered:
    """Samples from symbol `start` on, and how many times SYMBOL each symbol lasts."""
    lengths = None if symbols is None else tuple(symbol * SYMBOL for symbol in symbols)
    return Rendered(context, samples, start * SYMBOL, 0.0, symbol_samples=lengths)


def windows(context: object, symbols: Sequence[int], size: int) -> list[Rendered]:
    """What the engine makes of a sentence, `size` times SYMBOL samples at once."""
    whole = sound(sum(symbols))
    return [
        rendered(context, whole[start * SYMBOL : (start + size) * SYMBOL], symbols, start)
        for start in range(0, sum(symbols), size)
    ]


def levels(audio: bytes) -> NDArray[np.float64]:
    return np.frombuffer(audio, "<i2") / 32_767


def manners(*each: tuple[int, Prosody]) -> SentenceAlignment:
    return SentenceAlignment(manners=each)


# --- samples ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_samples_become_bytes_as_they_come(size: int) -> None:
    assembly = assembler()
    audio = b"".join(assembly.add(one) for one in windows(spoken(), [3, 5], size)) + assembly.end(END)
    assert levels(audio) == pytest.approx(sound(8), abs=1e-4)
    assert assembly.seconds_out == pytest.approx(0.08)


def test_silence_comes_once_before_its_sentence() -> None:
    assembly, first, second = assembler(), spoken(before=Silence(0.05)), spoken()
    assert not levels(assembly.add(rendered(first, sound(1)))[: 2 * 500]).any()
    assert assembly.seconds_out == pytest.approx(0.06)
    assert levels(assembly.add(rendered(first, sound(1), start=1))).all(), "later samples of the same sentence"
    assert levels(assembly.add(rendered(second, sound(1)))).all(), "the next sentence"


def test_silence_behind_the_last_sentence_ends_it() -> None:
    assembly = assembler()
    assembly.add(rendered(spoken(), sound(1)))
    assert levels(assembly.end(Silence(0.05))).tolist() == [0.0] * 500
    assert assembly.seconds_out == pytest.approx(0.06)


def test_samples_of_a_context_that_is_none_of_ours_are_a_defect_with_a_name() -> None:
    with pytest.raises(TypeError, match="NoneType, not a SpokenSentence"):
        assembler().add(rendered(None, sound(1)))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_manner_sounds_from_its_symbol_to_the_next_manner_however_the_samples_come(size: int) -> None:
    assembly, context = assembler(), spoken(manners((0, NEUTRAL), (1, MUTE), (3, NEUTRAL)))
    audio = levels(b"".join(assembly.add(one) for one in windows(context, [2, 3, 3, 4], size)))
    expected, ramp = sound(12), 100  # 10 ms
    expected[800:900] *= np.arange(1, 1 + ramp) / ramp
    expected[200 + ramp : 800] = 0.0
    expected[200:300] *= 1 - np.arange(1, 1 + ramp) / ramp
    assert audio == pytest.approx(expected, abs=1e-3)


def test_a_manner_of_the_whole_sentence_needs_no_lengths_of_symbols() -> None:
    assert not levels(assembler().add(rendered(spoken(manners((0, MUTE))), sound(4))))[100:].any()


def test_where_no_lengths_are_known_all_sounds_as_its_beginning() -> None:
    """A step that makes audio before its engine knows the lengths; voices without any have one manner a sentence."""
    audio = levels(assembler().add(rendered(spoken(manners((0, NEUTRAL), (1, MUTE))), sound(4))))
    assert audio == pytest.approx(sound(4), abs=1e-4)


def shaping(
    context: SpokenSentence, symbols: Sequence[int] = (2, 2), **fields: Any
) -> list[tuple[int, Prosody, float]]:
    """How the samples of a sentence are shaped: the silence before them, then each manner."""
    resolved = resolve(**fields)
    noting = encoder(resolved)
    assembly = AudioAssembler(resolved, noting, {"joe": 100.0, "duo:bea": 200.0})
    assembly.add(rendered(context, sound(sum(symbols)), symbols))
    return noting.changes


def test_the_requests_pitch_and_the_words_multiply_and_gains_are_the_words() -> None:
    words = manners((0, Prosody(pitch=0.5, gain_db=3.0)), (1, Prosody(pitch=2.0)))
    (_, start, _), (_, first, _), (_, second, _) = shaping(spoken(words), pitch=1.1)
    assert (start.pitch, start.gain_db) == (pytest.approx(1.1), 0.0), "silence before it is as the request wants it"
    assert (first.pitch, first.gain_db) == (pytest.approx(0.55), 3.0)
    assert second.pitch == pytest.approx(2.2)


@pytest.mark.parametrize(("pitch", "prosody", "limit"), [(0.5, 0.5, PITCH_LIMITS[0]), (2.0, 2.0, PITCH_LIMITS[1])])
def test_the_requests_pitch_and_the_words_together_have_limits(pitch: float, prosody: float, limit: float) -> None:
    *_, (_, manner, _) = shaping(spoken(manners((0, Prosody(pitch=prosody)))), pitch=pitch)
    assert manner.pitch == limit


def test_hertz_are_measured_by_the_speakers_own_pitch() -> None:
    words = manners((0, Prosody(pitch_hz=50.0)))
    assert shaping(spoken(words), pitch=1.2)[1][1].pitch == pytest.approx(1.2 * 1.5)
    bea = spoken(words, voice=DUO, speaker=1)
    assert shaping(bea, speaker_id="duo:bea")[1][1].pitch == pytest.approx(1.25)


def test_samples_are_shaped_only_by_manners_that_sound_in_them() -> None:
    resolved = resolve()
    noting = encoder(resolved)
    assembly = AudioAssembler(resolved, noting)
    shaped = []
    for one in windows(spoken(manners((0, NEUTRAL), (1, HIGH), (2, MUTE))), [2, 2, 2], 2):
        noting.changes.clear()
        assembly.add(one)
        shaped.append([(manner.pitch, manner.gain_db) for _, manner, _ in noting.changes])
    assert shaped == [[(1.0, 0.0), (1.0, 0.0)], [(1.5, 0.0)], [(1.0, -math.inf)]]


def test_a_range_is_around_the_speakers_own_pitch() -> None:
    (rate_hz, manner, centre_hz), *_ = shaping(spoken(), emotion="calm")
    assert (rate_hz, centre_hz) == (10_000, 100.0)
    assert manner.pitch_range == EMOTIONS["calm"].pitch_range
    anna, bea = (spoken(voice=DUO, speaker=speaker) for speaker in (0, 1))
    assert shaping(bea, emotion="calm", speaker_id="duo:bea")[0][2] == 200.0
    assert shaping(anna, emotion="calm", speaker_id="duo:anna")[0][2] == 0.0, "nobody measured it"


def shape(voice: Voice, **fields: Any) -> tuple[float, float, float]:
    """Pitch, range and gain of a sentence; the gain is that of the request's own voice and the sentence's together."""
    _, manner, _ = shaping(spoken(voice=voice), **fields)[-1]
    return manner.pitch, manner.pitch_range, resolve(**fields).volume_gain_db + manner.gain_db


@pytest.mark.parametrize("own", [JOE, ACTOR])
def test_a_voice_that_renders_emotions_natively_is_shaped_by_none_whoever_else_speaks(own: Voice) -> None:
    shaped = shape(ACTOR, speaker_id=own.id, emotion="sad", pitch=1.2, volume_gain_db=-6.0)
    assert shaped == (pytest.approx(1.2), 1.0, pytest.approx(-6.0))


@pytest.mark.parametrize("own", [JOE, ACTOR])
def test_a_voice_that_renders_emotions_by_prosody_is_shaped_by_them_whoever_else_speaks(own: Voice) -> None:
    sad = EMOTIONS["sad"]
    shaped = shape(JOE, speaker_id=own.id, emotion="sad", pitch=1.2, volume_gain_db=-6.0)
    assert shaped == (pytest.approx(1.2 * sad.pitch), sad.pitch_range, pytest.approx(-6.0 + sad.gain_db))


def test_a_voice_of_another_rate_lasts_as_long_at_the_replys_rate() -> None:
    assembly = assembler()
    contexts = spoken(before=Silence(0.02)), spoken(before=Silence(0.03), voice=DUO)
    audio = levels(b"".join(assembly.add(rendered(one, sound(4))) for one in contexts) + assembly.end(END))
    assert len(audio) == 200 + 400 + 300 + 400 // 2
    assert not audio[:200].any()
    assert np.abs(audio[650:850]).max() < 0.01
    assert audio[920:-20] == pytest.approx(sound(4)[40:-40:2], abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 20_000])
def test_seconds_are_those_of_the_reply(rate_hz: int) -> None:
    assembly = assembler(sample_rate_hz=rate_hz)
    audio = assembly.add(rendered(spoken(), sound(30))) + assembly.end(END)
    assert assembly.seconds_out == len(audio) / 2 / rate_hz == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("fields", "is_heavy"),
    [
        ({}, False),
        ({"encoding": "wav", "sample_rate_hz": 48_000}, False),
        ({"pitch": 1.1}, True),
        ({"emotion": "sad"}, True),
        ({"emotion": "sad", "speaker_id": "actor"}, False),
        ({"encoding": "flac"}, True),
        ({"encoding": "mulaw"}, True),
    ],
)
def test_pitch_and_codecs_are_heavy(fields: dict[str, Any], is_heavy: bool) -> None:
    assert assembler(**fields).is_heavy is is_heavy


# --- spans and timings ------------------------------------------------------------------------------------------


def test_a_span_covers_all_that_was_added_since_the_last_one() -> None:
    assembly = assembler()
    assert assembly.span() is None
    contexts = [spoken(start=start, stop=start + 6) for start in (0, 7, 14, 21)]
    assembly.add(rendered(contexts[0], sound(1)))
    assert assembly.span() == (0, 6)
    for context in contexts[1:3]:
        assembly.add(rendered(context, sound(1)))
    assert assembly.span() == (7, 20)
    assert assembly.span() == (14, 20), "nothing was added: what was last"
    assembly.add(rendered(contexts[2], sound(1), start=1))
    assembly.add(rendered(contexts[3], sound(1)))
    assert assembly.span() == (14, 27)


def test_without_a_request_for_timings_there_are_none() -> None:
    assembly = assembler()
    assembly.add(rendered(spoken(SentenceAlignment(marks=((0, "a"),))), sound(2), (1, 1)))
    assert assembly.timings() is None
    assert assembly.timings(is_end=True) is None


def words_of(timings: Timings | None) -> list[tuple[str, float, float, int, int]]:
    assert timings is not None
    return [(word.word, word.start_seconds, word.end_seconds, word.start, word.stop) for word in timings.words]


def word(start: int, stop: int) -> SentenceAlignment:
    """A word of two symbols, the only one of its sentence."""
    return SentenceAlignment(words=(Word(start, stop, 0, 2),))


def test_words_are_timed_behind_the_silence_and_the_sentences_before_them() -> None:
    assembly = assembler(timing_types=["word"])
    first = spoken(word(0, 2), Silence(0.5), written="ab cd")
    second = spoken(word(3, 5), Silence(0.25), written="ab cd", voice=DUO)
    assembly.add(rendered(first, sound(4), (1, 3)))
    assembly.add(rendered(second, sound(6), (2, 4)))  # symbols of 5 ms
    assert words_of(assembly.timings(is_end=True)) == [
        ("ab", pytest.approx(0.5), pytest.approx(0.54), 0, 2),
        ("cd", pytest.approx(0.79), pytest.approx(0.82), 3, 5),
    ]


def test_a_word_of_a_later_piece_is_cut_out_of_that_piece() -> None:
    assembly = assembler(timing_types=["word"])
    assembly.add(rendered(spoken(word(103, 105), written="ab cd", written_from=100), sound(4), (1, 3)))
    assert words_of(assembly.timings()) == [("cd", 0.0, pytest.approx(0.04), 103, 105)]


def test_a_sentence_whose_lengths_are_unknown_has_no_words_timed() -> None:
    assembly = assembler(timing_types=["word"])
    assembly.add(rendered(spoken(word(0, 2), written="ab"), sound(4)))
    assert words_of(assembly.timings(is_end=True)) == []


def marks_of(assembly: AudioAssembler) -> list[tuple[str, float]]:
    timings = assembly.timings(is_end=True)
    assert timings is not None
    assert all(isinstance(mark, MarkTiming) for mark in timings.marks)
    return [(mark.name, pytest.approx(mark.start_seconds, abs=1e-4)) for mark in timings.marks]


def test_marks_are_where_they_stand_in_the_silence_and_in_the_sentence() -> None:
    assembly = assembler(timing_types=["mark"])
    before = Silence(0.75, ((0.0, "a"), (0.0, "b"), (0.5, "c"), (0.75, "d")))
    assembly.add(rendered(spoken(SentenceAlignment(marks=((1, "e"),)), before), sound(4), (2, 2)))
    assert marks_of(assembly) == [("a", 0.0), ("b", 0.0), ("c", 0.5), ("d", 0.75), ("e", 0.76)]


def test_marks_behind_a_sentence_are_before_the_silence_that_follows() -> None:
    assembly = assembler(timing_types=["mark"])
    assembly.add(rendered(spoken(), sound(4), (2, 2)))
    assembly.add(rendered(spoken(before=Silence(0.5, ((0.0, "a"),))), sound(4), (2, 2)))
    assembly.end(Silence(0.0, ((0.0, "b"),)))
    assert marks_of(assembly) == [("a", 0.04), ("b", 0.58)]


def test_marks_at_the_end_are_where_they_stand_in_the_last_silence() -> None:
    assembly = assembler(timing_types=["mark"])
    assembly.add(rendered(spoken(), sound(4), (2, 2)))
    assembly.end(Silence(0.75, ((0.5, "a"), (0.75, "b"))))
    assert marks_of(assembly) == [("a", 0.54), ("b", 0.79)]


def test_timings_come_with_the_bytes_that_they_begin_in_and_once() -> None:
    assembly = assembler(timing_types=["word"])
    words = tuple(Word(2 * at, 2 * at + 1, at, at + 1) for at in range(4))
    returned = []
    for one in windows(spoken(SentenceAlignment(words=words), written="a b c d"), [3, 3, 3, 3], 3):
        assembly.add(one)
        returned.append([word for word, *_ in words_of(assembly.timings())])
    assert returned == [["a", "b"], ["c"], ["d"], []]
    assert words_of(assembly.timings(is_end=True)) == []


def test_an_emotion_that_was_found_for_a_sentence_shapes_it_in_addition_to_the_request() -> None:
    resolved = resolve(pitch=1.2)
    noting = encoder(resolved)
    found = AudioAssembler(resolved, noting)
    found.add(rendered(replace(spoken(), emotion=EMOTIONS["sad"]), sound(4)))
    manner, sad = noting.changes[-1][1], EMOTIONS["sad"]
    assert (manner.pitch, manner.pitch_range, manner.gain_db) == (
        pytest.approx(1.2 * sad.pitch),
        sad.pitch_range,
        sad.gain_db,
    )


def test_why_an_emotion_was_not_found_is_said_once_with_the_first_samples_of_its_sentence() -> None:
    assembling = assembler()
    late = replace(spoken(), emotion_fallback="timeout")
    assembling.add(rendered(spoken(), sound(4)))
    assert assembling.emotion_fallback() is None
    assembling.add(rendered(late, sound(4)))
    assembling.add(rendered(late, sound(4), start=4))
    assert [assembling.emotion_fallback(), assembling.emotion_fallback()] == ["timeout", None]
