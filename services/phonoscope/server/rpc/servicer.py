"""The servicer of phonoscope.tts.v1.TextToSpeech: each method converts by `wire.py` and calls the synthesizer.

Errors propagate unchanged; `common/interceptors.py` turns them into statuses. Every streaming method is an async
generator, so that interceptors can wrap it and cancellation reaches it.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.protobuf.message import Message
from grpc.aio import ServicerContext

from phonoscope.common.errors import InvalidRequest
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.rpc import wire
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.speech.incremental_input import Flush
from phonoscope.server.types import SpeechRequest

SERVICE_NAME = tts_pb2.DESCRIPTOR.services_by_name["TextToSpeech"].full_name

Context = ServicerContext[Message, Message]


class TextToSpeechServicer(tts_pb2_grpc.TextToSpeechServicer):
    """phonoscope.tts.v1.TextToSpeech."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    async def Synthesize(self, request: tts_pb2.SynthesizeRequest, context: Context) -> tts_pb2.SynthesizeResponse:
        """Speaks a whole text and replies once."""
        spoken = await self._speech.synthesizer().speak(wire.speech_request(request), context.time_remaining())
        return wire.unary_response(spoken)

    async def SynthesizeStream(
        self, request: tts_pb2.SynthesizeRequest, context: Context
    ) -> AsyncIterator[tts_pb2.SynthesizeStreamResponse]:
        """Speaks a whole text and sends audio while the rest is rendered."""
        chunks = self._speech.synthesizer().speak_in_chunks(wire.speech_request(request), context.time_remaining())
        sequence = 0
        async with aclosing(chunks):
            async for resolved, chunk in chunks:
                for part in wire.message_parts(chunk):
                    yield wire.stream_response(resolved, part, sequence)
                    sequence += 1

    async def StreamingSynthesize(
        self, request_iterator: AsyncIterator[tts_pb2.StreamingSynthesizeRequest], context: Context
    ) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        """Speaks a text while it arrives: settings first, then pieces; sends audio once a clause is complete."""
        synthesizer = self._speech.synthesizer()
        steps = aiter(request_iterator)
        settings = await _settings(steps)
        chunks = synthesizer.speak_pieces(settings, _pieces(steps), context.time_remaining())
        sequence = 0
        async with aclosing(chunks):
            async for resolved, chunk in chunks:
                start, stop = chunk.text_span or (0, 0)
                for part in wire.message_parts(chunk):
                    yield tts_pb2.StreamingSynthesizeResponse(
                        audio=wire.stream_response(resolved, part, sequence),
                        text_span=tts_pb2.TextSpan(start=start, stop=stop),
                    )
                    sequence += 1

    async def ListVoices(self, request: tts_pb2.ListVoicesRequest, context: Context) -> tts_pb2.ListVoicesResponse:
        """Lists the voices that the request asks for, the default first."""
        synthesizer = self._speech.synthesizer()
        voices = synthesizer.voices
        default, asked = voices[0].id, wire.voice_query(request)
        return tts_pb2.ListVoicesResponse(
            voices=[wire.wire_voice(voice, is_default=voice.id == default) for voice in voices if asked.matches(voice)]
        )


async def _settings(steps: AsyncIterator[tts_pb2.StreamingSynthesizeRequest]) -> SpeechRequest:
    first = await anext(steps, None)
    if first is None or first.WhichOneof("step") != "settings":
        raise InvalidRequest.of(
            "settings",
            "must be in the first message, before any text; empty settings select the defaults",
            reason="SETTINGS_FIRST",
        )
    return wire.speech_request(first.settings)


async def _pieces(steps: AsyncIterator[tts_pb2.StreamingSynthesizeRequest]) -> AsyncIterator[str | Flush]:
    """Yields the messages after the settings."""
    async for message in steps:
        step = message.WhichOneof("step")
        if step == "text":
            yield message.text
        elif step == "flush" and message.flush:
            yield Flush()
        elif step == "settings":
            raise InvalidRequest.of(
                "settings", "must not be sent twice; start another call to change them", reason="SETTINGS_TWICE"
            )
        else:
            raise InvalidRequest.of(
                "step", "is empty; send text, send flush with the value true, or end the stream", reason="STEP_EMPTY"
            )
