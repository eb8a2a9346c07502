"""The blocking client against a real gRPC server."""

import contextlib
import threading
import traceback
from types import FrameType

import grpc
import pytest

from phonoscope.client import (
    FLUSH,
    Cancelled,
    Client,
    Encoding,
    Gender,
    InvalidArgument,
    MarkTiming,
    PhonemeTiming,
    Pronunciation,
    ResourceExhausted,
    Timings,
    TimingType,
    Unavailable,
    Unimplemented,
    VisemeTiming,
    WordTiming,
)


@pytest.fixture
def client(server):
    with Client(server.target) as client:
        yield client


BUSY_SECONDS = 0.002


def test_synthesize_returns_the_whole_speech(client, plain_audio):
    speech = client.synthesize("Hello.", seed=7, request_id="mine", voice="joe")
    assert speech.audio == plain_audio
    assert speech.audio_seconds == pytest.approx(0.16)
    assert (speech.sample_rate_hz, speech.encoding) == (16_000, Encoding.LINEAR16)
    assert (speech.seed, speech.request_id, speech.voice) == (7, "mine", "joe")


def test_every_option_reaches_the_server(client, server):
    client.synthesize(
        "Hello.",
        voice="v:3",
        speed=1.5,
        pitch=2.0,
        emotion="happy",
        emotion_intensity=0.5,
        language="de",
        encoding=Encoding.MP3,
        sample_rate_hz=8000,
        volume_gain_db=-6.0,
        seed=0,
        request_id="r",
    )
    (request,) = server.requests("Synthesize")
    assert (request.text, request.speaker_id, request.speed, request.pitch) == ("Hello.", "v:3", 1.5, 2.0)
    assert (request.emotion, request.language, request.request_id) == ("happy", "de", "r")
    assert request.emotion_intensity == 0.5
    assert (request.audio_config.encoding, request.audio_config.sample_rate_hertz) == (5, 8000)
    assert request.audio_config.volume_gain_db == -6.0
    assert request.HasField("seed")
    assert request.seed == 0


def test_no_option_means_the_neutral_request(client, server):
    client.synthesize("Hello.")
    (request,) = server.requests("Synthesize")
    assert (request.speed, request.pitch, request.emotion, request.speaker_id) == (1.0, 1.0, "", "")
    assert not request.HasField("seed")


def test_ssml_goes_in_place_of_a_text(client, server):
    client.synthesize(ssml="<speak>Hello.</speak>")
    list(client.stream(ssml="<speak>Hello.</speak>"))
    for method in ("Synthesize", "SynthesizeStream"):
        (request,) = server.requests(method)
        assert (request.text, request.ssml) == ("", "<speak>Hello.</speak>")


def test_a_pronunciation_is_sent_by_ipa_or_by_respelling(client, server):
    said = [Pronunciation("tomato", ipa="təˈmɑːtoʊ"), Pronunciation("SQL", respelling="sequel"), Pronunciation("x")]
    client.synthesize("Hello.", pronunciations=said)
    (request,) = server.requests("Synthesize")
    sent = [(each.phrase, each.WhichOneof("spoken"), each.ipa or each.respelling) for each in request.pronunciations]
    assert sent == [("tomato", "ipa", "təˈmɑːtoʊ"), ("SQL", "respelling", "sequel"), ("x", None, "")]


def test_a_pronunciation_by_both_cannot_be_sent(client, server):
    with pytest.raises(ValueError, match="'SQL' has both ipa and respelling"):
        client.synthesize("Hello.", pronunciations=[Pronunciation("SQL", ipa="a", respelling="b")])
    assert server.calls == []


def test_timings_of_every_kind_come_with_a_whole_speech(client, server):
    speech = client.synthesize("Hello there", timing_types=TimingType)
    assert list(server.requests("Synthesize")[0].timing_types) == [1, 2, 3, 4]
    assert speech.timings == Timings(
        words=(WordTiming("Hello", 0.01, 0.08, (0, 5)), WordTiming("there", 0.15, 0.16, (6, 11))),
        phonemes=(PhonemeTiming("ˈɑː", 0.01, 0.05),),
        visemes=(VisemeTiming("sil", 0.0, 0.01), VisemeTiming("pp", 0.01, 0.05)),
        marks=(MarkTiming("here", 0.12),),
    )


