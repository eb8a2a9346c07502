"""Timings: where words, phonemes, visemes and marks are heard, and which chunk has them.

The second part goes the way of a request, on the tone engine: letters sound there, all else is silent.
"""

import math
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.speech.audio_assembler import AudioAssembler
from phonoscope.server.speech.timings import (
    SHORTEST_SILENCE_SECONDS,
    MarkTiming,
    PhonemeTiming,
    TimingNotes,
    Timings,
    VisemeTiming,
    WordTiming,
)
from phonoscope.server.speech.utterance_builder import Silence, UtteranceBuilder
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.passage import Mark, Passage
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.text.word_alignment import SentenceAlignment, Sound, Word
from phonoscope.server.types import TIMING_TYPES, SpeechRequest, TimingType

TEXT = "Cab, dg."
# Of ids that are begin, pad, and a phoneme or a space and a pad each, as a voice has them.
TIMES = [0.0, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.84, 0.88, 1.0, 1.2]
BOUNDS = [0.0, 0.05, 0.15, 0.3, 0.5, 0.65, 0.75, 0.82, 0.86, 0.94, 1.2]


def noted(
    alignment: SentenceAlignment,
    times: Sequence[float] = TIMES,
    wanted: Collection[TimingType] = TIMING_TYPES,
    written: str = TEXT,
    written_from: int = 0,
) -> Timings:
    notes = TimingNotes(frozenset(wanted))
    notes.note(alignment, written, written_from, times)
    timings = notes.begun_by(math.inf)
    assert timings is not None
    return timings


def words(*ranges: tuple[int, int]) -> SentenceAlignment:
    return SentenceAlignment(words=tuple(Word(0, 1, first, last) for first, last in ranges))


def sounds(*each: tuple[str, int, int]) -> SentenceAlignment:
    return SentenceAlignment(sounds=tuple(Sound(*one) for one in each))


def spans(timings: Sequence[WordTiming | PhonemeTiming | VisemeTiming]) -> list[tuple[float, float]]:
    return [(round(one.start_seconds, 6), round(one.end_seconds, 6)) for one in timings]


# --- one sentence -----------------------------------------------------------------------------------------------


def test_a_pad_belongs_half_to_the_phoneme_before_it_and_half_to_the_next() -> None:
    timings = noted(sounds(("a", 2, 4), ("b", 4, 6)))
    assert spans(timings.phonemes) == [(0.15, 0.5), (0.5, 0.75)]


def test_the_first_id_begins_and_the_last_one_ends_without_a_neighbour() -> None:
    assert spans(noted(words((0, 1), (9, 10))).words) == [(0.0, 0.05), (0.94, 1.2)]


def test_every_bound_is_in_the_middle_of_the_id_before_it() -> None:
    marks = tuple((at, str(at)) for at in range(11))
    assert [mark.start_seconds for mark in noted(SentenceAlignment(marks=marks)).marks] == pytest.approx(BOUNDS)


def test_a_word_is_what_is_written_at_its_offsets() -> None:
    alignment = SentenceAlignment(words=(Word(100, 103, 2, 4), Word(105, 107, 4, 8)))
    timings = noted(alignment, written=TEXT, written_from=100)
    assert [(word.word, word.start, word.stop) for word in timings.words] == [("Cab", 100, 103), ("dg", 105, 107)]


@pytest.mark.parametrize(("gap", "begins"), [(0.0, 1.0), (0.04, 1.0), (0.099, 1.0), (0.1001, 1.1001), (0.5, 1.5)])
def test_a_gap_that_nobody_hears_goes_to_the_next_word(gap: float, begins: float) -> None:
    """Bounds are at 1 and behind the gap, in the middle of the ids before them."""
    middles = [0.0, 1.0, 1.0 + gap]
    times = [0.0, 0.0, 2.0, 2 * gap, 3.0 + gap]
    assert [(a + b) / 2 for a, b in pairwise(times[:4])] == pytest.approx(middles)
    assert 0.099 < SHORTEST_SILENCE_SECONDS < 0.1001
    timings = noted(words((0, 2), (3, 4)), times)
    assert spans(timings.words) == [(0.0, 1.0), (begins, 3.0 + gap)]


