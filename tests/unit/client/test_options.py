"""One list of options: the client's keyword arguments and the fields of the protobuf request are the same."""

from typing import Any

import pytest
from google.protobuf import descriptor

from phonoscope.client import (
    Encoding,
    Pronunciation,
    Recording,
    SpeechOptions,
    TextFormat,
    TimingType,
    UnpronounceableText,
    wire,
)
from phonoscope.client.options import option_specs
from phonoscope.protos.tts.v1 import tts_pb2

REQUEST: descriptor.Descriptor = tts_pb2.SynthesizeRequest.DESCRIPTOR
NESTED = frozenset({"audio_config"})
"""Messages of the request whose fields are options."""
EVERY_OPTION: SpeechOptions = {
    "voice": "v:3",
    "speed": 1.5,
    "pitch": 2.0,
    "emotion": "happy",
    "emotion_weights": {"sad": 0.5},
    "emotion_intensity": 0.25,
    "language": "de",
    "encoding": Encoding.MP3,
    "sample_rate_hz": 8000,
    "volume_gain_db": -6.0,
    "seed": 7,
    "request_id": "r",
    "ssml": "<speak/>",
    "pronunciations": [Pronunciation("SQL", respelling="sequel")],
    "timing_types": {TimingType.MARK},
    "text_format": TextFormat.MARKDOWN,
    "unpronounceable_text": UnpronounceableText.SILENCE,
    "reference": Recording(b"RIFF", transcript="Hello."),
    "emotion_reference": Recording(name="ann"),
}


def paths_of(message: descriptor.Descriptor, prefix: str = "") -> set[str]:
    """Returns the paths of all fields of a request."""
    paths = set()
    for field in message.fields:
        inner = paths_of(field.message_type, f"{field.name}.") if field.name in NESTED else {prefix + field.name}
        paths |= inner
    return paths


def value_at(request: Any, path: str) -> Any:
    for name in path.split("."):
        request = getattr(request, name)
    return request


def test_each_field_of_the_request_is_the_text_or_one_option():
    paths = [option.wire or name for name, option in option_specs().items()]
    assert len(paths) == len(set(paths))
    assert {"text", *paths} == paths_of(REQUEST)


@pytest.mark.parametrize(("name", "option"), option_specs().items())
def test_each_option_sets_its_field(name, option):
    path = option.wire or name
    neutral = wire.speech_request("Hello.", {})
    changed = wire.speech_request("Hello.", {name: EVERY_OPTION[name]})  # type: ignore[misc]
    assert value_at(changed, path) != value_at(neutral, path)
    for message in (changed, neutral):
        outer, _, inner = path.rpartition(".")
        (value_at(message, outer) if outer else message).ClearField(inner)
    assert changed == neutral


def test_values_are_sent_as_they_are_and_enums_by_their_protobuf_names():
    request = wire.speech_request("", EVERY_OPTION)
    assert (request.speaker_id, request.speed, request.seed, request.ssml) == ("v:3", 1.5, 7, "<speak/>")
    assert request.audio_config.encoding == tts_pb2.AUDIO_ENCODING_MP3
    assert list(request.timing_types) == [tts_pb2.TIMING_TYPE_MARK]
    assert dict(request.emotion_weights) == {"sad": 0.5}
    assert list(request.pronunciations) == [tts_pb2.Pronunciation(phrase="SQL", respelling="sequel")]


def test_a_request_without_options_has_the_defaults():
    assert wire.speech_request("Hello.", {}) == tts_pb2.SynthesizeRequest(
        text="Hello.",
        speed=1.0,
        pitch=1.0,
        audio_config=tts_pb2.AudioConfig(encoding=tts_pb2.AUDIO_ENCODING_LINEAR16),
        text_format=tts_pb2.TEXT_FORMAT_PLAIN,
        unpronounceable_text=tts_pb2.UNPRONOUNCEABLE_TEXT_ERROR,
    )


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 2**64}, {"sample_rate_hz": 2**31}, {"voice": "\ud800"}])
def test_a_value_that_protobuf_cannot_carry_is_a_value_error(options):
    with pytest.raises(ValueError, match=r".+"):
        wire.speech_request("Hello.", options)


def test_an_unknown_option_is_an_error_that_lists_the_options():
    with pytest.raises(TypeError, match=r"unknown speech option: pace; the options are voice, speed, .*timing_types"):
        wire.speech_request("Hello.", {"pace": 2.0})  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize("option", option_specs().values(), ids=list(option_specs()))
def test_each_option_is_documented_in_a_sentence(option):
    assert option.doc.endswith(".")


def test_a_recording_is_a_file_or_a_name():
    with pytest.raises(ValueError, match="has both audio and a name; use one of them"):
        wire.speech_request("Hi.", {"reference": Recording(b"RIFF", name="ann")})
    assert wire.speech_request("Hi.", {"reference": Recording()}).HasField("reference"), (
        "the server says what is missing"
    )


def test_a_recording_shows_neither_audio_nor_words():
    assert repr(Recording(b"planted", transcript="planted")) == "Recording(name='')"
