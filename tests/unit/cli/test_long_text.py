"""Long texts are cut where speech pauses, spoken one part after another, and timed as one."""

import grpc
import pytest
from google.rpc import error_details_pb2

from phonoscope.cli.long_text import MAX_PART_CHARACTERS, parts_of, stream_in_parts
from phonoscope.client import Client, SpeechOptions
from phonoscope.client.errors import InvalidArgument
from phonoscope.client.types import TimingType


@pytest.fixture
def client(server):
    with Client(server.target) as client:
        yield client


def refusal(reason):
    return grpc.StatusCode.INVALID_ARGUMENT, "no", error_details_pb2.ErrorInfo(reason=reason, domain="phonoscope")


def texts(server):
    return [request.text for request in server.requests("SynthesizeStream")]


class TestPartsOf:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("Some words here.", ["Some words here."]),
            ("It ends. It\ngoes on.\n\nAnd on here.", ["It ends. It\ngoes on.", "And on here."]),
            ("One sentence. Two sentences here", ["One sentence.", "Two sentences here"]),
            ("It is late, says Dr. Smith to us", ["It is late, says Dr.", "Smith to us"]),
            ("The sentence ends. Dr. Smith goes on", ["The sentence ends.", "Dr. Smith goes on"]),
            (
                "今日は雨です。明日も雨です。明後日は雨でしょうか。きっと",
                ["今日は雨です。明日も雨です。明後日は雨でしょうか。", "きっと"],
            ),
            ("one two three four five six seven", ["one two three four five", "six seven"]),
            ("x" * 60, ["x" * 25, "x" * 25, "x" * 10]),
        ],
    )
    def test_a_text_is_cut_at_the_best_place_of_the_second_half(self, text, parts):
        assert [part for _, part in parts_of(text, 25)] == parts

    @pytest.mark.parametrize("text", ["", " \n\n", "word " * 30, "\n\n\n".join("abcdefghijklm"), "  a. b! " * 20])
    def test_parts_are_bounded_in_order_and_leave_nothing_out(self, text):
        parts = list(parts_of(text, 20))
        assert all(0 < len(part) <= 20 and text[at : at + len(part)] == part for at, part in parts)
        assert "".join("".join(part.split()) for _, part in parts) == "".join(text.split())


class TestStreamInParts:
    LONG = f"{'First part. ' * 600}\n\n{'Second part. ' * 200}"

    def test_each_part_is_a_request_and_all_audio_comes_in_order(self, client, server, plain_audio):
        audio = b"".join(chunk.audio for chunk in stream_in_parts(client, self.LONG, SpeechOptions()))
        assert audio == plain_audio * 2
        assert texts(server) == [part.strip() for part in self.LONG.split("\n\n")]
        assert len(self.LONG) > MAX_PART_CHARACTERS

    def test_the_voice_of_the_first_part_speaks_all(self, client, server):
        list(stream_in_parts(client, self.LONG, SpeechOptions(language="auto", seed=3)))
        first, second = server.requests("SynthesizeStream")
        assert (first.speaker_id, first.language, first.seed) == ("", "auto", 3)
        assert (second.speaker_id, second.language, second.seed) == ("en_US-joe-medium", "", 3)

    def test_timings_count_from_the_start_of_the_whole(self, client):
        chunks = stream_in_parts(client, self.LONG, SpeechOptions(timing_types=list(TimingType)))
        timings = [chunk.timings for chunk in chunks]
        words = [word for one in timings for word in one.words]
        at = self.LONG.index("Second")
        assert [word.start_seconds for word in words] == pytest.approx([0.01, 0.15, 0.17, 0.31])
        assert [word.text_span for word in words] == [(0, 5), (6, 11), (at, at + 5), (at + 6, at + 11)]
        assert [p.end_seconds for one in timings for p in one.phonemes] == pytest.approx([0.05, 0.21])
        assert [v.start_seconds for one in timings for v in one.visemes] == pytest.approx([0, 0.01, 0.16, 0.17])
        assert [mark.seconds for one in timings for mark in one.marks] == pytest.approx([0.12, 0.28])

    def test_a_part_that_a_server_finds_too_long_is_halved(self, client, server, plain_audio):
        server.then_fail(*refusal("TEXT_TOO_LONG"))
        chunks = list(stream_in_parts(client, "A few words. " * 20, SpeechOptions()))
        assert b"".join(chunk.audio for chunk in chunks) == plain_audio * 2
        assert [len(text) for text in texts(server)] == [259, 129, 129]

    def test_a_short_text_that_is_too_long_is_refused(self, client, server):
        server.then_fail(*refusal("TEXT_TOO_LONG"))
        with pytest.raises(InvalidArgument):
            list(stream_in_parts(client, "Words.", SpeechOptions()))

    def test_a_part_without_words_is_passed_over(self, client, server, plain_audio):
        server.then_fail(*refusal("TEXT_UNPRONOUNCEABLE"))
        assert b"".join(chunk.audio for chunk in stream_in_parts(client, self.LONG, SpeechOptions())) == plain_audio

    def test_a_text_without_words_is_refused(self, client, server):
        server.then_fail(*refusal("TEXT_UNPRONOUNCEABLE"))
        with pytest.raises(InvalidArgument):
            list(stream_in_parts(client, "* * *", SpeechOptions()))

    def test_another_failure_ends_the_speech(self, client, server, plain_audio):
        server.then_speak(plain_audio)
        server.then_fail(*refusal("SPEED_OUT_OF_RANGE"))
        with pytest.raises(InvalidArgument):
            list(stream_in_parts(client, self.LONG, SpeechOptions()))