def test_phonemes_of_two_words_follow_one_another_as_the_words_do() -> None:
    timings = noted(
        SentenceAlignment(words=words((2, 4), (6, 8)).words, sounds=sounds(("a", 2, 4), ("b", 6, 8)).sounds)
    )
    assert spans(timings.words) == spans(timings.phonemes) == [(0.15, 0.5), (0.75, 0.86)]
    near = noted(sounds(("a", 2, 6), ("b", 7, 9)))
    assert spans(near.phonemes) == [(0.15, 0.75), (0.75, 0.94)], "70 ms of silence are none"


def test_like_visemes_are_one_and_silence_has_its_own() -> None:
    timings = noted(sounds(("p", 1, 2), ("b", 2, 3), ("ˈaː", 3, 4), ("m", 6, 7), ("ʔ", 7, 9)))
    assert [viseme.viseme for viseme in timings.visemes] == ["pp", "aa", "sil", "pp", "sil"]
    assert spans(timings.visemes) == [(0.05, 0.3), (0.3, 0.5), (0.5, 0.75), (0.75, 0.82), (0.82, 1.2)]


def test_like_visemes_that_are_apart_stay_two() -> None:
    timings = noted(sounds(("p", 1, 2), ("b", 4, 5)))
    assert [viseme.viseme for viseme in timings.visemes] == ["pp", "sil", "pp", "sil"]
    assert spans(timings.visemes) == [(0.05, 0.15), (0.15, 0.5), (0.5, 0.65), (0.65, 1.2)]


def test_a_sound_that_cannot_be_seen_is_one_with_the_silence_before_it() -> None:
    timings = noted(sounds(("p", 1, 2), ("h", 4, 5), ("ʔ", 5, 6), ("p", 6, 10)))
    assert [viseme.viseme for viseme in timings.visemes] == ["pp", "sil", "pp"]
    assert spans(timings.visemes) == [(0.05, 0.15), (0.15, 0.75), (0.75, 1.2)]


def test_a_sentence_without_sounds_has_no_visemes() -> None:
    assert noted(SentenceAlignment()) == Timings()


ALL = SentenceAlignment(
    words=(Word(0, 3, 2, 6), Word(5, 7, 6, 10)),
    sounds=(Sound("k", 2, 4), Sound("a", 4, 6), Sound("d", 6, 10)),
    marks=((6, "here"),),
)


@pytest.mark.parametrize("wanted", TIMING_TYPES)
def test_what_is_not_wanted_is_not_noted(wanted: TimingType) -> None:
    whole, timings = noted(ALL), noted(ALL, wanted=[wanted])
    kind = f"{wanted}s"
    assert timings == replace(Timings(), **{kind: getattr(whole, kind)})
    assert getattr(timings, kind)


def test_where_nothing_is_wanted_there_are_no_timings_instead_of_empty_ones() -> None:
    notes = TimingNotes(frozenset())
    notes.note(ALL, TEXT, 0, TIMES)
    notes.mark("a", 0.0)
    assert notes.begun_by(math.inf) is None


def test_what_begins_now_waits_for_the_next_chunk() -> None:
    notes = TimingNotes(frozenset(["mark"]))
    for name, seconds in (("a", 0.0), ("b", 0.5), ("c", 0.7)):
        notes.mark(name, seconds)
    told = [notes.begun_by(seconds) for seconds in (0.0, 0.5, 0.6, 0.6, math.inf, math.inf)]
    names = [[mark.name for mark in timings.marks] for timings in told if timings is not None]
    assert names == [[], ["a"], ["b"], [], ["c"], []]


def test_each_kind_is_handed_out_by_itself() -> None:
    notes = TimingNotes(frozenset(TIMING_TYPES))
    notes.note(ALL, TEXT, 0, TIMES)
    first, rest = notes.begun_by(0.6), notes.begun_by(math.inf)
    assert first is not None
    assert rest is not None
    assert [len(kind) for kind in (first.words, first.phonemes, first.visemes, first.marks)] == [1, 2, 2, 0]
    assert [len(kind) for kind in (rest.words, rest.phonemes, rest.visemes, rest.marks)] == [1, 1, 1, 1]
    assert rest.marks == (MarkTiming("here", pytest.approx(0.75)),)


