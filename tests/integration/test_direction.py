"""A voice that is directed, over gRPC: SSML, pronunciations, timings, and the server's own lexicon."""

from pathlib import Path

import grpc
import numpy as np
import pytest

from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc

RATE = 22_050
ALL = tuple(tts_pb2.TimingType.values()[1:])
SSML = (
    '<speak>One <prosody rate="50%" volume="-6dB">two</prosody> three. <break time="250ms"/><mark name="here"/>'
    "Four five.</speak>"
)


@pytest.fixture
def stub(channel):
    return tts_pb2_grpc.TextToSpeechStub(channel)


def request(**fields) -> tts_pb2.SynthesizeRequest:
    return tts_pb2.SynthesizeRequest(**({"seed": 3, "speaker_id": "tone"} | fields))


def samples(audio: bytes) -> np.ndarray:
    return np.frombuffer(audio, "<i2")


async def streamed(stub, asked: tts_pb2.SynthesizeRequest) -> tuple[bytes, tts_pb2.Timings, list[float]]:
    """The audio of a stream, its timings joined, and how late each came: begin of the sound to end of its message."""
    audio, timings, lateness, heard = b"", tts_pb2.Timings(), [], 0.0
    async for message in stub.SynthesizeStream(asked):
        heard += message.audio_seconds
        audio += message.audio_data
        timings.MergeFrom(message.timings)
        lateness += [heard - word.start_seconds for word in message.timings.words]
    return audio, timings, lateness


async def test_a_stream_says_the_same_as_a_whole_reply_at_the_same_times(stub):
    whole = await stub.Synthesize(request(ssml=SSML, timing_types=ALL))
    audio, timings, lateness = await streamed(stub, request(ssml=SSML, timing_types=ALL))
    assert audio == whole.audio_data
    assert timings == whole.timings
    assert [word.word for word in timings.words] == ["One", "two", "three", "Four", "five"]
    assert min(lateness) > 0, "no word is told of after its sound"


@pytest.mark.parametrize("encoding", ["LINEAR16", "FLAC"])
async def test_a_mark_behind_the_last_word_is_reported_in_streams_too(stub, encoding: str):
    asked = request(
        ssml='<speak>One. Two.<mark name="end"/></speak>',
        timing_types=[tts_pb2.TIMING_TYPE_MARK],
        audio_config=tts_pb2.AudioConfig(encoding=f"AUDIO_ENCODING_{encoding}"),
    )
    whole = await stub.Synthesize(asked)
    audio, timings, _ = await streamed(stub, asked)
    assert timings == whole.timings
    assert [(mark.name, mark.seconds) for mark in timings.marks] == [("end", pytest.approx(whole.audio_seconds))]
    assert bool(audio)


async def test_timings_are_there_only_where_they_are_asked_for(stub):
    plain = await stub.Synthesize(request(text="One two."))
    assert not plain.HasField("timings")
    words = await stub.Synthesize(request(text="One two.", timing_types=[tts_pb2.TIMING_TYPE_WORD]))
    assert words.audio_data == plain.audio_data
    assert [word.word for word in words.timings.words] == ["One", "two"]
    assert {field.name for field, _ in words.timings.ListFields()} == {"words"}


async def test_words_are_where_they_sound_and_where_they_are_written(stub):
    text = "Ab, cde!  F."
    reply = await stub.Synthesize(request(text=text, timing_types=[tts_pb2.TIMING_TYPE_WORD]))
    loud = np.abs(samples(reply.audio_data)) > 1_000
    for word in reply.timings.words:
        assert text[word.text_span.start : word.text_span.stop] == word.word
        middle = int((word.start_seconds + word.end_seconds) / 2 * RATE)
        assert loud[middle - 500 : middle + 500].any()
    ends = [word.end_seconds for word in reply.timings.words]
    after_comma = slice(int(ends[0] * RATE) + 600, int(reply.timings.words[1].start_seconds * RATE) - 600)
    assert not loud[after_comma].any()


