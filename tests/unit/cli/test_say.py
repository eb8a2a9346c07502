"""`phonoscope say` against a real gRPC server."""

import json
import signal

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from phonoscope.cli.say import MAX_UNARY_CHARACTERS


@pytest.mark.parametrize(
    ("flag", "method"),
    [("--stream", "SynthesizeStream"), ("--no-stream", "Synthesize"), ("--speed=1", "Synthesize")],
)
def test_a_sentence_becomes_a_sound_wav_file(say, server, out, plain_audio, flag, method, samples_of):
    result = say("Hello.", "-o", out, flag)
    assert (result.exit_code, result.stdout) == (0, "")
    assert samples_of(str(out)) == (plain_audio, 16_000)
    assert out.stat().st_size == 44 + len(plain_audio)
    assert [request.text for request in server.requests(method)] == ["Hello."]
    assert list(out.parent.iterdir()) == [out]


def test_the_closing_line_tells_seconds_first_audio_factor_and_file(say, out):
    (line,) = say("Hello.", "-o", out, "--stream").stderr.splitlines()
    assert line.startswith(f"{out}: 0.16 s of audio, first audio after 0.")
    assert "real-time factor " in line


def test_options_reach_the_server(say, server, out):
    options = "--voice v:3 --speed 1.5 --pitch 2 --emotion sad --language de --sample-rate 8000 --seed 9"
    more = ("--emotion-intensity", "0.5", "--volume-gain-db", "-3", "--timeout", "7")
    assert say("Hi.", "-o", out, *options.split(), *more).exit_code == 0
    (request,) = server.requests("Synthesize")
    assert (request.speaker_id, request.speed, request.language, request.seed) == ("v:3", 1.5, "de", 9)
    assert (request.pitch, request.emotion, request.emotion_intensity) == (2.0, "sad", 0.5)
    assert (request.audio_config.sample_rate_hertz, request.audio_config.volume_gain_db) == (8000, -3.0)
    assert server.calls[0].seconds_left < 8


def test_emotions_mixed_and_pronunciations_reach_the_server(say, server, out):
    said = ("--pronounce", "tomato=təˈmɑːtoʊ", "--respell", "SQL=sequel", "--respell", "GIF=jif")
    assert say("Hi.", "-o", out, "--emotion-weights", "happy=0.5,sad=0.25", *said).exit_code == 0
    (request,) = server.requests("Synthesize")
    assert dict(request.emotion_weights) == {"happy": 0.5, "sad": 0.25}
    assert [(each.phrase, each.ipa, each.respelling) for each in request.pronunciations] == [
        ("tomato", "təˈmɑːtoʊ", ""),
        ("SQL", "", "sequel"),
        ("GIF", "", "jif"),
    ]