# --- the way of a request ---------------------------------------------------------------------------------------

VOICE = tone_voice()
VOICE = replace(VOICE, phonemes=replace(VOICE.phonemes, kind="espeak", espeak_voice="en"))
SPOKEN = "Abc de, fghi. J klmno: pq! Rst."
MARKS = tuple(Mark(at, f"m{at}") for at in (0, 8, 14, len(SPOKEN)))
PASSAGES = (Passage(SPOKEN, marks=MARKS), Passage("Uv wx.", pause_seconds=0.35), Passage("Yz.", pause_seconds=0.2))
FRAME_SECONDS = 256 / VOICE.sample_rate_hz


@dataclass(frozen=True)
class Chunk:
    """Bytes, their start and end, and their timings."""

    audio: bytes
    start_seconds: float
    stop_seconds: float
    timings: Timings


def rendered(resolved: ResolvedRequest, window_frames: int) -> Generator[Rendered, None, Silence]:
    """Reads all passages, yields the windows of their sentences, and returns the silence at the end."""
    reader, builder = TextFrontEnd(Letters()), UtteranceBuilder(resolved, is_streamed=True)
    built = []
    for passage in PASSAGES:
        builder.pause(passage.pause_seconds)
        reading = reader.sentences(passage, VOICE.phonemes, is_aligned=True)
        built += [builder.build(sentence, passage, passage.text) for sentence in reading]
        builder.leave_marks(reading.marks_left)
    builder.pause(0.3)
    engine = ToneEngine([VOICE], sizes=(window_frames,))
    for utterance, context in built:
        job, start = engine.open(utterance), 0
        while step := job.next_step(0.0):
            (result,) = engine.run([step])
            if len(result.samples):
                yield Rendered(context, result.samples, start, 0.0, symbol_samples=result.symbol_samples)
            start += len(result.samples)
    return builder.silence()


def chunks(window_frames: int = 16, **fields: Any) -> list[Chunk]:
    asked = SpeechRequest(SPOKEN, seed=1, timing_types=TIMING_TYPES, **fields)
    resolved = RequestResolver([VOICE], max_characters=1000).resolve(asked)
    encoder = AudioEncoder(
        encoding=resolved.encoding,
        source_rate_hz=VOICE.sample_rate_hz,
        target_rate_hz=resolved.sample_rate_hz,
        changes_pitch=resolved.changes_pitch,
        volume_gain_db=resolved.volume_gain_db,
    )
    assembler = AudioAssembler(resolved, encoder)
    made, seconds = [], 0.0

    def chunk(audio: bytes, *, is_end: bool = False) -> None:
        nonlocal seconds
        timings = assembler.timings(is_end=is_end)
        assert timings is not None
        made.append(Chunk(audio, seconds, assembler.seconds_out, timings))
        seconds = assembler.seconds_out

    windows = rendered(resolved, window_frames)
    while True:
        try:
            one = next(windows)
        except StopIteration as end:
            chunk(assembler.end(end.value), is_end=True)
            return made
        if audio := assembler.add(one):
            chunk(audio)


def whole(made: Sequence[Chunk]) -> Timings:
    kinds = ("words", "phonemes", "visemes", "marks")
    return Timings(*(tuple(chain.from_iterable(getattr(one.timings, kind) for one in made)) for kind in kinds))


def sounding(made: Sequence[Chunk], rate_hz: int) -> NDArray[np.bool_]:
    return np.abs(np.frombuffer(b"".join(one.audio for one in made), "<i2")) > 0.02 * 32_767


