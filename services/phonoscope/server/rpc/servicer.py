"""② The servicer: protobuf in, domain out, and back. The only place of the server, with `legacy.py`, that knows both.

Errors are raised as they are; `common/interceptors.py` turns them into statuses. Every streaming method is an async
generator: interceptors can wrap those, and cancellation reaches them.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from grpc.aio import ServicerContext

from phonoscope.common.errors import InvalidRequest, NotReady
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.request.voice_choice import speaks
from phonoscope.server.speech.incremental_input import Flush
from phonoscope.server.speech.synthesizer import SpokenChunk, Synthesizer
from phonoscope.server.speech.timings import Timings
from phonoscope.server.text.visemes import VISEMES
from phonoscope.server.types import Encoding, Pronunciation, SpeechRequest, Voice

SERVICE_NAME = tts_pb2.DESCRIPTOR.services_by_name["TextToSpeech"].full_name
RETRY_SECONDS = 1.0
STATUS = "success"
# Of audio in a message of a stream: a reader, or a proxy, holds whole messages. Even, so that samples stay whole.
MOST_MESSAGE_BYTES = 64 * 2**10

Context = ServicerContext[Message, Message]


class Speech:
    """Holds the synthesizer once it exists, so that the server can answer, and say that it is not ready, before."""

    def __init__(self) -> None:
        self._synthesizer: Synthesizer | None = None

    def begin(self, synthesizer: Synthesizer) -> None:
        """Serves with that synthesizer from now on."""
        self._synthesizer = synthesizer

    def synthesizer(self) -> Synthesizer:
        """Returns the synthesizer.

        Raises:
            NotReady: voices are still being loaded.
        """
        if self._synthesizer is None:
            raise NotReady(
                "the server is still loading its voices; call again after the delay",
                reason="WARMING_UP",
                retry_after_seconds=RETRY_SECONDS,
            )
        return self._synthesizer


class TextToSpeechServicer(tts_pb2_grpc.TextToSpeechServicer):
    """phonoscope.tts.v1.TextToSpeech."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    async def Synthesize(self, request: tts_pb2.SynthesizeRequest, context: Context) -> tts_pb2.SynthesizeResponse:
        """Speaks a whole text and replies once."""
        spoken = await self._speech.synthesizer().speak(speech_request(request), context.time_remaining())
        resolved = spoken.request
        return tts_pb2.SynthesizeResponse(
            audio_data=spoken.audio,
            sample_rate=resolved.sample_rate_hz,
            status=STATUS,
            encoding=_wire_encoding(resolved.encoding),
            audio_seconds=spoken.audio_seconds,
            seed=resolved.seed,
            request_id=resolved.request_id,
            speaker_id=resolved.speaker_id,
            timings=_wire_timings(spoken.timings),
        )

    async def SynthesizeStream(
        self, request: tts_pb2.SynthesizeRequest, context: Context
    ) -> AsyncIterator[tts_pb2.SynthesizeStreamResponse]:
        """Speaks a whole text and sends audio while the rest is being made."""
        chunks = self._speech.synthesizer().speak_in_chunks(speech_request(request), context.time_remaining())
        sequence = 0
        async with aclosing(chunks):
            async for resolved, chunk in chunks:
                for part in _parts(chunk):
                    yield _stream_response(resolved, part, sequence)
                    sequence += 1

    async def StreamingSynthesize(
        self, request_iterator: AsyncIterator[tts_pb2.StreamingSynthesizeRequest], context: Context
    ) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        """Speaks a text while it comes: settings first, then pieces, audio as soon as a clause is complete."""
        synthesizer = self._speech.synthesizer()
        steps = aiter(request_iterator)
        settings = await _settings(steps)
        chunks = synthesizer.speak_pieces(settings, _pieces(steps), context.time_remaining())
        sequence = 0
        async with aclosing(chunks):
            async for resolved, chunk in chunks:
                start, stop = chunk.text_span or (0, 0)
                for part in _parts(chunk):
                    yield tts_pb2.StreamingSynthesizeResponse(
                        audio=_stream_response(resolved, part, sequence),
                        text_span=tts_pb2.TextSpan(start=start, stop=stop),
                    )
                    sequence += 1

    async def ListVoices(self, request: tts_pb2.ListVoicesRequest, context: Context) -> tts_pb2.ListVoicesResponse:
        """Lists the loaded voices, the default first."""
        synthesizer = self._speech.synthesizer()
        voices = synthesizer.voices
        default = voices[0].id
        return tts_pb2.ListVoicesResponse(
            voices=[
                _wire_voice(voice, synthesizer.precision, is_default=voice.id == default)
                for voice in voices
                if not request.language or speaks(voice, request.language)
            ]
        )


async def _settings(steps: AsyncIterator[tts_pb2.StreamingSynthesizeRequest]) -> SpeechRequest:
    first = await anext(steps, None)
    if first is None or first.WhichOneof("step") != "settings":
        raise InvalidRequest.of(
            "settings",
            "must come in the first message, before any text; send it, empty if need be",
            reason="SETTINGS_FIRST",
        )
    return speech_request(first.settings)


