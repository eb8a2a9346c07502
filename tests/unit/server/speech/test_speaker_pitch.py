"""Each speaker's pitch is measured once, even for concurrent requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pytest

from phonoscope.common.errors import EngineFailed, InvalidRequest, ServiceError
from phonoscope.server.emotions import Prosody
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.speech.speaker_pitch import PITCH_TEXT, SpeakerPitches, check_hertz, pitch_ratio
from phonoscope.server.speech.utterance_builder import sentence_seed
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import Recording, SpeechRequest, Utterance

JOE = tone_voice("joe", sample_rate_hz=16_000)
JOE = replace(JOE, phonemes=replace(JOE.phonemes, kind="espeak", espeak_voice="en"))  # read in two sentences
DUO = tone_voice("duo", sample_rate_hz=8_000, speakers=("anna", "bea"))
RATES_HZ = {voice.id: voice.sample_rate_hz for voice in (JOE, DUO)}


class HummedStream:
    """In place of a SpeechStream: hums for a second, in two parts, once its text is complete."""

    def __init__(self, voice_id: str, hertz: float, failure: ServiceError | None) -> None:
        rate_hz = RATES_HZ[voice_id]
        self._samples = (0.3 * np.sin(2 * np.pi * hertz * np.arange(rate_hz) / rate_hz)).astype(np.float32)
        self._failure = failure
        self._is_text_complete = False
        self.utterances: list[Utterance] = []
        self.is_left = False

    def say(self, utterance: Utterance) -> None:
        self.utterances.append(utterance)

    def finish_text(self) -> None:
        self._is_text_complete = True

    async def __aiter__(self) -> AsyncIterator[Rendered]:
        assert self._is_text_complete
        await asyncio.sleep(0)  # others ask meanwhile
        if self._failure:
            raise self._failure
        for part in np.split(self._samples, 2):
            yield Rendered(None, part, 0, 0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_left = True


class HummingScheduler:
    """In place of a Scheduler: every voice hums at a pitch, or fails."""

    def __init__(self) -> None:
        self.hertz = 150.0
        self.failure: ServiceError | None = None
        self.opened: list[dict[str, Any]] = []
        self.streams: list[HummedStream] = []

    def open(self, **asked: Any) -> HummedStream:
        self.opened.append(asked)
        self.streams.append(HummedStream(asked["voice_id"], self.hertz, self.failure))
        return self.streams[-1]


@pytest.fixture
def scheduler() -> HummingScheduler:
    return HummingScheduler()


@pytest.fixture
def pitches(scheduler: HummingScheduler) -> Iterator[SpeakerPitches]:
    with ThreadPoolExecutor(max_workers=1) as text_thread:
        numbers = iter(range(7, 100))
        front_end = TextFrontEnd(Letters())
        yield SpeakerPitches(scheduler, front_end, text_thread, lambda: next(numbers))  # type: ignore[arg-type]


async def test_those_who_ask_at_once_share_one_measurement(
    pitches: SpeakerPitches, scheduler: HummingScheduler
) -> None:
    found = await asyncio.gather(*(pitches.of(JOE, 0, None) for _ in range(20)))
    assert found == pytest.approx([150.0] * 20, rel=0.01)
    assert len(scheduler.opened) == 1


async def test_a_voice_that_cannot_read_figures_has_no_pitch(scheduler: HummingScheduler) -> None:
    mute = replace(JOE, phonemes=replace(JOE.phonemes, ids={mark: (number,) for number, mark in enumerate("_^$")}))
    with ThreadPoolExecutor(max_workers=1) as text_thread:
        pitches = SpeakerPitches(scheduler, TextFrontEnd(Letters()), text_thread, lambda: 7)  # type: ignore[arg-type]
        assert await pitches.of(mute, 0, None) == 0.0
    assert scheduler.opened == []


async def test_who_asks_later_gets_what_was_measured(pitches: SpeakerPitches, scheduler: HummingScheduler) -> None:
    await pitches.of(JOE, 0, None)
    scheduler.hertz = 300.0
    assert await pitches.of(JOE, 0, None) == pytest.approx(150.0, rel=0.01)


async def test_every_speaker_of_a_voice_has_a_pitch_of_their_own(
    pitches: SpeakerPitches, scheduler: HummingScheduler
) -> None:
    found = []
    for speaker, scheduler.hertz in enumerate((100.0, 200.0)):
        found.append(await pitches.of(DUO, speaker, None))
    assert found == pytest.approx([100.0, 200.0], rel=0.01)
    assert [{one.speaker for one in stream.utterances} for stream in scheduler.streams] == [{0}, {1}]


async def test_after_a_failure_the_next_one_tries_again(pitches: SpeakerPitches, scheduler: HummingScheduler) -> None:
    scheduler.failure = EngineFailed("out of tune")
    with pytest.raises(EngineFailed):
        await pitches.of(JOE, 0, None)
    scheduler.failure = None
    assert await pitches.of(JOE, 0, None) == pytest.approx(150.0, rel=0.01)


async def test_a_measurement_that_fails_leaves_nothing_with_the_scheduler(
    pitches: SpeakerPitches, scheduler: HummingScheduler
) -> None:
    scheduler.failure = EngineFailed("out of tune")
    with pytest.raises(EngineFailed):
        await pitches.of(JOE, 0, None)
    assert [stream.is_left for stream in scheduler.streams] == [True]


async def test_a_measurement_has_a_number_of_its_own_and_its_callers_deadline(
    pitches: SpeakerPitches, scheduler: HummingScheduler
) -> None:
    await pitches.of(DUO, 1, 2.5)
    (asked,) = scheduler.opened
    assert (asked["request"], asked["voice_id"], asked["deadline_seconds"]) == (7, "duo", 2.5)
    assert asked["is_unary"], "it gives way to streams"


async def test_the_text_is_spoken_plainly_and_always_in_the_same_way(
    pitches: SpeakerPitches, scheduler: HummingScheduler
) -> None:
    clone = replace(JOE, reference=Recording.of(np.zeros(8, np.float32), 16_000))
    await pitches.of(clone, 0, None)
    utterances = scheduler.streams[0].utterances
    assert [one.text for one in utterances] == PITCH_TEXT.split()
    assert [one.seed for one in utterances] == [sentence_seed(0, 0), sentence_seed(0, 1)]
    for one in utterances:
        assert one == Utterance(
            "joe", one.symbols, 0, one.seed, text=one.text, language="en-US", reference=clone.reference
        )


@pytest.mark.parametrize(
    ("prosody", "own_hz", "ratio"),
    [
        (Prosody(pitch=1.2), 100.0, 1.2),
        (Prosody(pitch=0.0, pitch_hz=150.0), 100.0, 1.5),
        (Prosody(pitch=1.2, pitch_hz=-20.0), 100.0, 1.0),
        (Prosody(pitch=1.2), 0.0, 1.2),
        (Prosody(pitch=0.0, pitch_hz=150.0), 0.0, 1.0),
    ],
)
def test_hertz_are_measured_by_the_speakers_own_pitch(prosody: Prosody, own_hz: float, ratio: float) -> None:
    assert pitch_ratio(prosody, own_hz) == pytest.approx(ratio)


def document(content: str) -> ResolvedRequest:
    voices = [tone_voice("joe"), tone_voice("duo", speakers=("anna", "bea"))]
    return RequestResolver(voices, max_characters=500).resolve(SpeechRequest("", ssml=f"<speak>{content}</speak>"))


@pytest.mark.parametrize("pitch", ["50.5Hz", "201Hz", "+101Hz", "-50Hz", "high"])
def test_an_octave_up_and_down_may_be_asked_for_in_hertz(pitch: str) -> None:
    check_hertz(document(f'one <prosody pitch="{pitch}">two</prosody>'), {"joe": 101.0})


@pytest.mark.parametrize(("pitch", "asked"), [("50Hz", "50Hz"), ("203Hz", "203Hz"), ("-90Hz", "11Hz")])
def test_a_pitch_beyond_an_octave_is_refused_with_its_place_and_the_range(pitch: str, asked: str) -> None:
    resolved = document(f'one\n<prosody pitch="{pitch}">two</prosody>')
    with pytest.raises(InvalidRequest) as caught:
        check_hertz(resolved, {"joe": 101.0})
    (violation,) = caught.value.violations
    assert (violation.field, caught.value.reason) == ("ssml", "SSML_INVALID")
    column = len(f'<prosody pitch="{pitch}">') + 1
    assert violation.description == (
        f"line 2, column {column}: a pitch of {asked} is out of range for joe, whose own pitch is 101Hz; "
        "use 51Hz to 202Hz"
    )


def test_each_speaker_is_measured_separately() -> None:
    content = '<prosody pitch="250Hz"><voice name="duo:bea">one</voice></prosody>'
    check_hertz(document(content), {"joe": 100.0, "duo:bea": 200.0})
    with pytest.raises(InvalidRequest, match="duo:bea, whose own pitch is 100Hz"):
        check_hertz(document(content), {"joe": 200.0, "duo:bea": 100.0})