def test_timings_come_with_the_chunk_in_which_they_begin(client):
    chunks = list(client.stream("Hello there", timing_types={TimingType.WORD, TimingType.MARK}))
    assert [[word.word for word in chunk.timings.words] for chunk in chunks] == [["Hello"], [], ["there"]]
    assert [len(chunk.timings.marks) for chunk in chunks] == [0, 1, 0]
    whole = client.synthesize("Hello there", timing_types=TimingType)
    assert chunks[0].timings + chunks[1].timings + chunks[2].timings == whole.timings


def test_timings_come_with_pieces_too(client, server):
    chunks = list(client.stream_pieces(["Hello ", "there"], timing_types=[TimingType.WORD]))
    assert list(server.requests("StreamingSynthesize")[0][0].timing_types) == [1]
    assert chunks[0].timings.words == (WordTiming("Hello", 0.01, 0.08, (0, 5)),)


def test_nothing_is_timed_that_was_not_asked_for(client):
    assert not client.synthesize("Hello.").timings
    assert not any(chunk.timings for chunk in client.stream("Hello."))


def test_an_unknown_option_is_a_type_error(client):
    with pytest.raises(TypeError, match="pace"):
        client.synthesize("Hello.", pace=2.0)


def test_a_reply_of_four_mebibytes_of_audio_is_received(client, server):
    server.then_speak(bytes(4 * 1024 * 1024))
    assert len(client.synthesize("Long.").audio) == 4 * 1024 * 1024


def test_stream_yields_every_chunk_in_order(client, plain_audio):
    chunks = list(client.stream("Hello."))
    assert b"".join(chunk.audio for chunk in chunks) == plain_audio
    assert [chunk.sequence for chunk in chunks] == [0, 1, 2]
    assert (chunks[0].seed, chunks[0].request_id, chunks[0].voice) == (42, "made-by-server", "en_US-joe-medium")
    assert (chunks[1].seed, chunks[1].request_id, chunks[1].voice) == (None, "", "")


def test_pieces_are_sent_as_they_are_and_each_chunk_says_what_it_speaks(client, server, plain_audio):
    pieces = ["Hel", "", FLUSH, "lo."]
    chunks = list(client.stream_pieces(pieces, voice="en_US-joe-medium", seed=7, encoding=Encoding.WAV))
    [(settings, steps)] = server.requests("StreamingSynthesize")
    assert (settings.text, settings.speaker_id, settings.seed) == ("", "en_US-joe-medium", 7)
    assert steps == ["Hel", "text", "flush", "lo."]
    assert b"".join(chunk.audio for chunk in chunks) == plain_audio
    assert [chunk.text_span for chunk in chunks] == [(0, 3), (3, 3), (3, 3)]
    assert [(chunk.sequence, chunk.encoding) for chunk in chunks] == [(n, Encoding.WAV) for n in range(3)]


def test_what_the_pieces_raise_ends_the_call_and_is_raised(client, server):
    server.then_speak(b"\0\0", then=server.hold)

    def pieces():
        yield "Hel"
        raise ValueError("the model is gone")

    with pytest.raises(ValueError, match="the model is gone"):
        list(client.stream_pieces(pieces()))


def test_a_refusal_of_pieces_is_typed(client, server):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no text")
    with pytest.raises(InvalidArgument, match="no text"):
        list(client.stream_pieces(["a"]))


def test_closing_a_stream_early_cancels_it_on_the_server(client, server):
    server.then_speak(b"\0\0", then=server.hold)
    with contextlib.closing(client.stream("Hello.")) as chunks:
        assert next(chunks).audio == b"\0\0"
        assert server.is_holding.wait(10)
        assert not server.cancelled.is_set()
    assert server.cancelled.wait(10)


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), lambda c: next(c.stream("x"))])
def test_ctrl_c_cancels_the_call_on_the_server(client, server, call, interrupted_when):
    def waits_for_grpc(frame: FrameType | None) -> bool:
        is_within = any(within.f_code.co_name in {"result", "__next__"} for within, _ in traceback.walk_stack(frame))
        return is_within and server.is_holding.is_set()

    server.then_speak(then=server.hold)
    with interrupted_when(waits_for_grpc), pytest.raises(KeyboardInterrupt) as caught:
        call(client)
    assert server.cancelled.wait(10)
    assert caught.value.__traceback__ is not None  # it keeps the call alive: only an explicit cancel ends it


