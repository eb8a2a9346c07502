"""Conversion between protobuf messages and the client's records."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from grpc_health.v1 import health_pb2

from phonoscope.client.options import Option, SpeechOptions, option_specs
from phonoscope.client.timings import MarkTiming, PhonemeTiming, Timings, VisemeTiming, WordTiming
from phonoscope.client.types import (
    AudioChunk,
    Encoding,
    Flush,
    Gender,
    Pronunciation,
    Recording,
    Speech,
    TextFormat,
    TimingType,
    UnpronounceableText,
    Voice,
)
from phonoscope.protos.tts.v1 import tts_pb2

ENUM_PREFIXES: Final[Mapping[type[Enum], str]] = {
    Encoding: "AUDIO_ENCODING_",
    TextFormat: "TEXT_FORMAT_",
    TimingType: "TIMING_TYPE_",
    UnpronounceableText: "UNPRONOUNCEABLE_TEXT_",
}
"""How the names of each enum's values begin in protobuf."""


def speech_request(text: str, options: SpeechOptions) -> tts_pb2.SynthesizeRequest:
    """Returns the message for a text and its options; an option that is not given has its default.

    The server checks the limits. Raises TypeError for an unknown option, and ValueError for a value that protobuf
    cannot carry, such as a negative seed, a text with lone surrogates, or a pronunciation by both ipa and respelling.
    """
    specs = option_specs()
    request: dict[str, Any] = {"text": text}
    for name, value in _with_defaults(options, specs).items():
        if value is not None:
            _set_field(request, specs[name].wire or name, _wire_value(value))
    return tts_pb2.SynthesizeRequest(**request)


def _with_defaults(options: SpeechOptions, specs: Mapping[str, Option]) -> dict[str, object]:
    if unknown := sorted(options.keys() - specs.keys()):
        raise TypeError(f"unknown speech option: {', '.join(unknown)}; the options are {', '.join(specs)}")
    return {name: spec.default for name, spec in specs.items()} | {**options}


def _set_field(message: dict[str, Any], path: str, value: object) -> None:
    """Sets a field of a message that is a dict; a path such as "audio_config.encoding" reaches an inner message."""
    *inner_names, field = path.split(".")
    for name in inner_names:
        message = message.setdefault(name, {})
    message[field] = value


def _wire_value(value: object) -> object:
    """Returns what protobuf takes for a value of an option: enum values by name, records as messages."""
    match value:
        case Enum():
            return ENUM_PREFIXES[type(value)] + value.name
        case Pronunciation():
            return pronunciation(value)
        case Recording():
            return recording(value)
        case str() | Mapping():
            return value
        case Iterable():
            return [_wire_value(each) for each in value]
        case _:
            return value


def pronunciation(record: Pronunciation) -> tts_pb2.Pronunciation:
    """Returns the message of a pronunciation; raises ValueError when it has both ipa and respelling."""
    if record.ipa and record.respelling:
        raise ValueError(f"{record.phrase!r} has both ipa and respelling; use one of them")
    message = tts_pb2.Pronunciation(phrase=record.phrase)
    if record.ipa:
        message.ipa = record.ipa
    elif record.respelling:
        message.respelling = record.respelling
    return message


def recording(record: Recording) -> tts_pb2.Recording:
    """Returns the message of a recording; raises ValueError when it has both audio and a name."""
    if record.audio and record.name:
        raise ValueError("a recording has both audio and a name; use one of them")
    message = tts_pb2.Recording(transcript=record.transcript)
    if record.audio:
        message.audio = record.audio
    elif record.name:
        message.name = record.name
    return message


def speech(response: tts_pb2.SynthesizeResponse) -> Speech:
    """Returns the record of a unary reply."""
    return Speech(
        audio=response.audio_data,
        sample_rate_hz=response.sample_rate,
        encoding=encoding_of(response.encoding),
        audio_seconds=response.audio_seconds,
        seed=response.seed,
        request_id=response.request_id,
        voice=response.speaker_id,
        timings=timings(response.timings),
        emotion_fallback=response.emotion_fallback,
    )


def audio_chunk(response: tts_pb2.SynthesizeStreamResponse) -> AudioChunk:
    """Returns the record of one message of a stream."""
    return AudioChunk(
        audio=response.audio_data,
        sample_rate_hz=response.sample_rate,
        encoding=encoding_of(response.encoding),
        audio_seconds=response.audio_seconds,
        sequence=response.sequence,
        seed=response.seed if response.sequence == 0 else None,
        request_id=response.request_id,
        voice=response.speaker_id,
        timings=timings(response.timings),
        emotion_fallback=response.emotion_fallback,
    )