@pytest.mark.parametrize("flag", ["--stream", "--no-stream"])
def test_subtitles_and_timings_are_written_beside_the_audio(say, server, out, tmp_path, flag):
    srt, told = tmp_path / "out.srt", tmp_path / "out.json"
    assert say("Hello there!", "-o", out, "--subtitles", srt, "--timings", told, flag).exit_code == 0
    assert list(server.calls[0].request.timing_types) == [1, 2, 3, 4]
    assert srt.read_text() == "1\n00:00:00,010 --> 00:00:00,160\nHello there!\n\n"
    timings = json.loads(told.read_text())
    assert timings["words"][1] == {"word": "there", "start_seconds": 0.15, "end_seconds": 0.16, "text_span": [6, 11]}
    assert timings["phonemes"] == [{"phoneme": "ˈɑː", "start_seconds": 0.01, "end_seconds": 0.05}]
    assert [viseme["viseme"] for viseme in timings["visemes"]] == ["sil", "pp"]
    assert timings["marks"] == [{"name": "here", "seconds": 0.12}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.srt", "out.wav"]


def test_subtitles_alone_ask_for_words_alone(say, server, out, tmp_path):
    assert say("Hello there!", "-o", out, "--subtitles", tmp_path / "out.VTT").exit_code == 0
    assert list(server.calls[0].request.timing_types) == [1]
    assert (tmp_path / "out.VTT").read_text().startswith("WEBVTT\n\n00:00:00.010 --> 00:00:00.160\nHello there!\n")


def test_who_wants_no_timings_asks_for_none(say, server, out):
    say("Hello.", "-o", out)
    assert list(server.calls[0].request.timing_types) == []


def test_a_server_that_sends_no_timings_leaves_no_file(say, server, out, tmp_path):
    server.timings = ()
    result = say("Hello.", "-o", out, "--subtitles", tmp_path / "out.srt")
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert result.stderr == (
        "phonoscope: the server sent no timings; it may be an older version: omit --subtitles and --timings\n"
    )


def test_a_stream_that_breaks_leaves_no_subtitles(say, server, out, tmp_path):
    (tmp_path / "out.srt").write_text("as before")
    server.then_speak(b"\1\0" * 100, then=server.failure(grpc.StatusCode.INTERNAL, "the engine failed"))
    assert say("Hello.", "-o", out, "--subtitles", tmp_path / "out.srt", "--stream").exit_code == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.srt", "as before")]


@pytest.mark.parametrize("option", ["--subtitles", "--timings"])
def test_a_file_of_timings_that_cannot_be_written_is_named_before_anything_is_asked(
    say, server, out, tmp_path, option
):
    path = tmp_path / "no" / "such.srt"
    result = say("Hello.", "-o", out, option, path)
    assert (result.exit_code, result.stderr) == (1, f"phonoscope: {path}: No such file or directory\n")
    assert (server.calls, list(tmp_path.iterdir())) == ([], [])


def test_the_environment_names_the_server(run, server, out):
    assert run("say", "Hi.", "-o", out, env={"PHONOSCOPE_CLIENT_SERVER": server.target}).exit_code == 0


def test_long_text_is_streamed_by_itself(say, server, out):
    say("a" * MAX_UNARY_CHARACTERS, "-o", out)
    say("a" * (MAX_UNARY_CHARACTERS + 1), "-o", out)
    assert [call.method for call in server.calls] == ["Synthesize", "SynthesizeStream"]


@pytest.mark.parametrize(
    ("speed", "method"), [("0.5", "SynthesizeStream"), ("0", "Synthesize"), ("nan", "Synthesize")]
)
def test_slow_speech_is_long_sooner(say, server, out, speed, method):
    say("a" * MAX_UNARY_CHARACTERS, "-o", out, "--speed", speed)
    assert [call.method for call in server.calls] == [method]


@pytest.mark.parametrize("flags", [[], ["--stream"]])
def test_a_book_is_spoken_in_parts_into_one_file(say, server, out, plain_audio, samples_of, tmp_path, flags):
    book = tmp_path / "book.txt"
    book.write_text("It was a dark and stormy night. " * 370)
    assert say("--file", book, "-o", out, *flags).exit_code == 0
    assert samples_of(str(out)) == (plain_audio * 2, 16_000)
    assert [call.method for call in server.calls] == ["SynthesizeStream"] * 2


@pytest.mark.parametrize("flags", [["--no-stream"], ["--ssml"]])
def test_what_cannot_be_cut_says_what_helps(say, server, out, flags):
    too_long = error_details_pb2.ErrorInfo(reason="TEXT_TOO_LONG", domain="phonoscope")
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "has 11856 characters", too_long)
    told = say("<speak>Long.</speak>", "-o", out, *flags).stderr
    assert "use --stream, which requests plain text in parts; split an SSML document into several files" in told


