"""Protobuf to domain and back, without a network: the synthesizer is a script."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from phonoscope.common.errors import InvalidRequest, NotReady
from phonoscope.protos.tts.v1 import tts_pb2
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.rpc.servicer import SERVICE_NAME, TextToSpeechServicer
from phonoscope.server.rpc.wire import MAX_MESSAGE_BYTES, message_parts, speech_request, wire_voice
from phonoscope.server.speech.delivery import SpokenChunk
from phonoscope.server.speech.incremental_input import Flush
from phonoscope.server.speech.synthesizer import Spoken
from phonoscope.server.speech.timings import MarkTiming, Timings
from phonoscope.server.types import EmotionRendering, Encoding, GivenRecording, Pronunciation, Recording, SpeechRequest

JOE = replace(tone_voice("joe", language="en-US", sample_rate_hz=16_000), precision="bfloat16")
CHOIR = tone_voice("choir", language="de-DE", sample_rate_hz=8_000, speakers=("anna", "bea"))
RESOLVER = RequestResolver([JOE, CHOIR], max_characters=1000)
ASKED = tts_pb2.SynthesizeRequest(
    text="Hallo.",
    speaker_id="choir:bea",
    seed=7,
    request_id="id-1",
    audio_config=tts_pb2.AudioConfig(encoding=tts_pb2.AUDIO_ENCODING_WAV),
)


class Context:
    """A call with 2.5 s left."""

    def time_remaining(self) -> float:
        return 2.5


class ScriptedSynthesizer:
    """Says b"one" and b"two" to everything, and notes what it was asked."""

    voices = (JOE, CHOIR)

    def __init__(self) -> None:
        self.asked: list[tuple[SpeechRequest, float | None]] = []
        self.pieces: list[str | Flush] = []
        self.is_closed = False

    async def speak(self, request: SpeechRequest, deadline_seconds: float | None) -> Spoken:
        self.asked.append((request, deadline_seconds))
        return Spoken(RESOLVER.resolve(request), b"onetwo", 3.0)

    async def speak_in_chunks(
        self, request: SpeechRequest, deadline_seconds: float | None
    ) -> AsyncIterator[tuple[ResolvedRequest, SpokenChunk]]:
        self.asked.append((request, deadline_seconds))
        resolved = RESOLVER.resolve(request)
        try:
            yield resolved, SpokenChunk(b"one", 1.0)
            yield resolved, SpokenChunk(b"two", 2.0)
        finally:
            self.is_closed = True

    async def speak_pieces(
        self, settings: SpeechRequest, pieces: AsyncIterator[str | Flush], deadline_seconds: float | None
    ) -> AsyncIterator[tuple[ResolvedRequest, SpokenChunk]]:
        self.asked.append((settings, deadline_seconds))
        resolved = RESOLVER.resolve(settings, in_pieces=True)
        try:
            async for piece in pieces:
                self.pieces.append(piece)
                yield resolved, SpokenChunk(b"one", 1.0, (len(self.pieces), 40))
        finally:
            self.is_closed = True


@pytest.fixture
def synthesizer() -> ScriptedSynthesizer:
    return ScriptedSynthesizer()


@pytest.fixture
def servicer(synthesizer: ScriptedSynthesizer) -> TextToSpeechServicer:
    speech = Speech()
    speech.begin(synthesizer)  # type: ignore[arg-type]
    return TextToSpeechServicer(speech)


def test_an_empty_message_is_an_unset_request() -> None:
    assert speech_request(tts_pb2.SynthesizeRequest()) == SpeechRequest(text="")


def test_every_field_of_the_contract_reaches_the_domain() -> None:
    message = tts_pb2.SynthesizeRequest(
        text="Hello.",
        speaker_id="joe:1",
        speed=0.5,
        pitch=1.5,
        emotion="sad",
        language="en",
        audio_config=tts_pb2.AudioConfig(
            encoding=tts_pb2.AUDIO_ENCODING_WAV, sample_rate_hertz=8000, volume_gain_db=-6.0
        ),
        seed=2**64 - 1,
        request_id="id",
        emotion_weights={"sad": 0.5},
        emotion_intensity=0.25,
        ssml="<speak/>",
        pronunciations=[tts_pb2.Pronunciation(phrase="a", ipa="b"), tts_pb2.Pronunciation(phrase="c", respelling="d")],
        timing_types=[tts_pb2.TIMING_TYPE_VISEME, 99],
        text_format=tts_pb2.TEXT_FORMAT_MARKDOWN,
        unpronounceable_text=tts_pb2.UNPRONOUNCEABLE_TEXT_SILENCE,
        reference=tts_pb2.Recording(audio=b"RIFF", transcript="Hi."),
        emotion_reference=tts_pb2.Recording(name="ann"),
    )
    assert {field.name for field, _ in message.ListFields()} == {field.name for field in message.DESCRIPTOR.fields}
    assert speech_request(message) == SpeechRequest(
        "Hello.", "joe:1", 0.5, 1.5, "sad", {"sad": 0.5}, 0.25, "en", "wav", 8000, -6.0, 2**64 - 1, "id",
        "<speak/>", (Pronunciation("a", ipa="b"), Pronunciation("c", respelling="d")), ("viseme", "99"),
        "markdown", "silence", GivenRecording(b"RIFF", "", "Hi."), GivenRecording(name="ann"),
    )  # fmt: skip


def test_a_seed_of_zero_is_not_an_absent_one() -> None:
    assert speech_request(tts_pb2.SynthesizeRequest(seed=0)).seed == 0
    assert speech_request(tts_pb2.SynthesizeRequest()).seed is None


def encoding_of(number: int) -> str:
    # An open enum: a newer client may send any number.
    request = tts_pb2.SynthesizeRequest()
    request.audio_config.encoding = number  # type: ignore[assignment]
    return speech_request(request).encoding


def test_every_encoding_of_the_contract_is_known_to_the_domain() -> None:
    names = {encoding_of(number) for number in tts_pb2.AudioEncoding.values()}
    assert names == {"", *(encoding.value for encoding in Encoding)}


@pytest.mark.parametrize("number", [99, -1, 2**31 - 1])
def test_an_encoding_of_a_newer_contract_comes_as_its_number(number: int) -> None:
    assert encoding_of(number) == str(number)


async def test_a_whole_reply_names_everything_that_was_chosen(
    servicer: TextToSpeechServicer, synthesizer: ScriptedSynthesizer
) -> None:
    reply = await servicer.Synthesize(ASKED, Context())  # type: ignore[arg-type]
    assert reply == tts_pb2.SynthesizeResponse(
        audio_data=b"onetwo",
        sample_rate=8000,
        status="success",
        encoding=tts_pb2.AUDIO_ENCODING_WAV,
        audio_seconds=3.0,
        seed=7,
        request_id="id-1",
        speaker_id="choir:bea",
    )
    assert synthesizer.asked == [(speech_request(ASKED), 2.5)]


async def test_a_stream_names_what_was_chosen_in_its_first_message(
    servicer: TextToSpeechServicer, synthesizer: ScriptedSynthesizer
) -> None:
    replies = [reply async for reply in servicer.SynthesizeStream(ASKED, Context())]  # type: ignore[arg-type]
    common = {"sample_rate": 8000, "status": "success", "encoding": tts_pb2.AUDIO_ENCODING_WAV}
    assert replies == [
        tts_pb2.SynthesizeStreamResponse(
            audio_data=b"one",
            audio_seconds=1.0,
            sequence=0,
            seed=7,
            request_id="id-1",
            speaker_id="choir:bea",
            **common,
        ),
        tts_pb2.SynthesizeStreamResponse(audio_data=b"two", audio_seconds=2.0, sequence=1, **common),
    ]
    assert synthesizer.asked == [(speech_request(ASKED), 2.5)]


async def test_a_stream_that_is_closed_early_closes_the_synthesizers(
    servicer: TextToSpeechServicer, synthesizer: ScriptedSynthesizer
) -> None:
    replies: Any = servicer.SynthesizeStream(ASKED, Context())  # type: ignore[arg-type]
    await anext(replies)
    await replies.aclose()
    assert synthesizer.is_closed


async def test_voices_are_listed_with_the_default_first(servicer: TextToSpeechServicer) -> None:
    reply = await servicer.ListVoices(tts_pb2.ListVoicesRequest(), Context())  # type: ignore[arg-type]
    rendering = tts_pb2.EMOTION_RENDERING_PROSODY
    use = tts_pb2.REFERENCE_USE_OPTIONAL
    common: Any = {"engine": "tone", "emotion_rendering": rendering, "reference_use": use}
    joe: Any = {"id": "joe", "language": "en-US", "sample_rate_hertz": 16_000, "precision": "bfloat16"}
    choir: Any = {"id": "choir", "language": "de-DE", "sample_rate_hertz": 8000, "precision": "float32"}
    assert list(reply.voices) == [
        tts_pb2.Voice(is_default=True, **joe, **common),
        tts_pb2.Voice(speakers=["anna", "bea"], **choir, **common),
    ]


def test_a_voice_is_listed_with_its_aliases() -> None:
    assert wire_voice(replace(JOE, aliases=(("male1", 0), ("m", 1))), is_default=False).aliases == ["male1", "m"]


@pytest.mark.parametrize(
    ("rendering", "name"),
    [
        ("prosody", tts_pb2.EMOTION_RENDERING_PROSODY),
        ("native", tts_pb2.EMOTION_RENDERING_NATIVE),
        ("none", tts_pb2.EMOTION_RENDERING_NONE),
    ],
)
def test_a_voice_is_listed_with_how_it_renders_emotions(
    rendering: EmotionRendering, name: tts_pb2.EmotionRendering.ValueType
) -> None:
    assert wire_voice(replace(JOE, emotion_rendering=rendering), is_default=False).emotion_rendering == name


@pytest.mark.parametrize(("language", "ids"), [("de", ["choir"]), ("EN_us", ["joe"]), ("fr", [])])
async def test_voices_can_be_listed_by_language(servicer: TextToSpeechServicer, language: str, ids: list[str]) -> None:
    reply = await servicer.ListVoices(tts_pb2.ListVoicesRequest(language=language), Context())  # type: ignore[arg-type]
    assert [voice.id for voice in reply.voices] == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"gender": tts_pb2.GENDER_FEMALE}, ["af"]),
        ({"gender": tts_pb2.GENDER_MALE, "engine": "kokoro"}, ["bm"]),
        ({"engine": "tone"}, ["joe"]),
        ({"engine": "flute"}, []),
        ({"language": "en", "gender": tts_pb2.GENDER_FEMALE}, ["af"]),
        ({}, ["joe", "af", "bm"]),
    ],
)
async def test_voices_can_be_listed_by_gender_and_engine(
    servicer: TextToSpeechServicer, synthesizer: ScriptedSynthesizer, query: dict[str, Any], ids: list[str]
) -> None:
    female, male = (replace(JOE, engine="kokoro", gender=gender) for gender in ("female", "male"))
    synthesizer.voices = (JOE, replace(female, id="af", grade="A"), replace(male, id="bm"))
    reply = await servicer.ListVoices(tts_pb2.ListVoicesRequest(**query), Context())  # type: ignore[arg-type]
    assert [voice.id for voice in reply.voices] == ids
    assert all(
        voice.grade == "A" and voice.gender == tts_pb2.GENDER_FEMALE for voice in reply.voices if voice.id == "af"
    )


async def test_an_unknown_gender_is_refused(servicer: TextToSpeechServicer) -> None:
    request = tts_pb2.ListVoicesRequest(gender=7)  # type: ignore[arg-type]  # of a newer contract
    with pytest.raises(InvalidRequest, match="'7' is unknown; use one of GENDER_FEMALE, GENDER_MALE") as caught:
        await servicer.ListVoices(request, Context())  # type: ignore[arg-type]
    assert caught.value.reason == "GENDER_UNKNOWN"


LONG = SpokenChunk(bytes(range(256)) * 600, 3.0, (4, 9), Timings(marks=(MarkTiming("a", 0.5),)))


def test_a_long_chunk_is_cut_into_messages_of_a_bounded_size() -> None:
    parts = list(message_parts(LONG))
    assert [len(part.audio) for part in parts] == [MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES, 22_528]
    assert b"".join(part.audio for part in parts) == LONG.audio


def test_the_parts_of_a_chunk_share_its_duration_by_their_size() -> None:
    assert [part.audio_seconds for part in message_parts(LONG)] == pytest.approx([1.28, 1.28, 0.44])


def test_the_first_part_of_a_chunk_has_the_timings_and_each_has_its_characters() -> None:
    parts = list(message_parts(LONG))
    assert [part.timings for part in parts] == [LONG.timings, None, None]
    assert {part.text_span for part in parts} == {(4, 9)}


def test_a_chunk_that_fits_a_message_stays_whole_even_if_it_is_empty() -> None:
    for audio in (b"", bytes(MAX_MESSAGE_BYTES)):
        chunk = SpokenChunk(audio, 1.0)
        assert list(message_parts(chunk)) == [chunk]


async def steps(*messages: tts_pb2.StreamingSynthesizeRequest) -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
    for message in messages:
        yield message


def step(**of: Any) -> tts_pb2.StreamingSynthesizeRequest:
    return tts_pb2.StreamingSynthesizeRequest(**of)


SETTINGS = tts_pb2.SynthesizeRequest(speaker_id="choir:bea", seed=7, request_id="id-1")


async def test_text_in_pieces_is_handed_on_as_it_comes_and_audio_says_what_it_speaks(
    servicer: TextToSpeechServicer, synthesizer: ScriptedSynthesizer
) -> None:
    messages = steps(step(settings=SETTINGS), step(text="Hal"), step(text=""), step(flush=True), step(text="lo"))
    replies = [reply async for reply in servicer.StreamingSynthesize(messages, Context())]  # type: ignore[arg-type]
    assert synthesizer.asked == [(speech_request(SETTINGS), 2.5)]
    assert [piece if isinstance(piece, str) else Flush for piece in synthesizer.pieces] == ["Hal", "", Flush, "lo"]
    assert [(reply.text_span.start, reply.text_span.stop) for reply in replies] == [(1, 40), (2, 40), (3, 40), (4, 40)]
    assert [reply.audio.sequence for reply in replies] == [0, 1, 2, 3]
    assert [reply.audio.request_id for reply in replies] == ["id-1", "", "", ""]
    assert replies[0].audio.audio_data == b"one"


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "SETTINGS_FIRST"),
        ([step()], "SETTINGS_FIRST"),
        ([step(text="Hello.")], "SETTINGS_FIRST"),
        ([step(flush=True)], "SETTINGS_FIRST"),
        ([step(settings=SETTINGS), step(settings=SETTINGS)], "SETTINGS_TWICE"),
        ([step(settings=SETTINGS), step(text="a"), step()], "STEP_EMPTY"),
        ([step(settings=SETTINGS), step(flush=False)], "STEP_EMPTY"),
        ([step(settings=ASKED)], "TEXT_IN_SETTINGS"),
    ],
)
async def test_messages_out_of_order_are_refused_with_advice(
    servicer: TextToSpeechServicer, messages: list[tts_pb2.StreamingSynthesizeRequest], reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        async for _ in servicer.StreamingSynthesize(steps(*messages), Context()):  # type: ignore[arg-type]
            pass
    assert caught.value.reason == reason
    assert reason in InvalidRequest.REASONS
    assert ";" in str(caught.value)  # what is wrong; what to do


async def test_a_stream_of_pieces_that_is_closed_early_closes_the_synthesizers(
    servicer: TextToSpeechServicer, synthesizer: ScriptedSynthesizer
) -> None:
    messages = steps(step(settings=SETTINGS), step(text="Hal"), step(text="lo"))
    replies: Any = servicer.StreamingSynthesize(messages, Context())  # type: ignore[arg-type]
    await anext(replies)
    await replies.aclose()
    assert synthesizer.is_closed
    assert synthesizer.pieces == ["Hal"]


async def test_before_voices_are_loaded_every_method_says_to_come_back() -> None:
    servicer = TextToSpeechServicer(Speech())
    context: Any = Context()
    calls = [
        servicer.Synthesize(ASKED, context),
        anext(aiter(servicer.SynthesizeStream(ASKED, context))),
        anext(aiter(servicer.StreamingSynthesize(steps(), context))),
        servicer.ListVoices(tts_pb2.ListVoicesRequest(), context),
    ]
    for call in calls:
        with pytest.raises(NotReady, match="still loading") as caught:
            await call
        assert caught.value.reason == "WARMING_UP"
        assert caught.value.retry_after_seconds > 0


def test_the_service_has_its_name() -> None:
    assert SERVICE_NAME == "phonoscope.tts.v1.TextToSpeech"


def test_a_voice_is_listed_with_what_it_does_with_recordings() -> None:
    native = wire_voice(replace(JOE, reference_use="required", takes_emotion_reference=True), is_default=False)
    assert (native.reference_use, native.takes_emotion_reference) == (tts_pb2.REFERENCE_USE_REQUIRED, True)
    own = Recording.of(np.zeros(8, np.float32), 16_000)
    named = wire_voice(replace(JOE, id="ann", base="joe", reference=own), is_default=False)
    assert (named.reference_use, named.is_recording) == (tts_pb2.REFERENCE_USE_NONE, True)