def timings(message: tts_pb2.Timings) -> Timings:
    """Returns the records of the timings in a reply."""
    return Timings(
        words=tuple(
            WordTiming(of.word, of.start_seconds, of.end_seconds, (of.text_span.start, of.text_span.stop))
            for of in message.words
        ),
        phonemes=tuple(PhonemeTiming(of.phoneme, of.start_seconds, of.end_seconds) for of in message.phonemes),
        visemes=tuple(
            VisemeTiming(viseme_name(of.viseme), of.start_seconds, of.end_seconds) for of in message.visemes
        ),
        marks=tuple(MarkTiming(of.name, of.seconds) for of in message.marks),
    )


def viseme_name(value: tts_pb2.Viseme.ValueType) -> str:
    """Returns the name in lower case; "sil" is the mouth at rest."""
    if value == tts_pb2.VISEME_UNSPECIFIED:
        return "sil"
    return tts_pb2.Viseme.Name(value).removeprefix("VISEME_").lower()


def settings_message(request: tts_pb2.SynthesizeRequest) -> tts_pb2.StreamingSynthesizeRequest:
    """Returns the first message of incremental input."""
    return tts_pb2.StreamingSynthesizeRequest(settings=request)


def piece_message(piece: str | Flush) -> tts_pb2.StreamingSynthesizeRequest:
    """Returns the message of one piece of text, or of a flush."""
    if isinstance(piece, Flush):
        return tts_pb2.StreamingSynthesizeRequest(flush=True)
    return tts_pb2.StreamingSynthesizeRequest(text=piece)


def incremental_chunk(response: tts_pb2.StreamingSynthesizeResponse) -> AudioChunk:
    """Returns the record of one message of a reply to incremental input."""
    span = response.text_span
    return replace(audio_chunk(response.audio), text_span=(span.start, span.stop))


def encoding_of(value: tts_pb2.AudioEncoding.ValueType) -> Encoding:
    """Returns the encoding; unspecified means LINEAR16."""
    if value == tts_pb2.AUDIO_ENCODING_UNSPECIFIED:
        return Encoding.LINEAR16
    return Encoding[tts_pb2.AudioEncoding.Name(value).removeprefix("AUDIO_ENCODING_")]


def voices_request(language: str, gender: Gender | None, engine: str) -> tts_pb2.ListVoicesRequest:
    """Returns the message that asks for voices; "" and None mean any."""
    wanted = tts_pb2.GENDER_UNSPECIFIED if gender is None else tts_pb2.Gender.Value(f"GENDER_{gender.name}")
    return tts_pb2.ListVoicesRequest(language=language, gender=wanted, engine=engine)


def serving_status(response: health_pb2.HealthCheckResponse) -> str:
    """Returns the name of a health status, such as "SERVING"."""
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))


def voices(response: tts_pb2.ListVoicesResponse) -> tuple[Voice, ...]:
    """Returns the records of the listed voices."""
    return tuple(voice(message) for message in response.voices)


def voice(message: tts_pb2.Voice) -> Voice:
    """Returns the record of one listed voice."""
    return Voice(
        id=message.id,
        language=message.language,
        sample_rate_hz=message.sample_rate_hertz,
        speakers=tuple(message.speakers),
        is_default=message.is_default,
        engine=message.engine,
        quality=message.quality,
        precision=message.precision,
        emotion_rendering=_rendering(message.emotion_rendering),
        aliases=tuple(message.aliases),
        gender=_gender(message.gender),
        grade=message.grade,
        reference_use=_reference_use(message.reference_use),
        takes_emotion_reference=message.takes_emotion_reference,
        is_recording=message.is_recording,
    )


def _gender(value: tts_pb2.Gender.ValueType) -> str:
    """Returns the name in lower case; empty when the server does not state one that this client knows."""
    if value not in (tts_pb2.GENDER_FEMALE, tts_pb2.GENDER_MALE):
        return ""
    return tts_pb2.Gender.Name(value).removeprefix("GENDER_").lower()


def _rendering(value: tts_pb2.EmotionRendering.ValueType) -> str:
    """Returns the name in lower case; empty when the server does not state it."""
    if value == tts_pb2.EMOTION_RENDERING_UNSPECIFIED:
        return ""
    return tts_pb2.EmotionRendering.Name(value).removeprefix("EMOTION_RENDERING_").lower()


def _reference_use(value: tts_pb2.ReferenceUse.ValueType) -> str:
    """Returns the name in lower case; empty when the server does not state it."""
    if value == tts_pb2.REFERENCE_USE_UNSPECIFIED:
        return ""
    return tts_pb2.ReferenceUse.Name(value).removeprefix("REFERENCE_USE_").lower()