async def _pieces(steps: AsyncIterator[tts_pb2.StreamingSynthesizeRequest]) -> AsyncIterator[str | Flush]:
    """Yields what comes after the settings."""
    async for message in steps:
        step = message.WhichOneof("step")
        if step == "text":
            yield message.text
        elif step == "flush" and message.flush:
            yield Flush()
        elif step == "settings":
            raise InvalidRequest.of(
                "settings", "came a second time; begin another call to change them", reason="SETTINGS_TWICE"
            )
        else:
            raise InvalidRequest.of(
                "step", "is empty; send text, or flush as true, or end the stream", reason="STEP_EMPTY"
            )


def speech_request(request: tts_pb2.SynthesizeRequest) -> SpeechRequest:
    """Returns the domain's view of a request, unchecked."""
    config = request.audio_config
    return SpeechRequest(
        text=request.text,
        speaker_id=request.speaker_id,
        speed=request.speed,
        pitch=request.pitch,
        emotion=request.emotion,
        emotion_weights=dict(request.emotion_weights),
        emotion_intensity=request.emotion_intensity if request.HasField("emotion_intensity") else None,
        language=request.language,
        encoding=_encoding_name(config.encoding),
        sample_rate_hz=config.sample_rate_hertz,
        volume_gain_db=config.volume_gain_db,
        seed=request.seed if request.HasField("seed") else None,
        request_id=request.request_id,
        ssml=request.ssml,
        pronunciations=tuple(Pronunciation(one.phrase, one.ipa, one.respelling) for one in request.pronunciations),
        timing_types=tuple(_timing_type(number) for number in request.timing_types),
    )


def _encoding_name(number: int) -> str:
    """Returns the domain's name of an encoding; numbers that this contract does not know come as they are."""
    if number == tts_pb2.AUDIO_ENCODING_UNSPECIFIED:
        return ""
    return _name(number, tts_pb2.AudioEncoding.DESCRIPTOR, "AUDIO_ENCODING_")


def _timing_type(number: int) -> str:
    return _name(number, tts_pb2.TimingType.DESCRIPTOR, "TIMING_TYPE_")


def _name(number: int, enum: EnumDescriptor, prefix: str) -> str:
    """Returns the domain's name of an enum's value; numbers that this contract does not know come as they are."""
    value = enum.values_by_number.get(number)
    return str(number) if value is None else value.name.removeprefix(prefix).lower()


def _wire_timings(timings: Timings | None) -> tts_pb2.Timings | None:
    if timings is None:
        return None
    return tts_pb2.Timings(
        words=[
            tts_pb2.WordTiming(
                word=one.word,
                start_seconds=one.start_seconds,
                end_seconds=one.end_seconds,
                text_span=tts_pb2.TextSpan(start=one.start, stop=one.stop),
            )
            for one in timings.words
        ],
        phonemes=[
            tts_pb2.PhonemeTiming(phoneme=one.phoneme, start_seconds=one.start_seconds, end_seconds=one.end_seconds)
            for one in timings.phonemes
        ],
        visemes=[
            tts_pb2.VisemeTiming(
                viseme=tts_pb2.Viseme.ValueType(VISEMES.index(one.viseme)),
                start_seconds=one.start_seconds,
                end_seconds=one.end_seconds,
            )
            for one in timings.visemes
        ],
        marks=[tts_pb2.MarkTiming(name=one.name, seconds=one.start_seconds) for one in timings.marks],
    )


def _wire_encoding(encoding: Encoding) -> tts_pb2.AudioEncoding.ValueType:
    return tts_pb2.AudioEncoding.Value(f"AUDIO_ENCODING_{encoding.name}")


def _parts(chunk: SpokenChunk) -> Iterator[SpokenChunk]:
    """Yields a chunk as messages of a bounded size, each with its share of the chunk's duration."""
    if len(chunk.audio) <= MOST_MESSAGE_BYTES:
        yield chunk
        return
    for start in range(0, len(chunk.audio), MOST_MESSAGE_BYTES):
        audio = chunk.audio[start : start + MOST_MESSAGE_BYTES]
        seconds = chunk.audio_seconds * len(audio) / len(chunk.audio)
        timings = chunk.timings if start == 0 else None  # the first has those of all
        yield replace(chunk, audio=audio, audio_seconds=seconds, timings=timings)


def _stream_response(resolved: ResolvedRequest, chunk: SpokenChunk, sequence: int) -> tts_pb2.SynthesizeStreamResponse:
    response = tts_pb2.SynthesizeStreamResponse(
        audio_data=chunk.audio,
        sample_rate=resolved.sample_rate_hz,
        status=STATUS,
        encoding=_wire_encoding(resolved.encoding),
        audio_seconds=chunk.audio_seconds,
        sequence=sequence,
        timings=_wire_timings(chunk.timings),
    )
    if sequence == 0:
        response.seed = resolved.seed
        response.request_id = resolved.request_id
        response.speaker_id = resolved.speaker_id
    return response


def _wire_voice(voice: Voice, precision: str, *, is_default: bool) -> tts_pb2.Voice:
    return tts_pb2.Voice(
        id=voice.id,
        language=voice.language,
        sample_rate_hertz=voice.sample_rate_hz,
        speakers=voice.speakers,
        is_default=is_default,
        engine=voice.engine,
        quality=voice.quality,
        precision=precision,
        emotion_rendering=tts_pb2.EmotionRendering.Value(f"EMOTION_RENDERING_{voice.emotion_rendering.upper()}"),
    )
