"""Each speaker is listened to once, whoever asks and however many at once."""

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.errors import EngineFailed, InvalidRequest
from phonoscope.server.emotions import Prosody
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.speech.speaker_pitch import PITCH_TEXT, OwnPitches, check_hertz, pitch_ratio
from phonoscope.server.types import SpeechRequest

RATE_HZ = 16_000


def hum(hertz: float) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)


async def test_those_who_ask_at_once_share_one_measurement() -> None:
    pitches, heard = OwnPitches(), []

    async def listen(text: str) -> tuple[NDArray[np.float32], int]:
        heard.append(text)
        await asyncio.sleep(0)
        return hum(150.0), RATE_HZ

    found = await asyncio.gather(*(pitches.of("joe", listen) for _ in range(20)))
    assert found == pytest.approx([150.0] * 20, rel=0.01)
    assert heard == [PITCH_TEXT]
    await pitches.of("anna", listen)
    assert len(heard) == 2


async def test_after_a_failure_the_next_one_tries_again() -> None:
    pitches = OwnPitches()

    async def fail(_text: str) -> tuple[NDArray[np.float32], int]:
        raise EngineFailed("out of tune")

    async def listen(_text: str) -> tuple[NDArray[np.float32], int]:
        return hum(200.0), RATE_HZ

    with pytest.raises(EngineFailed):
        await pitches.of("joe", fail)
    assert await pitches.of("joe", listen) == pytest.approx(200.0, rel=0.01)


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
    return RequestResolver(voices, most_characters=500).resolve(SpeechRequest("", ssml=f"<speak>{content}</speak>"))


@pytest.mark.parametrize("pitch", ["50.5Hz", "201Hz", "+101Hz", "-50Hz", "high"])
def test_an_octave_up_and_down_may_be_asked_for_in_hertz(pitch: str) -> None:
    check_hertz(document(f'one <prosody pitch="{pitch}">two</prosody>'), {"joe": 101.0})


@pytest.mark.parametrize(("pitch", "asked"), [("50Hz", "50Hz"), ("203Hz", "203Hz"), ("-90Hz", "11Hz")])
def test_what_is_beyond_an_octave_is_refused_with_its_place_and_what_can_be_had(pitch: str, asked: str) -> None:
    resolved = document(f'one\n<prosody pitch="{pitch}">two</prosody>')
    with pytest.raises(InvalidRequest) as caught:
        check_hertz(resolved, {"joe": 101.0})
    (violation,) = caught.value.violations
    assert (violation.field, caught.value.reason) == ("ssml", "SSML_INVALID")
    column = len(f'<prosody pitch="{pitch}">') + 1
    assert violation.description == (
        f"line 2, column {column}: this is to be said at {asked}; joe speaks at 101Hz, write 51Hz to 202Hz"
    )


def test_everybody_is_measured_by_themselves() -> None:
    content = '<prosody pitch="250Hz"><voice name="duo:bea">one</voice></prosody>'
    check_hertz(document(content), {"joe": 100.0, "duo:bea": 200.0})
    with pytest.raises(InvalidRequest, match="duo:bea speaks at 100Hz"):
        check_hertz(document(content), {"joe": 200.0, "duo:bea": 100.0})
