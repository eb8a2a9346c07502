"""A recording as the voice of a request, through the real server: spoken like, or refused with what to do instead."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from phonoscope.client import AsyncClient, Recording
from phonoscope.client.errors import InvalidArgument, Unimplemented
from phonoscope.server.audio.f0 import median_hz

TEXT = "Aaaaaaaaaaaaaaaaaaaa."
PLANTED = "xylophone-quarry-47"


@pytest.fixture
async def client(server: Any) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.target) as client:
        yield client


def pitch_of(audio: bytes) -> float:
    return median_hz(np.frombuffer(audio, "<i2").astype(np.float32) / 32768, 22_050)


async def test_the_tone_engine_speaks_at_the_recordings_pitch(client: AsyncClient, speech: Any, wav: Any) -> None:
    low = Recording(wav(speech(hz=95.0)))
    high = Recording(wav(speech(hz=190.0)))
    plain, *spoken = [
        pitch_of((await client.synthesize(TEXT, voice="tone", seed=1, reference=one)).audio)
        for one in (None, low, high)
    ]
    assert spoken[1] / spoken[0] == pytest.approx(2.0, rel=0.03)
    assert plain not in spoken


async def test_streams_and_text_in_pieces_speak_like_it_too(client: AsyncClient, speech: Any, wav: Any) -> None:
    options: dict[str, Any] = {"voice": "tone", "seed": 1, "reference": Recording(wav(speech()))}
    whole = (await client.synthesize(TEXT, **options)).audio
    assert b"".join([chunk.audio async for chunk in client.stream(TEXT, **options)]) == whole

    async def pieces() -> AsyncIterator[str]:
        yield TEXT

    assert b"".join([chunk.audio async for chunk in client.stream_pieces(pieces(), **options)]) == whole


async def test_a_voice_without_references_names_those_that_have_them(
    server: Any, client: AsyncClient, speech: Any, wav: Any
) -> None:
    with pytest.raises(Unimplemented, match=r"tone does not take the emotion of a recording") as caught:
        await client.synthesize(TEXT, voice="tone", emotion_reference=Recording(wav(speech())))
    assert caught.value.reason == "EMOTION_REFERENCE_NOT_SERVED"


async def test_a_recording_that_cannot_be_used_is_a_violation_of_its_field(client: AsyncClient, wav: Any) -> None:
    with pytest.raises(InvalidArgument, match="is silent; check the microphone") as caught:
        await client.synthesize(TEXT, reference=Recording(wav(np.zeros(24_000 * 5, np.float32))))
    assert caught.value.reason == "REFERENCE_SILENT"
    assert [violation.field for violation in caught.value.violations] == ["reference.audio"]
