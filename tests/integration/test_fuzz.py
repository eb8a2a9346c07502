"""Whatever strangers send over gRPC: speech that is what it says, or a refusal that names the field; never our fault.

A call that has not ended by its deadline counts as a hang. Examples are those of tests/unit/server/text/hostile.py.
"""

import asyncio
import importlib.util
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

from phonoscope.common import errors
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.types import Encoding

_SPEC = importlib.util.spec_from_file_location("hostile", Path(__file__).parents[1] / "unit/server/text/hostile.py")
assert _SPEC is not None
assert _SPEC.loader is not None
hostile = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hostile)

HANGS_AFTER_SECONDS = 20.0
SERVICE = "/phonoscope.tts.v1.TextToSpeech"
REASONS = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest.REASONS,
    grpc.StatusCode.UNIMPLEMENTED: errors.NotServed.REASONS,
}
FORMATS = {"mulaw": "mulaw", "alaw": "alaw", "mp3": "mp3", "aac": "aac", "ogg_opus": "ogg", "flac": "flac"}
# What decoders of these add at the ends, and what a frame is longer than its speech.
PADDING_SECONDS = 0.5

# --- what is sent ------------------------------------------------------------------------------------------------

_EDGES = [0.0, -0.0, 1.0, 0.25, 0.5, 2.0, 4.0, 16.0, -96.0]
_STRANGE = [math.nan, math.inf, -math.inf, 1e-45, 3.4e38, -3.4e38, -1.0, 0.2499, 4.001, 16.01, -96.01]
NUMBERS = hostile.mostly(st.sampled_from(_EDGES[:4]), st.sampled_from(_EDGES + _STRANGE) | st.floats(width=32))
INT32 = st.integers(-(2**31), 2**31 - 1)
NAMES = st.sampled_from(["x", "x" * 200, "tone:1", "nobody", "ton:drei", " ", "\x00", "é", "😀"]) | st.text(max_size=9)
EMOTIONS = st.sampled_from(["neutral", "happy", "sad", "SAD", "calm", "angry", "excited", "fearful", "whisper"])


def strings(*good: str) -> st.SearchStrategy[str]:
    return hostile.mostly(st.sampled_from(good), NAMES)


AUDIO_CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "encoding": hostile.mostly(st.sampled_from(tts_pb2.AudioEncoding.values()), INT32 | st.just(99)),
        "sample_rate_hertz": hostile.mostly(
            st.sampled_from([0, 8_000, 16_000, 22_050, 24_000, 48_000]),
            st.sampled_from([-1, 1, 7_999, 8_001, 11_025, 44_100, 48_001]) | INT32,
        ),
        "volume_gain_db": NUMBERS,
    },
)
SETTINGS = {
    "speaker_id": strings("tone", "default", "ton:eins", "ton:1", ""),
    "language": strings("en", "en-US", "", "auto"),
    "speed": NUMBERS,
    "pitch": NUMBERS,
    "emotion": hostile.mostly(EMOTIONS, NAMES),
    "emotion_weights": st.dictionaries(
        hostile.mostly(EMOTIONS, NAMES), hostile.mostly(st.sampled_from([0.0, 0.1, 0.3]), NUMBERS), max_size=3
    ),
    "emotion_intensity": hostile.mostly(st.sampled_from([0.0, 0.5, 1.0]), NUMBERS),
    "audio_config": AUDIO_CONFIGS.map(lambda fields: tts_pb2.AudioConfig(**fields)),
    "request_id": strings("mine", "a b~"),
    "pronunciations": st.lists(
        hostile.phrases().map(
            lambda entry: tts_pb2.Pronunciation(
                phrase=entry[0], **({"ipa": entry[1]} if entry[1] else {"respelling": entry[2]})
            )
        ),
        max_size=2,
    ),
    "timing_types": st.lists(
        hostile.mostly(st.sampled_from(tts_pb2.TimingType.values()[1:]), INT32 | st.just(0)), max_size=5
    ),
}


