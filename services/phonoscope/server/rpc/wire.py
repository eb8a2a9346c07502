"""Protobuf to domain types and back, field by field. Called by the servicers; no other server code uses protobuf."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from google.protobuf.descriptor import EnumDescriptor

from phonoscope.protos.tts.v1 import tts_pb2
from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.request.voice_query import VoiceQuery
from phonoscope.server.speech.delivery import SpokenChunk
from phonoscope.server.speech.synthesizer import Spoken
from phonoscope.server.speech.timings import Timings
from phonoscope.server.text.visemes import VISEMES
from phonoscope.server.types import (
    Encoding,
    Gender,
    GivenRecording,
    Pronunciation,
    ReferenceUse,
    SpeechRequest,
    Voice,
)

STATUS: Final = "success"
# Maximum audio in a stream message: readers and proxies buffer whole messages. Even, so that no sample is split.
MAX_MESSAGE_BYTES: Final = 64 * 2**10
_GENDER: Final = "GENDER_"


def speech_request(request: tts_pb2.SynthesizeRequest) -> SpeechRequest:
    """Returns a request as a domain type, unchecked."""
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
        text_format=_set_name(request.text_format, tts_pb2.TextFormat.DESCRIPTOR, "TEXT_FORMAT_"),
        unpronounceable_text=_set_name(
            request.unpronounceable_text, tts_pb2.UnpronounceableText.DESCRIPTOR, "UNPRONOUNCEABLE_TEXT_"
        ),
        reference=_given(request.reference) if request.HasField("reference") else None,
        emotion_reference=_given(request.emotion_reference) if request.HasField("emotion_reference") else None,
    )


def voice_query(request: tts_pb2.ListVoicesRequest) -> VoiceQuery:
    """Returns which voices are asked for.

    Raises:
        InvalidRequest: the gender is unknown.
    """
    gender = _set_name(request.gender, tts_pb2.Gender.DESCRIPTOR, _GENDER)
    return VoiceQuery.of(request.language, gender, request.engine)


def _given(recording: tts_pb2.Recording) -> GivenRecording:
    return GivenRecording(recording.audio, recording.name, recording.transcript)


def _encoding_name(number: int) -> str:
    return _set_name(number, tts_pb2.AudioEncoding.DESCRIPTOR, "AUDIO_ENCODING_")


def _timing_type(number: int) -> str:
    return _name(number, tts_pb2.TimingType.DESCRIPTOR, "TIMING_TYPE_")


def _set_name(number: int, enum: EnumDescriptor, prefix: str) -> str:
    """Returns the domain's name of an enum's value; "" for 0, which means unspecified in all of them."""
    return _name(number, enum, prefix) if number else ""


def _name(number: int, enum: EnumDescriptor, prefix: str) -> str:
    """Returns the domain's name of an enum's value; numbers unknown to this contract are returned as digits."""
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


def _wire_gender(gender: Gender) -> tts_pb2.Gender.ValueType:
    return tts_pb2.Gender.Value(f"{_GENDER}{(gender or 'unspecified').upper()}")


def unary_response(spoken: Spoken) -> tts_pb2.SynthesizeResponse:
    """Returns the reply with a whole spoken text."""
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
        emotion_fallback=spoken.emotion_fallback or "",
    )


def message_parts(chunk: SpokenChunk) -> Iterator[SpokenChunk]:
    """Yields a chunk as messages of a bounded size, each with its share of the chunk's duration."""
    if len(chunk.audio) <= MAX_MESSAGE_BYTES:
        yield chunk
        return
    for start in range(0, len(chunk.audio), MAX_MESSAGE_BYTES):
        audio = chunk.audio[start : start + MAX_MESSAGE_BYTES]
        seconds = chunk.audio_seconds * len(audio) / len(chunk.audio)
        timings = chunk.timings if start == 0 else None  # the first has all timings
        fallback = chunk.emotion_fallback if start == 0 else None
        yield replace(chunk, audio=audio, audio_seconds=seconds, timings=timings, emotion_fallback=fallback)


def stream_response(resolved: ResolvedRequest, chunk: SpokenChunk, sequence: int) -> tts_pb2.SynthesizeStreamResponse:
    """Returns a message of a stream; the first includes the server's choices."""
    response = tts_pb2.SynthesizeStreamResponse(
        audio_data=chunk.audio,
        sample_rate=resolved.sample_rate_hz,
        status=STATUS,
        encoding=_wire_encoding(resolved.encoding),
        audio_seconds=chunk.audio_seconds,
        sequence=sequence,
        timings=_wire_timings(chunk.timings),
        emotion_fallback=chunk.emotion_fallback or "",
    )
    if sequence == 0:
        response.seed = resolved.seed
        response.request_id = resolved.request_id
        response.speaker_id = resolved.speaker_id
    return response


def _reference_use(voice: Voice) -> ReferenceUse:
    """Returns what a voice does with a request's recording: a named recording takes no other one."""
    return "none" if voice.base else voice.reference_use


def wire_voice(voice: Voice, *, is_default: bool) -> tts_pb2.Voice:
    """Returns a voice as ListVoices describes it."""
    return tts_pb2.Voice(
        id=voice.id,
        language=voice.language,
        sample_rate_hertz=voice.sample_rate_hz,
        speakers=voice.speakers,
        is_default=is_default,
        engine=voice.engine,
        quality=voice.quality,
        precision=voice.precision,
        emotion_rendering=tts_pb2.EmotionRendering.Value(f"EMOTION_RENDERING_{voice.emotion_rendering.upper()}"),
        aliases=[name for name, _ in voice.aliases],
        gender=_wire_gender(voice.gender),
        grade=voice.grade,
        reference_use=tts_pb2.ReferenceUse.Value(f"REFERENCE_USE_{_reference_use(voice).upper()}"),
        takes_emotion_reference=voice.takes_emotion_reference,
        is_recording=voice.reference is not None,
    )
