"""A recording as the voice of a request, through the real server: spoken like, or refused with what to do instead."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from phonoscope.client import AsyncClient, Recording
from phonoscope.client.errors import InvalidArgument, PhonoscopeClientError, ResourceExhausted, Unimplemented
from phonoscope.server.audio.f0 import median_hz
from phonoscope.server.request.references import MAX_RECORDING_BYTES
from phonoscope.server.speech import recording_checks

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


async def test_a_voice_without_emotion_references_refuses(client: AsyncClient, speech: Any, wav: Any) -> None:
    with pytest.raises(Unimplemented, match="tone does not take the emotion of a recording") as caught:
        await client.synthesize(TEXT, voice="tone", emotion_reference=Recording(wav(speech())))
    assert caught.value.reason == "EMOTION_REFERENCE_NOT_SERVED"


async def test_a_recording_that_cannot_be_used_is_a_violation_of_its_field(client: AsyncClient, wav: Any) -> None:
    with pytest.raises(InvalidArgument, match="is silent; check the microphone") as caught:
        await client.synthesize(TEXT, reference=Recording(wav(np.zeros(24_000 * 5, np.float32))))
    assert caught.value.reason == "REFERENCE_SILENT"
    assert [violation.field for violation in caught.value.violations] == ["reference.audio"]


async def test_ten_megabytes_are_taken_and_no_more(client: AsyncClient, speech: Any, wav: Any) -> None:
    content = wav(speech(seconds=20.0, rate_hz=48_000), 48_000)
    whole = Recording(content + bytes(MAX_RECORDING_BYTES - len(content)))
    await client.synthesize(TEXT, voice="tone", reference=whole)
    with pytest.raises(InvalidArgument, match=r"makes 10\.0 MiB of recordings; the maximum is 10 MiB") as caught:
        await client.synthesize(TEXT, voice="tone", reference=Recording(whole.audio + b"0"))
    assert caught.value.reason == "REFERENCE_TOO_LARGE"
    with pytest.raises(PhonoscopeClientError, match="larger than max"):
        await client.synthesize(TEXT, voice="tone", reference=Recording(bytes(12 * 2**20)))


async def test_only_a_few_recordings_wait(server: Any, speech: Any, wav: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_checks, "MAX_WAITING", 0)
    async with AsyncClient(server.target, waits_when_busy=False) as impatient:
        with pytest.raises(ResourceExhausted, match="0 recordings wait to be checked") as caught:
            await impatient.synthesize(TEXT, reference=Recording(wav(speech())))
    assert caught.value.reason == "QUEUE_FULL"


async def test_a_pitch_in_hertz_is_that_of_the_recording(client: AsyncClient, speech: Any, wav: Any) -> None:
    """The speaker's own pitch is measured for each recording."""
    document = f"<speak><prosody pitch='+30Hz'>{TEXT}</prosody></speak>"
    low, high = Recording(wav(speech(hz=95.0))), Recording(wav(speech(hz=190.0)))
    ratios = []
    for one in (low, high):
        plain = await client.synthesize(TEXT, voice="tone", seed=1, reference=one)
        moved = await client.synthesize("", ssml=document, voice="tone", seed=1, reference=one)
        ratios.append(pitch_of(moved.audio) / pitch_of(plain.audio))
    assert ratios[0] > ratios[1] > 1.0


async def test_nothing_of_a_recording_is_in_logs_traces_metrics_or_errors(watched: Any, speech: Any, wav: Any) -> None:
    samples = speech(hz=110.0)
    good = Recording(wav(samples), transcript=PLANTED)
    bad = Recording(PLANTED.encode() * 10, transcript=PLANTED)
    async with AsyncClient(watched.server.target) as client:
        await client.synthesize(TEXT, voice="tone", reference=good)
        for broken in (
            bad,
            Recording(name=PLANTED[:3], transcript=PLANTED),
            Recording(good.audio, transcript=PLANTED * 99),
        ):
            with pytest.raises(InvalidArgument) as caught:
                await client.synthesize(TEXT, voice="tone", reference=broken)
            assert PLANTED not in f"{caught.value}{caught.value.violations}"
    await watched.ends(4)
    spans = await watched.spans()
    [checked, refused] = [span for span in spans if span.name == "tts.recording"]
    outcomes = {span.attributes[0].value.string_value for span in (checked, refused)}
    assert outcomes == {"accepted", "REFERENCE_UNREADABLE"}
    everything = watched.written.getvalue() + str(spans) + str(watched.series())
    assert PLANTED not in everything
    assert watched.value("tts_reference_checks_total", outcome="accepted") == 1
    assert watched.value("tts_reference_checks_total", outcome="REFERENCE_UNREADABLE") == 1
    assert watched.value("tts_reference_check_seconds_count") == 2
    assert watched.server.unexpected == []


async def test_the_event_loop_runs_while_a_recording_is_checked(
    server: Any, client: AsyncClient, speech: Any, wav: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    check = recording_checks.recording_of

    def slow(*given: Any) -> Any:
        loop.call_soon_threadsafe(began.set)
        assert may_end.wait(60.0)
        return check(*given)

    monkeypatch.setattr(recording_checks, "recording_of", slow)
    waiting = asyncio.create_task(client.synthesize(TEXT, voice="tone", reference=Recording(wav(speech()))))
    await began.wait()
    await client.synthesize(TEXT, voice="tone")
    assert not waiting.done()
    may_end.set()
    assert (await waiting).audio