def _settings() -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields: with all of them, hardly a request would be good."""
    chosen = st.lists(st.sampled_from([*SETTINGS]), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: SETTINGS[name] for name in names}))


def _contents() -> st.SearchStrategy[dict[str, str]]:
    texts = hostile.WRITTEN | hostile.WRITTEN | hostile.texts()
    text, ssml = texts.map(lambda text: {"text": text}), hostile.documents().map(lambda one: {"ssml": one})
    both = st.tuples(text, ssml).map(lambda pair: pair[0] | pair[1])
    return hostile.mostly(text | ssml, both | st.just({}))


def _message(*fields: dict[str, Any]) -> tts_pb2.SynthesizeRequest:
    return tts_pb2.SynthesizeRequest(**{name: value for part in fields for name, value in part.items()})


SEEDS = hostile.mostly(st.sampled_from([0, 1, 2**64 - 1]).map(lambda seed: {"seed": seed}), st.just({}))
REQUESTS = st.tuples(_contents(), _settings(), SEEDS).map(lambda parts: _message(*parts))


@st.composite
def conversations(draw: Any) -> list[tts_pb2.StreamingSynthesizeRequest]:
    """Settings, and a text in pieces; now and then out of order."""
    step = tts_pb2.StreamingSynthesizeRequest
    settings = step(settings=_message(draw(_settings()), draw(hostile.mostly(st.just({}), _contents()))))
    text = draw(hostile.WRITTEN) + draw(hostile.texts(30))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    steps = [step(text=text[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    steps.insert(draw(st.integers(0, len(steps))), step(flush=True))
    if draw(hostile.RARELY):
        steps.insert(draw(st.integers(0, len(steps))), draw(st.sampled_from([step(), step(flush=False), settings])))
    return steps if draw(hostile.RARELY) else [settings, *steps]


# --- what comes back ---------------------------------------------------------------------------------------------


@dataclass
class Heard:
    """A reply, or the messages of a stream put together."""

    audio: bytes = b""
    seconds: float = 0.0
    rate: int = 0
    encoding: int = 0
    timings: Any = field(default_factory=tts_pb2.Timings)

    def add(self, message: Any) -> None:
        self.audio += message.audio_data
        self.seconds += message.audio_seconds
        self.rate, self.encoding = message.sample_rate, message.encoding
        self.timings.MergeFrom(message.timings)


def check_speech(heard: Heard, source: str) -> None:
    """What sounds decodes, lasts as long as it says, and timings lie within it and within the text."""
    assert heard.seconds > 0
    assert decoded_seconds(heard) == pytest.approx(heard.seconds, abs=PADDING_SECONDS)
    for timings in (heard.timings.words, heard.timings.phonemes, heard.timings.visemes):
        edges = [edge for one in timings for edge in (one.start_seconds, one.end_seconds)]
        assert edges == sorted(edges)
        check_seconds(edges, heard)
    check_seconds([mark.seconds for mark in heard.timings.marks], heard)
    for word in heard.timings.words:
        assert source[word.text_span.start : word.text_span.stop] == word.word


def check_seconds(seconds: Sequence[float], heard: Heard) -> None:
    """Checks that they lie within what is heard; the end may be less than a sample of the asked rate behind it."""
    assert all(0 <= one <= heard.seconds + 1 / heard.rate for one in seconds), (seconds, heard.seconds, heard.rate)


def decoded_seconds(heard: Heard) -> float:
    """How long the audio is, by its samples."""
    encoding = tts_pb2.AudioEncoding.Name(heard.encoding).removeprefix("AUDIO_ENCODING_").lower()
    if encoding == Encoding.LINEAR16.value:
        assert len(heard.audio) % 2 == 0
        return len(heard.audio) / 2 / heard.rate
    if encoding == Encoding.WAV.value:
        assert heard.audio[:4] == b"RIFF"
        return (len(heard.audio) - 44) / 2 / heard.rate
    options = {"sample_rate": str(heard.rate)} if encoding in ("mulaw", "alaw") else {}
    with av.open(io.BytesIO(heard.audio), format=FORMATS[encoding], options=options) as container:
        frames = [(frame.samples, frame.sample_rate) for frame in container.decode(audio=0)]
    return sum(samples / rate for samples, rate in frames)


def check_refusal(error: Any, *kinds: type[Message]) -> str:
    """The status is one of a refusal, its reason is known, its fields are of the message; returns the reason."""
    assert error.code() in REASONS, (error.code(), error.details())
    status = rpc_status.from_call(error)
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        assert detail.Unpack(info) or detail.Unpack(bad), detail
    assert info.domain == errors.ERROR_DOMAIN
    assert info.reason in REASONS[error.code()]
    assert bool(bad.field_violations) == (error.code() is grpc.StatusCode.INVALID_ARGUMENT)
    for violation in bad.field_violations:
        is_whole = info.reason == "MESSAGE_UNREADABLE" and violation.field == "request"
        assert is_whole or any(has_field(kind.DESCRIPTOR, violation.field) for kind in kinds), violation
        assert violation.description
    return info.reason


def has_field(message: Descriptor, path: str) -> bool:
    """Whether a path such as pronunciations[1].ipa leads to a field, or to a oneof, of a message."""
    name, _, rest = path.partition(".")
    found = re.fullmatch(r"(\w+)(\[\d+\])?", name)
    assert found, path
    if found[1] in message.oneofs_by_name:
        return not rest
    field_ = message.fields_by_name.get(found[1])
    return field_ is not None and (not rest or has_field(field_.message_type, rest))


# --- the server between ------------------------------------------------------------------------------------------


class Strangers:
    """Calls one server in every way, and holds what comes of it to what must be so."""

    def __init__(self, server: Any, runner: asyncio.Runner) -> None:
        self.server = server
        self.outcomes = Counter[str]()
        self._runner = runner
        self._channel = runner.run(self._connected())
        self._stub = tts_pb2_grpc.TextToSpeechStub(self._channel)
        self._blocking_channel = grpc.insecure_channel(server.target)
        self._blocking_stub = tts_pb2_grpc.TextToSpeechStub(self._blocking_channel)

    async def _connected(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.server.target)

    def leave(self) -> None:
        self._runner.run(self._channel.close())
        self._blocking_channel.close()

    def ask(self, request: tts_pb2.SynthesizeRequest) -> None:
        """Sends a request to both methods that take one: they agree, but for a reply that is too large."""
        whole, why = self._heard(self._stub.Synthesize, request)
        streamed, why_stream = self._heard(self._stub.SynthesizeStream, request)
        assert why == why_stream or (why == "REPLY_TOO_LARGE" and not why_stream)
        for heard in (whole, streamed):
            if heard is not None:
                check_speech(heard, request.ssml or request.text)
        if whole is not None and streamed is not None and request.HasField("seed"):
            assert whole.timings == streamed.timings
            assert whole.seconds == pytest.approx(streamed.seconds)
        self.outcomes[why or "spoken"] += 1

    def dictate(self, steps: Sequence[tts_pb2.StreamingSynthesizeRequest]) -> None:
        """Sends a text in pieces; by the blocking client, since grpc.aio's hides the status of a call that ends early.

        https://github.com/grpc/grpc/issues/36066
        """

        def collect(_: Any, timeout: float) -> Any:
            return asyncio.to_thread(self._dictated, steps, timeout)

        heard, why = self._heard(collect, None, tts_pb2.StreamingSynthesizeRequest)
        if heard is not None:
            check_speech(heard, "".join(step.text for step in steps))
        self.outcomes[why or "spoken"] += 1

    def _dictated(self, steps: Sequence[tts_pb2.StreamingSynthesizeRequest], timeout: float) -> Heard:
        heard = Heard()
        for message in self._blocking_stub.StreamingSynthesize(iter(steps), timeout=timeout):
            heard.add(message.audio)
        return heard

    def send_bytes(self, method: str, payload: bytes) -> None:
        """Sends bytes that may be no message."""
        call = self._channel.unary_unary(f"{SERVICE}/{method}", None, tts_pb2.SynthesizeResponse.FromString)
        if method == "SynthesizeStream":
            call = self._channel.unary_stream(f"{SERVICE}/{method}", None, tts_pb2.SynthesizeStreamResponse.FromString)
        _, why = self._heard(call, payload)
        assert (why == "MESSAGE_UNREADABLE") == (not is_message(payload))
        self.outcomes[why or "spoken"] += 1

    def _heard(self, call: Callable[..., Any], request: Any, *kinds: type[Message]) -> tuple[Heard | None, str]:
        """Returns what is heard, or else the reason why nothing is."""
        try:
            return self._runner.run(_collected(lambda: call(request, timeout=HANGS_AFTER_SECONDS))), ""
        except grpc.RpcError as error:
            return None, check_refusal(error, tts_pb2.SynthesizeRequest, *kinds)

    def check_end(self, *, spoken: float, refused: float) -> None:
        """Checks that the server speaks on, and that the examples were neither all good nor all bad."""
        assert self.server.unexpected == []
        self.ask(tts_pb2.SynthesizeRequest(text="A plain sentence.", timing_types=[tts_pb2.TIMING_TYPE_WORD]))
        share = self.outcomes["spoken"] / self.outcomes.total()
        assert spoken < share < 1 - refused, self.outcomes


async def _collected(begin: Callable[[], Any]) -> Heard:
    """Makes a call, on the event loop, and puts its messages together."""
    call, heard = begin(), Heard()
    if hasattr(call, "__aiter__"):
        async for message in call:
            heard.add(message)
        return heard
    reply = await call
    if isinstance(reply, Heard):
        return reply
    heard.add(reply)
    return heard


def is_message(payload: bytes) -> bool:
    try:
        tts_pb2.SynthesizeRequest.FromString(payload)
    except DecodeError:
        return False
    return True


@pytest.fixture
def strangers(serving: Callable[..., AbstractAsyncContextManager[Any]]) -> Iterator[Strangers]:
    with asyncio.Runner() as runner:
        context = serving()
        strangers = Strangers(runner.run(context.__aenter__()), runner)
        yield strangers
        strangers.leave()
        runner.run(context.__aexit__(None, None, None))


def test_requests_are_spoken_or_refused_by_field_alike_at_once_and_as_a_stream(strangers: Strangers) -> None:
    @hostile.fuzzing(200)
    @given(REQUESTS)
    def ask(request: tts_pb2.SynthesizeRequest) -> None:
        strangers.ask(request)

    ask()
    strangers.check_end(spoken=0.15, refused=0.2)


def test_texts_in_pieces_are_spoken_or_refused_by_field(strangers: Strangers) -> None:
    @hostile.fuzzing(150)
    @given(conversations())
    def dictate(steps: Iterable[tts_pb2.StreamingSynthesizeRequest]) -> None:
        strangers.dictate(steps)

    dictate()
    strangers.check_end(spoken=0.15, refused=0.1)


# Fields that nobody declared (19, 29, 536870911), of all wire types; and one of our own with a foreign type.
UNKNOWN = [
    b"\x98\x01\x05",
    b"\xe9\x01" + b"\x00" * 8,
    b"\xfa\xff\xff\xff\x0f\x02hi",
    b"\x9d\x01" + b"\x00" * 4,
    b"\x08\x05",
]


@st.composite
def payloads(draw: Any) -> bytes:
    """Bytes of a message: with fields that nobody knows, torn, with bytes changed; or of nothing but chance."""
    payload = draw(REQUESTS).SerializeToString()
    match draw(st.sampled_from(["unknown", "torn", "changed", "chance"])):
        case "unknown":
            parts = [payload, *draw(st.lists(st.sampled_from(UNKNOWN), min_size=1, max_size=3))]
            return b"".join(draw(st.permutations(parts)))
        case "torn":
            return payload[: draw(st.integers(0, len(payload)))]
        case "changed":
            at = draw(st.integers(0, len(payload)))
            return payload[:at] + draw(st.binary(max_size=4)) + payload[at + draw(st.integers(0, 4)) :]
    return draw(st.binary(max_size=60))


@pytest.mark.parametrize("method", ["Synthesize", "SynthesizeStream"])
def test_bytes_are_read_as_a_message_or_refused_as_none(strangers: Strangers, method: str) -> None:
    @hostile.fuzzing(150)
    @given(payloads())
    def send(payload: bytes) -> None:
        strangers.send_bytes(method, payload)

    send()
    assert strangers.outcomes["MESSAGE_UNREADABLE"]
    strangers.check_end(spoken=0.05, refused=0.2)
