"""Requests made to harm, over gRPC: each is refused by field and place before a word of it is read or rendered."""

import math

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.build import MAX_REQUEST_BYTES
from phonoscope.server.events import TextRead

CHARACTERS = 5_000  # that this server serves
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
ATTRIBUTES = " ".join(f'a{n}=""' for n in range(4_000))
NO_DOCTYPE = "line 1, column 1: a document type declaration is not allowed; remove <!DOCTYPE …>"


@pytest.fixture
def stub(channel):
    return tts_pb2_grpc.TextToSpeechStub(channel)


@pytest.fixture
def refusal(stub, server):
    """Sends a request to both methods; returns reason, field and description of what is wrong with it."""

    async def refused(call) -> tuple[str, str, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for detail in rpc_status.from_call(caught.value).details:
            assert detail.Unpack(info) or detail.Unpack(bad)
        (violation,) = bad.field_violations
        return info.reason, violation.field, violation.description

    async def send(**fields) -> tuple[str, str, str]:
        asked = tts_pb2.SynthesizeRequest(**fields)
        whole = await refused(stub.Synthesize(asked))
        assert whole == await refused(anext(aiter(stub.SynthesizeStream(asked))))
        assert not any(isinstance(event, TextRead) for event in server.events)
        assert server.engine.windows_rendered == 0
        assert server.unexpected == []
        return whole

    return send


@pytest.mark.parametrize(
    ("document", "reason", "told"),
    [
        (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><speak>&l9;</speak>', "SSML_INVALID", NO_DOCTYPE),
        ('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><speak>&e;</speak>', "SSML_INVALID", NO_DOCTYPE),
        ('<!DOCTYPE speak SYSTEM "http://localhost/x.dtd"><speak>a</speak>', "SSML_INVALID", NO_DOCTYPE),
        ("<!DOCTYPE a [<!ENTITY % p \"<!ENTITY e 'x'>\"> %p;]><speak>&e;</speak>", "SSML_INVALID", NO_DOCTYPE),
        ("<speak>\n&e;</speak>", "SSML_INVALID", "line 2, column 1: undefined entity"),
        (
            "<speak>" + "<prosody>" * 4_000,
            "SSML_INVALID",
            "line 1, column 287: elements are nested more than 32 levels deep",
        ),
        (
            f"<speak>\n<s {ATTRIBUTES}>a</s></speak>",
            "SSML_INVALID",
            "line 2, column 1: <s> has 4000 attributes; use at most 16",
        ),
        (
            f'<speak>a\n <sub alias="{"b " * 15_000}">c</sub></speak>',
            "SSML_INVALID",
            "line 2, column 2: the attribute alias has 30000 characters; use at most 1024",
        ),
        (
            "<speak>" + 'a<break time="10s"/>' * 31 + "</speak>",
            "SSML_INVALID",
            "line 1, column 609: the pauses add up to more than 300 s; split the document",
        ),
        ("<speak>a", "SSML_INVALID", "line 1, column 9: no element found"),
        ("<speak><s>a</speak></s>", "SSML_INVALID", "line 1, column 14: mismatched tag"),
        ("<speak>\n<![CDATA[a</speak>", "SSML_INVALID", "line 2, column 19: unclosed CDATA section"),
        ("<speak><!-- a</speak>", "SSML_INVALID", "line 1, column 8: unclosed token"),
        ("<speak>a\x00b</speak>", "SSML_INVALID", "line 1, column 9: not well-formed"),
        ("\x00", "SSML_INVALID", "line 1, column 1: unclosed token"),
        ("<speak>&#0;</speak>", "SSML_INVALID", "line 1, column 8: reference to invalid character number"),
        ("<speak>&#xD800;</speak>", "SSML_INVALID", "line 1, column 8: reference to invalid character number"),
        (
            "<speak>\n <phoneme ph='b?'>a</phoneme></speak>",
            "SSML_INVALID",
            "line 2, column 2: <phoneme>: ph='b?' is not valid: '?' (U+003F, QUESTION MARK) is not an IPA symbol",
        ),
        (
            f"<speak><!-- {'x' * 8 * CHARACTERS} --></speak>",
            "TEXT_TOO_LONG",
            f"has {8 * CHARACTERS + 24} characters; the maximum is 40000; send several requests",
        ),
        (
            f"<speak>{'<p/>' * 10_001}</speak>",
            "TEXT_TOO_LONG",
            "has 40019 characters; the maximum is 40000; send several requests",
        ),
        (
            f"<speak>{'a ' * 2_500}b</speak>",
            "TEXT_TOO_LONG",
            "has 5002 characters; the maximum is 5000; send several requests",
        ),
        (
            "<speak>" + '<sub alias="' + "b " * 500 + '"/>' + "x" * 4_001 + "</speak>",
            "TEXT_TOO_LONG",
            "has 5002 characters; the maximum is 5000; send several requests",
        ),
    ],
)
async def test_a_malicious_document_is_refused_with_its_place(refusal, document: str, reason: str, told: str):
    found = await refusal(ssml=document)
    assert found[:2] == (reason, "ssml")
    assert found[2].startswith(told)


@pytest.mark.parametrize("field", ["text", "ssml"])
async def test_a_huge_text_is_refused_whether_grpc_lets_it_in_or_not(refusal, stub, server, field: str):
    reason, at, told = await refusal(**{field: "x" * (MAX_REQUEST_BYTES - 100)})
    assert (reason, at) == ("TEXT_TOO_LONG", field)
    assert told.startswith(f"has {MAX_REQUEST_BYTES - 100} characters; the maximum is ")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Synthesize(tts_pb2.SynthesizeRequest(**{field: "x" * MAX_REQUEST_BYTES}))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.unexpected == []


def respelled(phrase: str, respelling: str) -> tts_pb2.Pronunciation:
    return tts_pb2.Pronunciation(phrase=phrase, respelling=respelling)


def cycle(length: int) -> list[tts_pb2.Pronunciation]:
    return [respelled(f"w{at}", f"the w{(at + 1) % length}") for at in range(length)]


GOOD = respelled("good", "one")


@pytest.mark.parametrize(
    ("entries", "field", "told"),
    [
        *((cycle(n), "pronunciations[0].respelling", "is part of a cycle: 'w0' → ") for n in range(1, 6)),
        (
            [respelled(f"w{n}", f"w{n + 1} w{n + 1} w{n + 1} w{n + 1}") for n in range(900)],
            "pronunciations[896].respelling",
            "expands to more than 1000 characters",
        ),
        ([respelled(f"w{n}", "x") for n in range(1_001)], "pronunciations", "has 1001 entries; send at most 1000"),
        ([GOOD, tts_pb2.Pronunciation(phrase="a", ipa="a?")], "pronunciations[1].ipa", "'?' (U+003F, QUESTION MARK)"),
        (
            [GOOD, tts_pb2.Pronunciation(phrase="a", ipa="aʘ")],
            "pronunciations[1].ipa",
            "tone does not support 'ʘ' (U+0298",
        ),
        (
            [GOOD, tts_pb2.Pronunciation(phrase="a", ipa="a\x00")],
            "pronunciations[1].ipa",
            "'\\x00' (U+0000, a control",
        ),
        ([GOOD, tts_pb2.Pronunciation(phrase="a")], "pronunciations[1].spoken", "is empty; send ipa or respelling"),
        ([GOOD, respelled("…", "a")], "pronunciations[1].phrase", "contains no word"),
        ([GOOD, respelled("a" * 65, "a")], "pronunciations[1].phrase", "has 65 characters; send at most 64"),
        ([GOOD, respelled("a", "b" * 201)], "pronunciations[1].respelling", "has 201 characters; send at most 200"),
        ([GOOD, GOOD], "pronunciations[1].phrase", "'good' is a duplicate"),
    ],
)
async def test_a_malicious_pronunciation_is_refused_by_its_number(refusal, entries, field: str, told: str):
    reason, at, description = await refusal(text="good w0 a", pronunciations=entries)
    assert (reason, at) == ("PRONUNCIATION_INVALID", field)
    assert description.startswith(told)


async def test_as_many_pronunciations_as_are_allowed_are_taken(stub):
    entries = [respelled(f"w{n}", "x") for n in range(1_000)]
    reply = await stub.Synthesize(tts_pb2.SynthesizeRequest(text="w0 w999", pronunciations=entries))
    assert reply.audio_seconds > 0


# A 32-bit float next to each limit, beyond it.
BEYOND = {
    "speed": (0.25 - 2**-26, 4.0 + 2**-21),
    "pitch": (0.5 - 2**-25, 2.0 + 2**-22),
    "volume_gain_db": (-96.0 - 2**-17, 16.0 + 2**-19),
    "emotion_intensity": (-(2.0**-149), 1.0 + 2**-23),
    "emotion_weights": (-(2.0**-149), 1.0 + 2**-16),
    "sample_rate_hertz": (7_999, 48_001),
}
LIMITS = {
    "speed": (0.25, 4.0),
    "pitch": (0.5, 2.0),
    "volume_gain_db": (-96.0, 16.0),
    "emotion_intensity": (0.0, 1.0),
    "emotion_weights": (0.0, 1.0),
    "sample_rate_hertz": (8_000, 48_000),
}
FLOATS = [name for name in LIMITS if name != "sample_rate_hertz"]


def one(name: str, value: float) -> dict[str, object]:
    """A request's fields in which one number is of that value."""
    if name in ("volume_gain_db", "sample_rate_hertz"):
        return {"audio_config": tts_pb2.AudioConfig(**{name: value})}
    if name == "emotion_weights":
        return {name: {"sad": value}}
    return {name: value, **({"emotion": "sad"} if name == "emotion_intensity" else {})}


def path(name: str) -> str:
    return f"audio_config.{name}" if name in ("volume_gain_db", "sample_rate_hertz") else name


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BEYOND.items() for value in values])
async def test_the_next_number_beyond_a_limit_is_refused(refusal, name: str, value: float):
    reason, field, told = await refusal(text="Hello.", **one(name, value))
    assert field == path(name)
    assert "_OUT_OF_RANGE" in reason or reason == "EMOTION_WEIGHTS_INVALID"
    assert " is out of range; use " in told


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in LIMITS.items() for value in values])
async def test_a_limit_itself_is_served(stub, name: str, value: float):
    assert (await stub.Synthesize(tts_pb2.SynthesizeRequest(text="Hello.", **one(name, value)))).audio_seconds > 0


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_what_is_not_a_number_is_refused_in_every_field(refusal, name: str, value: float):
    _, field, told = await refusal(text="Hello.", **one(name, value))
    assert field == path(name)
    assert f"{value:g} is out of range; use " in told