WAYS: list[dict[str, Any]] = [
    {},
    {"sample_rate_hz": 8_000},
    {"sample_rate_hz": 48_000},
    {"speed": 0.5},
    {"speed": 2.0, "sample_rate_hz": 16_000},
    {"pitch": 1.2},
    {"volume_gain_db": 6.0, "sample_rate_hz": 24_000},
]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("window_frames", [5, 16, 1000])
def test_each_timing_comes_with_the_chunk_in_which_it_begins(how: dict[str, Any], window_frames: int) -> None:
    made = chunks(window_frames, **how)
    for one in made:
        told = one.timings
        for timing in (*told.words, *told.phonemes, *told.visemes, *told.marks):
            assert one.start_seconds <= timing.start_seconds < one.stop_seconds


@pytest.mark.parametrize("how", WAYS)
def test_nothing_is_lost_or_reported_twice_however_the_audio_is_cut(how: dict[str, Any]) -> None:
    told = [whole(chunks(window_frames, **how)) for window_frames in (3, 16, 1000)]
    assert told[0] == told[1] == told[2]
    assert [word.word for word in told[0].words] == ["Abc", "de", "fghi", "J", "klmno", "pq", "Rst", "Uv", "wx", "Yz"]
    assert [(word.start, word.stop) for word in told[0].words[:3]] == [(0, 3), (4, 6), (8, 12)]
    assert "".join(one.phoneme for one in told[0].phonemes) == ascii_lowercase
    assert [mark.name for mark in told[0].marks] == [mark.name for mark in MARKS]


@pytest.mark.parametrize("how", WAYS)
def test_timings_ascend_and_nothing_overlaps(how: dict[str, Any]) -> None:
    told = whole(chunks(**how))
    for kind in (told.words, told.phonemes, told.visemes):
        assert all(one.start_seconds < one.end_seconds for one in kind)
        assert all(before.end_seconds <= after.start_seconds for before, after in pairwise(kind))
    assert [mark.start_seconds for mark in told.marks] == sorted(mark.start_seconds for mark in told.marks)
    assert [(told.words[0].start_seconds), told.words[-1].end_seconds] == [
        told.phonemes[0].start_seconds,
        told.phonemes[-1].end_seconds,
    ]


@pytest.mark.parametrize("how", [how for how in WAYS if "pitch" not in how])
def test_words_sound_where_they_are_said_to(how: dict[str, Any]) -> None:
    """A word's last pad, and a gap of a space before it, are silent: a few frames."""
    made = chunks(**how)
    rate_hz = how.get("sample_rate_hz", VOICE.sample_rate_hz)
    heard = np.flatnonzero(sounding(made, rate_hz)) / rate_hz
    frame_seconds = FRAME_SECONDS / min(how.get("speed", 1.0), 1.0)  # a pad lasts a whole one, however fast
    told = whole(made)
    for word in told.words:
        within = heard[(heard >= word.start_seconds) & (heard < word.end_seconds)]
        assert within[0] - word.start_seconds < 6 * frame_seconds
        assert word.end_seconds - within[-1] < 2 * frame_seconds
    starts = [word.start_seconds for word in told.words]
    ends = [word.end_seconds for word in told.words]
    places = np.searchsorted(starts, heard, "right") - 1
    assert (heard <= np.array(ends)[places]).all(), "nothing sounds outside words"


def test_silence_between_passages_counts() -> None:
    told = whole(chunks())
    by_name = {word.word: word for word in told.words}
    before, after = by_name["Rst"], by_name["Uv"]
    assert 0.35 < after.start_seconds - before.end_seconds < 0.35 + 20 * FRAME_SECONDS
    assert before.end_seconds < told.marks[-1].start_seconds < after.start_seconds - 0.35
    made = chunks()
    assert made[-1].stop_seconds - told.words[-1].end_seconds > 0.3


def test_twice_the_rate_of_samples_changes_no_timing_and_twice_the_speed_halves_them() -> None:
    plain, resampled, fast = whole(chunks()), whole(chunks(sample_rate_hz=44_100)), whole(chunks(speed=2.0))
    assert plain == resampled
    lasting = [[word.end_seconds - word.start_seconds for word in told.words] for told in (plain, fast)]
    assert sum(lasting[1]) == pytest.approx(sum(lasting[0]) / 2, rel=0.15)
