"""The recordings of a request before they are decoded: complete, known, and for which voice."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from phonoscope.common.errors import InvalidRequest, NotServed
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.references import MAX_RECORDING_BYTES
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.types import GivenRecording, Recording, SpeechRequest

PLAIN = replace(tone_voice("joe"), reference_use="none")
TONE = tone_voice("tone")
GERMAN = tone_voice("ton", language="de-DE")
ANN = replace(TONE, id="ann", base="tone", reference=Recording.of(np.zeros(8, np.float32), 16_000))
CLONE = replace(tone_voice("clone", language="fr-FR"), reference_use="required", takes_emotion_reference=True)
VOICES = (PLAIN, TONE, GERMAN, ANN, CLONE)
AUDIO = GivenRecording(b"RIFF")


def resolve(voices: Any = VOICES, **fields: Any) -> ResolvedRequest:
    return RequestResolver(voices, max_characters=1000).resolve(SpeechRequest(**({"text": "Hello."} | fields)))


def refused(voices: Any = VOICES, **fields: Any) -> tuple[str, str]:
    with pytest.raises((InvalidRequest, NotServed)) as caught:
        resolve(voices, **fields)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize(
    ("fields", "voice"),
    [
        ({}, "tone"),
        ({"speaker_id": "default"}, "tone"),
        ({"language": "de"}, "ton"),
        ({"language": "auto"}, "tone"),
        ({"speaker_id": "ton"}, "ton"),
        ({"reference": GivenRecording(name="ann")}, "ann"),
        ({"reference": GivenRecording(name="ann"), "speaker_id": "ton"}, "ton"),
        ({"reference": GivenRecording(name="ann"), "speaker_id": "ann"}, "ann"),
    ],
)
def test_a_recording_chooses_a_voice_that_takes_it_where_none_is_named(fields: Any, voice: str) -> None:
    assert resolve(**({"reference": AUDIO} | fields)).voice.id == voice


def test_a_voice_without_references_is_refused_with_those_that_have_them() -> None:
    reason, message = refused(speaker_id="joe", reference=AUDIO)
    assert reason == "REFERENCE_NOT_SERVED"
    assert message == (
        "joe does not take a recording to speak like; remove reference, or use another speaker_id: tone, ton, clone"
    )
    assert "no loaded voice does" in refused([PLAIN], reference=AUDIO)[1]
    reason, message = refused(speaker_id="tone", emotion_reference=AUDIO)
    assert (reason, message.endswith("use another speaker_id: clone")) == ("EMOTION_REFERENCE_NOT_SERVED", True)


def test_a_voice_of_a_document_does_not_need_to_take_the_requests_recording() -> None:
    document = "<speak>Hello. <voice name='joe'>And you.</voice></speak>"
    assert resolve(text="", ssml=document, speaker_id="tone", reference=AUDIO).voice.id == "tone"


def test_a_voice_that_needs_a_recording_is_not_chosen_and_refused_without() -> None:
    assert resolve([CLONE, PLAIN], language="en").voice.id == "joe"
    reason, message = refused(speaker_id="clone")
    assert (reason, "use another speaker_id: joe, tone, ton, ann" in message) == ("REFERENCE_REQUIRED", True)
    assert resolve(speaker_id="clone", reference=AUDIO).voice.id == "clone"
    assert refused([CLONE], text="Hello.")[0] == "REFERENCE_REQUIRED"


@pytest.mark.parametrize(
    ("given", "reason", "field"),
    [
        (GivenRecording(), "REFERENCE_EMPTY", "reference: is empty; send audio"),
        (
            GivenRecording(name="bob"),
            "REFERENCE_UNKNOWN",
            "reference.name: there is no recording 'bob'; use one of ann",
        ),
        (GivenRecording(name="tone"), "REFERENCE_UNKNOWN", "reference.name"),
        (GivenRecording(name="ann", transcript="planted"), "REFERENCE_TRANSCRIPT_INVALID", "reference.transcript"),
        (GivenRecording(b"RIFF", transcript="p" * 1001), "REFERENCE_TRANSCRIPT_INVALID", "reference.transcript"),
        (GivenRecording(bytes(MAX_RECORDING_BYTES + 1)), "REFERENCE_TOO_LARGE", "reference.audio: makes 10.0 MiB"),
    ],
)
def test_what_is_incomplete_or_unknown_is_refused(given: GivenRecording, reason: str, field: str) -> None:
    found, message = refused(reference=given)
    assert (found, message.startswith(field)) == (reason, True)
    assert "planted" not in message


def test_both_recordings_together_have_a_maximum() -> None:
    half = GivenRecording(bytes(MAX_RECORDING_BYTES // 2))
    assert resolve(speaker_id="clone", reference=half, emotion_reference=half).voice.id == "clone"
    more = GivenRecording(bytes(MAX_RECORDING_BYTES // 2 + 1))
    assert refused(reference=half, emotion_reference=more)[1].startswith("emotion_reference.audio")


def test_a_recording_is_not_combined_with_what_it_replaces() -> None:
    reason, message = refused(speaker_id="ann", reference=AUDIO)
    assert (reason, "which is a recording itself; use tone" in message) == ("REFERENCE_TWICE", True)
    for emotion in ({"emotion": "happy"}, {"emotion_weights": {"sad": 0.5}}):
        assert refused(speaker_id="clone", reference=AUDIO, emotion_reference=AUDIO, **emotion)[0] == "EMOTION_TWICE"


def test_faults_of_other_fields_are_named_too() -> None:
    assert refused(reference=GivenRecording(), speed=9.0)[0] == "SEVERAL_FIELDS"