async def test_a_break_is_as_long_as_asked_and_a_mark_is_behind_it(stub):
    def document(milliseconds: int) -> str:
        return f'<speak>One.<break time="{milliseconds}ms"/><mark name="here"/>Two.<break time="100ms"/></speak>'

    asked = {"timing_types": [tts_pb2.TIMING_TYPE_MARK, tts_pb2.TIMING_TYPE_WORD]}
    short, long = [await stub.Synthesize(request(ssml=document(ms), **asked)) for ms in (1, 501)]
    more = len(samples(long.audio_data)) - len(samples(short.audio_data))
    assert abs(more - RATE // 2) <= 1
    [mark] = long.timings.marks
    assert mark.name == "here"
    at = int(mark.seconds * RATE)
    assert not samples(long.audio_data)[at - RATE // 2 : at].any()
    assert 0 <= long.timings.words[1].start_seconds - mark.seconds < 0.1
    assert not samples(long.audio_data)[-RATE // 10 :].any()


async def test_a_part_is_slower_and_softer_and_the_rest_is_not(stub):
    asked = {"timing_types": [tts_pb2.TIMING_TYPE_WORD]}
    plain = await stub.Synthesize(request(ssml="<speak>aaaa bbbb cccc.</speak>", **asked))
    shaped = await stub.Synthesize(
        request(ssml='<speak>aaaa <prosody rate="50%" volume="-12dB">bbbb</prosody> cccc.</speak>', **asked)
    )
    lengths = [[w.end_seconds - w.start_seconds for w in reply.timings.words] for reply in (plain, shaped)]
    assert [b / a for a, b in zip(*lengths, strict=True)] == pytest.approx([1, 2, 1], rel=0.12)

    def level(reply, word) -> float:
        inner = (word.end_seconds - word.start_seconds) / 4
        part = samples(reply.audio_data)[
            int((word.start_seconds + inner) * RATE) : int((word.end_seconds - inner) * RATE)
        ]
        return float(np.sqrt(np.mean(part.astype(float) ** 2)))

    levels = [[level(reply, word) for word in reply.timings.words] for reply in (plain, shaped)]
    assert [20 * np.log10(b / a) for a, b in zip(*levels, strict=True)] == pytest.approx([0, -12, 0], abs=1)


async def test_pitch_in_hertz_counts_by_the_voice_that_says_it(stub):
    def document(pitch: str) -> str:
        return f'<speak>aaaa <prosody pitch="{pitch}">bbbb cccc dddd</prosody></speak>'

    low, high, plain = [
        samples((await stub.Synthesize(request(ssml=document(pitch)))).audio_data)
        for pitch in ("-10Hz", "+10Hz", "+0Hz")
    ]
    assert len(low) == len(high) == len(plain)
    assert not np.array_equal(low, plain)
    assert not np.array_equal(low, high)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Synthesize(request(ssml=document("999Hz")))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "line 1, column" in caught.value.details()


async def test_two_speakers_of_one_document_are_heard_at_one_rate(stub):
    ssml = '<speak>One.<voice name="ton:zwei">Zwei.</voice>Three.</speak>'
    reply = await stub.Synthesize(request(ssml=ssml, timing_types=[tts_pb2.TIMING_TYPE_WORD]))
    assert reply.sample_rate == RATE
    assert [word.word for word in reply.timings.words] == ["One", "Zwei", "Three"]
    alone = [
        await stub.Synthesize(request(ssml=f"<speak>{part}</speak>"))
        for part in ("One.", '<voice name="ton:zwei">Zwei.</voice>', "Three.")
    ]
    assert reply.audio_seconds == pytest.approx(sum(one.audio_seconds for one in alone), abs=0.1)
    assert reply.timings.words[1].start_seconds == pytest.approx(alone[0].audio_seconds, abs=0.1)


async def test_a_word_is_said_as_the_request_has_it(stub):
    respelled = tts_pb2.Pronunciation(phrase="k8s", respelling="kubernetes")
    reply = await stub.Synthesize(
        request(text="My k8s runs.", pronunciations=[respelled], timing_types=[tts_pb2.TIMING_TYPE_WORD])
    )
    written = await stub.Synthesize(request(text="My kubernetes runs."))
    assert reply.audio_data == written.audio_data
    assert [word.word for word in reply.timings.words] == ["My", "k8s", "runs"]


async def test_pieces_are_timed_over_the_whole_text(stub):
    async def steps():
        asked = request(timing_types=[tts_pb2.TIMING_TYPE_WORD])
        yield tts_pb2.StreamingSynthesizeRequest(settings=asked)
        for piece in ("One two", " three. ", "Four", " five."):
            yield tts_pb2.StreamingSynthesizeRequest(text=piece)

    text = "One two three. Four five."
    words, seconds = [], 0.0
    async for message in stub.StreamingSynthesize(steps()):
        words += message.audio.timings.words
        seconds += message.audio.audio_seconds
    assert [text[word.text_span.start : word.text_span.stop] for word in words] == text.replace(".", "").split()
    starts = [word.start_seconds for word in words]
    assert starts == sorted(starts)
    assert words[-1].end_seconds <= seconds


@pytest.mark.parametrize(
    ("fields", "field", "place"),
    [
        ({"ssml": "<speak>\n <audio/></speak>"}, "ssml", "line 2, column 2: <audio> is not supported"),
        ({"ssml": '<speak><break time="1s"/></speak>'}, "ssml", "contains nothing to speak"),
        ({"ssml": f"<speak>{'abcdefghi ' * 400}</speak>"}, "ssml", "results in at least"),
        ({"ssml": "<speak>a", "text": "b"}, "ssml", "cannot be combined with text"),
        (
            {"text": "a", "pronunciations": [tts_pb2.Pronunciation(phrase="a", ipa="a"), tts_pb2.Pronunciation()]},
            "pronunciations[1].phrase",
            "contains no word",
        ),
        (
            {"text": "a", "timing_types": ALL, "audio_config": {"encoding": "AUDIO_ENCODING_MP3"}},
            "timing_types",
            "are not supported with MP3",
        ),
        ({"text": "a", "timing_types": [0]}, "timing_types", "'unspecified' is unknown"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(stub, fields, field, place):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Synthesize(request(**fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"{field}: {place}" in str(caught.value.details())


async def test_a_changed_lexicon_counts_from_the_next_request_on(tmp_path: Path, serving):
    path = tmp_path / "en.pls"

    def write(alias: str) -> None:
        lexeme = f"<lexeme><grapheme>gif</grapheme><alias>{alias}</alias></lexeme>"
        path.write_text(f'<lexicon xml:lang="en">{lexeme}</lexicon>')

    write("jif")
    async with serving(lexicons=[path]) as server, grpc.aio.insecure_channel(server.target) as channel:
        stub = tts_pb2_grpc.TextToSpeechStub(channel)

        async def says(text: str) -> bytes:
            return (await stub.Synthesize(request(text=text))).audio_data

        assert await says("A gif.") == await says("A jif.")
        write("graphic")
        assert await says("A gif.") == await says("A graphic.")
        path.write_text("torn")
        assert await says("A gif.") == await says("A graphic.")