@pytest.mark.parametrize("encoding", tts_pb2.AudioEncoding.values())
async def test_timings_are_supported_with_every_encoding_but_mp3_and_aac(refusal, stub, encoding: int):
    asked = {
        "text": "Hello.",
        "timing_types": [tts_pb2.TIMING_TYPE_WORD],
        "audio_config": tts_pb2.AudioConfig(encoding=encoding),
    }
    name = tts_pb2.AudioEncoding.Name(encoding).removeprefix("AUDIO_ENCODING_")
    if name in ("MP3", "AAC"):
        reason, field, told = await refusal(**asked)
        assert (reason, field) == ("TIMINGS_NOT_CARRIED", "timing_types")
        assert told.startswith(f"are not supported with {name}, ")
    else:
        assert (await stub.Synthesize(tts_pb2.SynthesizeRequest(**asked))).timings.words


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"audio_config": {"encoding": 9}}, "audio_config.encoding", "'9' is unknown"),
        ({"audio_config": {"encoding": -1}}, "audio_config.encoding", "'-1' is unknown"),
        ({"audio_config": {"encoding": 2**31 - 1}}, "audio_config.encoding", "'2147483647' is unknown"),
        ({"timing_types": [1, 5]}, "timing_types", "'5' is unknown; use one or more of WORD, PHONEME, VISEME, MARK"),
        ({"timing_types": [-1]}, "timing_types", "'-1' is unknown"),
    ],
)
async def test_an_unknown_enum_number_is_refused(refusal, fields, field: str, told: str):
    found = await refusal(text="Hello.", **fields)
    assert found[1] == field
    assert found[2].startswith(told)


@pytest.mark.parametrize("field", [1, 16])  # text, ssml
@pytest.mark.parametrize("value", [b"\xed\xa0\x80", b"\xff", b"\xc0\x80", b"a\xf0\x9f\x98"])
async def test_surrogates_and_other_bytes_that_are_no_utf_8_are_no_message(channel, server, field: int, value: bytes):
    tag = bytes([field << 3 | 2]) if field < 16 else bytes([(field << 3 | 2) & 0x7F | 0x80, field >> 4])
    call = channel.unary_unary("/phonoscope.tts.v1.TextToSpeech/Synthesize")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(tag + bytes([len(value)]) + value)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be read as this method's message" in str(caught.value.details())
    assert server.unexpected == []


async def test_nul_bytes_in_a_text_are_silent(stub):
    with_nul, without = [
        await stub.Synthesize(tts_pb2.SynthesizeRequest(text=text, seed=1)) for text in ("On\x00e.\x00", "One.")
    ]
    assert with_nul.audio_data == without.audio_data
