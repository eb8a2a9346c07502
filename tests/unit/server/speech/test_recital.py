"""A recital: what the engine is told of each sentence, and what becomes of its samples, on the way to bytes."""

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
from phonoscope.server.speech.recital import PITCH_LIMITS, SPEED_LIMITS, Recital
from phonoscope.server.speech.timings import MarkTiming, Timings
from phonoscope.server.speech.utterances import sentence_seed
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.wording import PLAIN, Word, Wording
from phonoscope.server.types import SpeechRequest

FRAME = 100  # samples
JOE = tone_voice("joe", sample_rate_hz=10_000)  # a frame lasts 10 ms
DUO = tone_voice("duo", sample_rate_hz=20_000, speakers=("anna", "bea"))
IDS = JOE.phonemes.ids
PASSAGE = Passage("Hello.")
SLOW, HIGH, MUTE = Prosody(rate=0.5), Prosody(pitch=1.5), Prosody(gain_db=-math.inf)


class Noting(AudioEncoder):
    """An encoder that writes down how it was told to sound."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.turns: list[tuple[int, Prosody, float]] = []

    def turn(self, source_rate_hz: int, manner: Prosody, centre_hz: float = 0.0) -> bytes:
        self.turns.append((source_rate_hz, manner, centre_hz))
        return super().turn(source_rate_hz, manner, centre_hz)


def resolve(**fields: Any) -> ResolvedRequest:
    return RequestResolver([JOE, DUO], most_characters=100).resolve(SpeechRequest(**({"text": "Hello."} | fields)))


def encoder(resolved: ResolvedRequest) -> Noting:
    return Noting(
        encoding=resolved.encoding,
        source_rate_hz=resolved.voice.sample_rate_hz,
        target_rate_hz=resolved.sample_rate_hz,
        changes_pitch=resolved.changes_pitch,
    )


def recital(**fields: Any) -> Recital:
    resolved = resolve(**fields)
    return Recital(resolved, encoder(resolved))


def sentence(phonemes: int = 4, wording: Wording = PLAIN, *, start: int = 0, stop: int = 6) -> Sentence:
    return Sentence(start, stop, tuple(range(50, 50 + phonemes)), wording=wording)


def spelled(text: str) -> Sentence:
    ids = tuple(one for symbol in ("^", *text, "$") for one in (*IDS[symbol], *IDS["_"]))
    return Sentence(0, len(text), ids)


def sound(frames: int) -> NDArray[np.float32]:
    """Samples of which each is another."""
    return np.linspace(0.1, 0.9, frames * FRAME, dtype=np.float32)


def window(
    samples: NDArray[np.float32], utterance: int = 0, phoneme_frames: Sequence[int] = (), start: int = 0
) -> Rendered:
    return Rendered(samples, 0.0, 0.0, utterance, tuple(phoneme_frames), start, FRAME)


def windows(frames: Sequence[int], size: int, utterance: int = 0) -> list[Rendered]:
    """The windows of a sentence, of so many frames each."""
    whole = sound(sum(frames))
    return [
        window(whole[start * FRAME : (start + size) * FRAME], utterance, frames, start)
        for start in range(0, sum(frames), size)
    ]


def levels(audio: bytes) -> NDArray[np.float64]:
    return np.frombuffer(audio, "<i2") / 32_767


def manners(*each: tuple[int, Prosody]) -> Wording:
    return Wording(manners=each)


# --- what the engine is told ------------------------------------------------------------------------------------


def test_a_plain_sentence_is_said_as_the_request_wants_it() -> None:
    reading = recital(speed=2.0, seed=7)
    first, second = (reading.say(sentence(), PASSAGE, "Hello.") for _ in range(2))
    assert (first.voice_id, first.speaker, first.speed, first.rates) == ("joe", 0, 2.0, ())
    assert first.phoneme_ids == (50, 51, 52, 53)
    assert [first.seed, second.seed] == [sentence_seed(7, 0), sentence_seed(7, 1)]
    assert reading.sentences == 2


def test_a_passage_of_somebody_else_is_said_by_them_and_the_next_one_is_not() -> None:
    reading = recital(speaker_id="duo:anna")
    said = [
        reading.say(sentence(), passage, "Hello.")
        for passage in (PASSAGE, replace(PASSAGE, voice=DUO, speaker=1), replace(PASSAGE, voice=JOE), PASSAGE)
    ]
    assert [(one.voice_id, one.speaker) for one in said] == [("duo", 0), ("duo", 1), ("joe", 0), ("duo", 0)]


def test_a_rate_holds_from_its_phoneme_to_the_next_manner() -> None:
    said = recital().say(sentence(5, manners((0, NEUTRAL), (2, SLOW), (4, Prosody(rate=1.25)))), PASSAGE, "Hello.")
    assert said.rates == (1.0, 1.0, 0.5, 0.5, 1.25)


def test_manners_that_leave_the_rate_alone_ask_for_none() -> None:
    assert recital().say(sentence(5, manners((0, NEUTRAL), (2, HIGH))), PASSAGE, "Hello.").rates == ()


@pytest.mark.parametrize(
    ("speed", "rate", "heard"), [(4.0, 2.0, 5.0), (0.25, 0.5, 0.2), (4.0, 1.25, 5.0), (0.25, 0.8, 0.2), (2, 2, 4)]
)
def test_a_rate_and_the_speed_together_have_limits(speed: float, rate: float, heard: float) -> None:
    said = recital(speed=speed).say(sentence(2, manners((0, NEUTRAL), (1, Prosody(rate=rate)))), PASSAGE, "Hello.")
    assert said.speeds == pytest.approx((speed, heard))
    assert SPEED_LIMITS[0] <= said.speeds[1] <= SPEED_LIMITS[1]


@pytest.mark.parametrize("mark", [",", ";", ":"])
def test_an_emotion_stretches_pauses_and_the_pads_behind_them(mark: str) -> None:
    longer = EMOTIONS["sad"].pauses
    said = recital(emotion="sad").say(spelled(f"ab{mark}c."), PASSAGE, "Hello.")
    changed = [index for index, rate in enumerate(said.rates) if rate != 1.0]
    place = said.phoneme_ids.index(IDS[mark][0])
    assert changed == [place, place + 1], "neither other phonemes nor the stop that ends it"
    assert [said.rates[index] for index in changed] == pytest.approx([1 / longer] * 2)


def test_without_an_emotion_a_pause_is_the_voices_own() -> None:
    assert recital().say(spelled("ab,c."), PASSAGE, "Hello.").rates == ()


def test_a_pause_that_is_slow_is_slow_and_long() -> None:
    slow = replace(spelled("a,"), wording=manners((0, SLOW)))
    said = recital(emotion="sad").say(slow, PASSAGE, "Hello.")
    pause = said.phoneme_ids.index(IDS[","][0])
    assert said.rates[pause] == pytest.approx(0.5 / EMOTIONS["sad"].pauses)
    assert said.rates[0] == 0.5


def test_a_pause_at_the_very_end_has_no_pad_behind_it() -> None:
    said = recital(emotion="sad").say(Sentence(0, 1, (50, *IDS[","])), PASSAGE, "Hello.")
    assert said.rates == pytest.approx((1.0, 1 / EMOTIONS["sad"].pauses))


# --- what becomes of the samples --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_windows_become_bytes_as_they_come(size: int) -> None:
    reading = recital()
    reading.say(sentence(2), PASSAGE, "Hello.")
    audio = b"".join(reading.hear(one) for one in windows([3, 5], size)) + reading.end()
    assert levels(audio) == pytest.approx(sound(8), abs=1e-4)
    assert reading.seconds_out == pytest.approx(0.08)


def test_silence_comes_once_before_its_sentence() -> None:
    reading = recital()
    reading.wait(0.02)
    reading.wait(0.03)
    for _ in range(2):
        reading.say(sentence(2), PASSAGE, "Hello.")
    assert not levels(reading.hear(window(sound(1), 0))[: 2 * 500]).any()
    assert reading.seconds_out == pytest.approx(0.06)
    assert levels(reading.hear(window(sound(1), 0, start=1))).all(), "a later window of the same sentence"
    assert levels(reading.hear(window(sound(1), 1))).all(), "the next sentence"


def test_silence_behind_the_last_sentence_ends_it() -> None:
    reading = recital()
    reading.say(sentence(2), PASSAGE, "Hello.")
    reading.wait(0.05)
    reading.hear(window(sound(1)))
    assert levels(reading.end()).tolist() == [0.0] * 500
    assert reading.seconds_out == pytest.approx(0.06)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_manner_sounds_from_its_phoneme_to_the_next_manner_whatever_the_windows(size: int) -> None:
    reading = recital()
    reading.say(sentence(4, manners((0, NEUTRAL), (1, MUTE), (3, NEUTRAL))), PASSAGE, "Hello.")
    audio = levels(b"".join(reading.hear(one) for one in windows([2, 3, 3, 4], size)))
    expected, ramp = sound(12), 100  # 10 ms
    expected[800:900] *= np.arange(1, 1 + ramp) / ramp
    expected[200 + ramp : 800] = 0.0
    expected[200:300] *= 1 - np.arange(1, 1 + ramp) / ramp
    assert audio == pytest.approx(expected, abs=1e-3)


def test_a_manner_of_the_whole_sentence_needs_no_frames() -> None:
    reading = recital()
    reading.say(sentence(4, manners((0, MUTE))), PASSAGE, "Hello.")
    assert not levels(reading.hear(window(sound(4))))[100:].any()


def turns(said: Wording, frames: Sequence[int] = (2, 2), **fields: Any) -> list[tuple[int, Prosody, float]]:
    resolved = resolve(**fields)
    ear = encoder(resolved)
    reading = Recital(resolved, ear, {"joe": 100.0, "duo:bea": 200.0})
    reading.say(sentence(len(frames), said), PASSAGE, "Hello.")
    reading.hear(window(sound(sum(frames)), 0, frames))
    return ear.turns


def test_the_requests_pitch_and_the_words_go_together_within_limits() -> None:
    low, high = Prosody(pitch=0.5, gain_db=3.0), Prosody(pitch=2.0)
    (_, start, _), (_, first, _), (_, second, _) = turns(manners((0, low), (1, high)), pitch=1.1)
    assert (start.pitch, start.gain_db) == (pytest.approx(1.1), 0.0), "silence before it is as the request wants it"
    assert (first.pitch, first.gain_db) == (pytest.approx(0.55), 3.0)
    assert second.pitch == pytest.approx(2.2)
    for pitch, limit in ((0.5, PITCH_LIMITS[0]), (2.0, PITCH_LIMITS[1])):
        *_, (_, deep, _), (_, shrill, _) = turns(manners((0, low), (1, high)), pitch=pitch)
        assert limit in (deep.pitch, shrill.pitch)


def test_hertz_are_measured_by_the_speakers_own_pitch() -> None:
    said = manners((0, Prosody(pitch_hz=50.0)))
    assert turns(said, pitch=1.2)[1][1].pitch == pytest.approx(1.2 * 1.5)
    assert turns(said, speaker_id="duo:bea")[1][1].pitch == pytest.approx(1.25)


def test_a_window_is_told_of_manners_that_sound_in_it_alone() -> None:
    resolved = resolve()
    ear = encoder(resolved)
    reading = Recital(resolved, ear)
    reading.say(sentence(3, manners((0, NEUTRAL), (1, HIGH), (2, MUTE))), PASSAGE, "Hello.")
    told = []
    for one in windows([2, 2, 2], 2):
        ear.turns.clear()
        reading.hear(one)
        told.append([(manner.pitch, manner.gain_db) for _, manner, _ in ear.turns])
    assert told == [[(1.0, 0.0), (1.0, 0.0)], [(1.5, 0.0)], [(1.0, -math.inf)]]


def test_a_range_is_around_the_speakers_own_pitch() -> None:
    (rate_hz, manner, centre_hz), *_ = turns(PLAIN, emotion="calm")
    assert (rate_hz, centre_hz) == (10_000, 100.0)
    assert manner.pitch_range == EMOTIONS["calm"].pitch_range
    assert turns(PLAIN, emotion="calm", speaker_id="duo:bea")[0][2] == 200.0
    assert turns(PLAIN, emotion="calm", speaker_id="duo:anna")[0][2] == 0.0, "nobody measured it"


def test_a_voice_of_another_rate_lasts_as_long_at_the_replys_rate() -> None:
    reading = recital()
    reading.wait(0.02)
    reading.say(sentence(2), PASSAGE, "Hello.")
    reading.wait(0.03)
    reading.say(sentence(2), replace(PASSAGE, voice=DUO), "Hello.")
    heard = [reading.hear(window(sound(4), utterance)) for utterance in (0, 1)]
    audio = levels(b"".join(heard) + reading.end())
    assert len(audio) == 200 + 400 + 300 + 400 // 2
    assert not audio[:200].any()
    assert np.abs(audio[650:850]).max() < 0.01
    assert audio[920:-20] == pytest.approx(sound(4)[40:-40:2], abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 20_000])
def test_seconds_are_those_of_the_reply(rate_hz: int) -> None:
    reading = recital(sample_rate_hz=rate_hz)
    reading.say(sentence(2), PASSAGE, "Hello.")
    audio = reading.hear(window(sound(30))) + reading.end()
    assert reading.seconds_out == len(audio) / 2 / rate_hz == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("fields", "is_heavy"),
    [
        ({}, False),
        ({"encoding": "wav", "sample_rate_hz": 48_000}, False),
        ({"pitch": 1.1}, True),
        ({"emotion": "sad"}, True),
        ({"encoding": "flac"}, True),
        ({"encoding": "mulaw"}, True),
    ],
)
def test_pitch_and_codecs_are_heavy(fields: dict[str, Any], is_heavy: bool) -> None:
    assert recital(**fields).is_heavy is is_heavy


# --- what the listener is told ----------------------------------------------------------------------------------


def test_a_span_covers_all_that_sounded_since_the_last_one() -> None:
    reading = recital()
    assert reading.span() is None
    for start in (0, 7, 14, 21):
        reading.say(sentence(start=start, stop=start + 6), PASSAGE, "")
    reading.hear(window(sound(1), 0))
    assert reading.span() == (0, 6)
    for utterance in (1, 2):
        reading.hear(window(sound(1), utterance))
    assert reading.span() == (7, 20)
    assert reading.span() == (14, 20), "nothing new sounded: what did last"
    reading.hear(window(sound(1), 2, start=1))
    reading.hear(window(sound(1), 3))
    assert reading.span() == (14, 27)


def test_nobody_is_told_of_timings_who_did_not_ask() -> None:
    reading = recital()
    reading.say(sentence(2, Wording(marks=((0, "a"),))), PASSAGE, "Hello.")
    reading.hear(window(sound(2), 0, (1, 1)))
    assert reading.timings() is None
    assert reading.timings(is_end=True) is None


def words_of(timings: Timings | None) -> list[tuple[str, float, float, int, int]]:
    assert timings is not None
    return [(word.word, word.start_seconds, word.end_seconds, word.start, word.stop) for word in timings.words]


def test_words_are_timed_behind_the_silence_and_the_sentences_before_them() -> None:
    reading = recital(timing_types=["word"])
    reading.wait(0.5)
    reading.say(sentence(2, Wording(words=(Word(0, 2, 0, 2),))), PASSAGE, "ab cd")
    reading.wait(0.25)
    reading.say(sentence(2, Wording(words=(Word(3, 5, 0, 2),))), replace(PASSAGE, voice=DUO), "ab cd")
    reading.hear(window(sound(4), 0, (1, 3)))
    reading.hear(window(sound(6), 1, (2, 4)))  # of 5 ms each
    first, second = words_of(reading.timings(is_end=True))
    assert first == ("ab", pytest.approx(0.5), pytest.approx(0.54), 0, 2)
    assert second == ("cd", pytest.approx(0.79), pytest.approx(0.82), 3, 5)


def test_a_word_of_a_later_piece_is_cut_out_of_that_piece() -> None:
    reading = recital(timing_types=["word"])
    reading.say(sentence(2, Wording(words=(Word(103, 105, 0, 2),))), PASSAGE, "ab cd", 100)
    reading.hear(window(sound(4), 0, (1, 3)))
    assert words_of(reading.timings()) == [("cd", 0.0, pytest.approx(0.04), 103, 105)]


def marks_of(reading: Recital) -> list[tuple[str, float]]:
    reading.end()
    timings = reading.timings(is_end=True)
    assert timings is not None
    assert all(isinstance(mark, MarkTiming) for mark in timings.marks)
    return [(mark.name, pytest.approx(mark.start_seconds, abs=1e-4)) for mark in timings.marks]


def test_marks_are_heard_where_they_stand_in_the_silence() -> None:
    reading = recital(timing_types=["mark"])
    reading.leave_marks(("a", "b"))
    reading.wait(0.5)
    reading.leave_marks(("c",))
    reading.wait(0.25)
    reading.leave_marks(("d",))
    reading.say(sentence(2, Wording(marks=((1, "e"),))), PASSAGE, "Hello.")
    reading.hear(window(sound(4), 0, (2, 2)))
    assert marks_of(reading) == [("a", 0.0), ("b", 0.0), ("c", 0.5), ("d", 0.75), ("e", 0.76)]


def test_marks_behind_a_sentence_are_heard_before_the_silence_that_follows() -> None:
    reading = recital(timing_types=["mark"])
    reading.say(sentence(2), PASSAGE, "Hello.")
    reading.leave_marks(("a",))
    reading.wait(0.5)
    reading.say(sentence(2), PASSAGE, "Hello.")
    reading.leave_marks(("b",))
    for utterance in (0, 1):
        reading.hear(window(sound(4), utterance, (2, 2)))
    assert marks_of(reading) == [("a", 0.04), ("b", 0.58)]


def test_marks_at_the_end_are_heard_where_they_stand_in_the_last_silence() -> None:
    reading = recital(timing_types=["mark"])
    reading.say(sentence(2), PASSAGE, "Hello.")
    reading.wait(0.5)
    reading.leave_marks(("a",))
    reading.wait(0.25)
    reading.leave_marks(("b",))
    reading.hear(window(sound(4), 0, (2, 2)))
    assert marks_of(reading) == [("a", 0.54), ("b", 0.79)]


def test_timings_come_with_the_bytes_that_they_begin_in_and_once() -> None:
    reading = recital(timing_types=["word"])
    words = tuple(Word(2 * at, 2 * at + 1, at, at + 1) for at in range(4))
    reading.say(sentence(4, Wording(words=words)), PASSAGE, "a b c d")
    told = []
    for one in windows([3, 3, 3, 3], 3):
        reading.hear(one)
        told.append([word for word, *_ in words_of(reading.timings())])
    assert told == [["a", "b"], ["c"], ["d"], []]
    assert words_of(reading.timings(is_end=True)) == []
