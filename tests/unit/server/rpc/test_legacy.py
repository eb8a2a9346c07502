"""The older contract in front of the same synthesizer."""

from typing import Any

import pytest

from phonoscope.common.errors import NotReady
from phonoscope.protos.legacy import tts_service_pb2
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver
from phonoscope.server.rpc.legacy import SERVICE_NAME, LegacyServicer
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.speech.synthesizer import Spoken
from phonoscope.server.types import Encoding, SpeechRequest

RESOLVER = RequestResolver([tone_voice("joe", sample_rate_hz=16_000)], max_characters=1000)
CONTEXT: Any = type("Context", (), {"time_remaining": lambda self: 2.5})()


class ScriptedSynthesizer:
    """Says b"pcm" to everything, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[SpeechRequest, float | None]] = []

    async def speak(self, request: SpeechRequest, deadline_seconds: float | None) -> Spoken:
        self.asked.append((request, deadline_seconds))
        resolved = RESOLVER.resolve(SpeechRequest(text=request.text))
        assert resolved.encoding is Encoding.LINEAR16
        return Spoken(resolved, b"pcm", 1.0)


async def test_every_field_reaches_the_synthesizer_and_pcm_comes_back() -> None:
    synthesizer, speech = ScriptedSynthesizer(), Speech()
    speech.begin(synthesizer)  # type: ignore[arg-type]
    request = tts_service_pb2.SynthesisRequest(text="Hi.", speaker_id="joe", speed=2.0, pitch=1.0, emotion="neutral")
    assert {field.name for field, _ in request.ListFields()} == {field.name for field in request.DESCRIPTOR.fields}
    reply = await LegacyServicer(speech).Synthesize(request, CONTEXT)
    assert reply == tts_service_pb2.SynthesisResponse(audio_data=b"pcm", sample_rate=16_000, status="success")
    assert synthesizer.asked == [(SpeechRequest("Hi.", "joe", 2.0, 1.0, "neutral"), 2.5)]


async def test_before_voices_are_loaded_it_says_to_come_back() -> None:
    with pytest.raises(NotReady) as caught:
        await LegacyServicer(Speech()).Synthesize(tts_service_pb2.SynthesisRequest(text="Hi."), CONTEXT)
    assert caught.value.reason == "WARMING_UP"


def test_the_service_has_the_name_that_old_clients_call() -> None:
    assert SERVICE_NAME == "TTSService"