def test_pieces_that_come_after_the_refusal_are_sent_by_the_next_attempt(client, server, plain_audio):
    server.then_refuse(BUSY_SECONDS)

    def pieces():
        server.wait_for_calls(2)
        yield from ("Hel", "lo", ".")

    assert b"".join(chunk.audio for chunk in client.stream_pieces(pieces(), voice="joe")) == plain_audio
    (refused, nothing), (settings, steps) = server.requests("StreamingSynthesize")
    assert refused == settings
    assert (nothing, steps) == ([], ["Hel", "lo", "."])


def test_pieces_of_which_one_was_sent_are_not_sent_again(client, server):
    server.then_speak(then=server.refusal(BUSY_SECONDS))  # once it has read a piece
    with pytest.raises(ResourceExhausted):
        list(client.stream_pieces(["Hel", "lo."]))
    assert len(server.calls) == 1


def test_what_the_pieces_raise_after_the_refusal_is_raised(client, server):
    server.then_refuse(BUSY_SECONDS)

    def pieces():
        server.wait_for_calls(2)
        raise ValueError("the model is gone")
        yield

    with pytest.raises(ValueError, match="the model is gone"):
        list(client.stream_pieces(pieces()))


def test_all_calls_share_one_connection(client, server):
    client.synthesize("Hello.")
    list(client.stream("Hello."))
    client.voices()
    assert len({call.peer for call in server.calls}) == 1


def test_voices_are_listed_default_first_and_by_language(client):
    first, second = client.voices()
    assert (first.id, first.is_default, first.quality, first.speakers) == ("en_US-joe-medium", True, "medium", ())
    assert (second.speakers, second.sample_rate_hz) == (("anna", "bert"), 22050)
    assert [voice.id for voice in client.voices("de")] == ["de_DE-mls-medium"]


def test_voices_are_listed_by_gender_and_engine_and_say_what_their_maker_states(client):
    assert [(voice.gender, voice.grade) for voice in client.voices()] == [("", ""), ("female", "C+")]
    assert [voice.id for voice in client.voices(gender=Gender.FEMALE)] == ["de_DE-mls-medium"]
    assert [voice.id for voice in client.voices(engine="vits")] == ["en_US-joe-medium"]
    assert client.voices("de", gender=Gender.MALE) == ()


def test_health_names_the_status_of_a_service(client, server):
    assert client.health() == "SERVING"
    server.set_health("NOT_SERVING", "speech")
    assert client.health("speech") == "NOT_SERVING"
    assert client.health("no-such-service") == "SERVICE_UNKNOWN"


def test_watch_health_yields_each_change(client, server):
    statuses = client.watch_health()
    assert next(statuses) == "SERVING"
    server.set_health("NOT_SERVING")
    assert next(statuses) == "NOT_SERVING"
    statuses.close()


def test_a_server_that_is_not_there_is_unavailable_without_a_reason():
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable) as caught:
        client.health()
    assert caught.value.reason == ""
    assert "127.0.0.1:1" in str(caught.value)


def test_grpc_itself_does_not_show_in_the_traceback(client, server):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no")
    with pytest.raises(InvalidArgument) as caught:
        client.synthesize("Hello.")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_closing_the_client_cancels_the_streams_of_other_threads(server):
    server.then_speak(b"\0\0", then=server.hold)
    client = Client(server.target)
    raised: list[Exception] = []

    def listen() -> None:
        try:
            list(client.stream("Hello."))
        except Cancelled as error:
            raised.append(error)

    listener = threading.Thread(target=listen)
    listener.start()
    assert server.is_holding.wait(10)
    client.close()
    listener.join(10)
    assert len(raised) == 1


def test_pitch_that_is_not_served_is_unimplemented(client, server):
    server.then_fail(grpc.StatusCode.UNIMPLEMENTED, "pitch is not served yet")
    with pytest.raises(Unimplemented, match="pitch"):
        client.synthesize("Hello.", pitch=2.0)