def test_a_reply_that_is_too_large_says_which_option_helps(say, server, out):
    too_large = error_details_pb2.ErrorInfo(reason="REPLY_TOO_LARGE", domain="phonoscope")
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "makes 5 MiB", too_large)
    assert "makes 5 MiB (REPLY_TOO_LARGE); use --stream" in say("Hello.", "-o", out, "--no-stream").stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (["Hi."], "", "no destination for the audio"),
        (["Hi.", "--file", "x", "-o", "o.wav"], "", "not both"),
        ([" \n", "-o", "o.wav"], "", "blank"),
        (["-o", "o.wav"], "", "blank"),
        (["-o", "o.wav"], b"\xff\xfe\xfa", "not valid UTF-8"),
        (["\ud800", "-o", "o.wav"], "", "not valid UTF-8"),
        (["Hi.", "-o", "o.wav", "--seed", "-1"], "", "--seed"),
        (["Hi.", "-o", "o.wav", "--timeout", "0"], "", "--timeout"),
        (["Hi.", "-o", "o.wav", "--pace", "2"], "", "--pace"),
        (["Hi.", "-o", "o.wav", "--pronounce", "tomato"], "", "--pronounce: 'tomato' is not of the form NAME=VALUE"),
        (["Hi.", "-o", "o.wav", "--respell", "SQL"], "", "for example SQL=sequel"),
        (["Hi.", "-o", "o.wav", "--emotion-weights", "happy"], "", "for example happy=0.6,sad=0.2"),
        (["Hi.", "-o", "o.wav", "--subtitles", "o.txt"], "", "use a file name that ends in .srt or .vtt"),
    ],
)
def test_wrong_usage_is_explained_and_exits_2(say, server, arguments, stdin, complaint):
    result = say(*arguments, input=stdin)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert server.calls == []


def test_a_refusal_is_one_line_with_its_reason_and_leaves_no_file(say, server, out):
    out.write_bytes(b"what was here before")
    server.then_fail(
        grpc.StatusCode.INVALID_ARGUMENT,
        "speed: 9 is over 4; use 4 or less",
        error_details_pb2.ErrorInfo(reason="SPEED_OUT_OF_RANGE", domain="phonoscope"),
    )
    result = say("Hello.", "-o", out, "--speed", "9")
    assert result.exit_code == 1
    assert result.stderr == "phonoscope: speed: 9 is over 4; use 4 or less (SPEED_OUT_OF_RANGE)\n"
    assert out.read_bytes() == b"what was here before"
    assert list(out.parent.iterdir()) == [out]


def test_a_stream_that_breaks_leaves_no_file(say, server, out):
    server.then_speak(b"\1\0" * 100, then=server.failure(grpc.StatusCode.INTERNAL, "the engine failed"))
    result = say("Hello.", "-o", out, "--stream")
    assert result.exit_code == 1
    assert result.stderr == "phonoscope: the engine failed (INTERNAL); see the server's log for the traceback\n"
    assert list(out.parent.iterdir()) == []


def test_a_server_that_stays_full_past_the_timeout_says_when_to_come_back(say, server, out):
    server.then_fail(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "the queue is full",
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2)),
        error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="phonoscope"),
    )
    result = say("Hello.", "-o", out, "--timeout", "1")
    assert "the queue is full (QUEUE_FULL); retry in 2 s" in result.stderr
    assert len(server.calls) == 1


@pytest.mark.parametrize("flag", ["--stream", "--no-stream"])
def test_a_busy_server_is_waited_for(say, server, out, flag):
    server.then_refuse(0.002)
    assert say("Hello.", "-o", out, flag).exit_code == 0
    assert len(server.calls) == 2


def test_a_deadline_that_passes_says_which_option_to_raise(say, server, out):
    server.then_speak(then=server.hold)
    result = say("Hello.", "-o", out, "--timeout", "0.2")
    assert result.exit_code == 1
    assert "--timeout" in result.stderr
    assert server.cancelled.wait(10)


def test_no_server_is_one_line_that_says_what_to_do(run, out):
    result = run("say", "Hello.", "-o", out, "--server", "127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr.startswith("phonoscope: cannot reach a server at 127.0.0.1:1: ")
    assert "phonoscope serve" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_server_that_sends_no_audio_is_an_error(say, server, out):
    server.then_speak()
    result = say("Hello.", "-o", out, "--stream")
    assert (result.exit_code, list(out.parent.iterdir())) == (1, [])
    assert "no audio" in result.stderr


@pytest.mark.parametrize("flag", ["--stream", "--no-stream"])
def test_ctrl_c_cancels_the_call_and_exits_130_without_traceback_or_file(start, server, out, flag):
    server.then_speak(b"\1\0" * 100, then=server.hold)
    process = start("say", "Hello.", "-o", out, flag, "--server", server.target)
    assert server.is_holding.wait(20)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (130, "")
    assert server.cancelled.wait(10)
    assert list(out.parent.iterdir()) == []
