"""The messages of the WebSocket to its client."""

import json
from dataclasses import replace
from http import HTTPStatus

from opentelemetry.sdk.trace import TracerProvider

from phonoscope.client.timings import MarkTiming, PhonemeTiming, VisemeTiming, WordTiming
from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import AudioChunk, Encoding, Timings
from phonoscope.gateway.problems import Problem
from phonoscope.gateway.server_messages import audio, failed, started

FIRST = AudioChunk(b"\1\0" * 4, 24_000, Encoding.FLAC, 0.25, 0, seed=2**64 - 1, request_id="mine", voice="joe:anna")
TIMINGS = Timings(
    (WordTiming("été", 0.1, 0.2, (3, 6)),),
    (PhonemeTiming("e", 0.1, 0.2),),
    (VisemeTiming("sil", 0.0, 0.1),),
    (MarkTiming("here", 0.15),),
)


def test_the_first_message_describes_the_stream() -> None:
    assert started(FIRST) == {
        "type": "started",
        "request_id": "mine",
        "voice": "joe:anna",
        "seed": 2**64 - 1,
        "encoding": "flac",
        "sample_rate_hz": 24_000,
        "trace_id": "",
    }


def test_a_sampled_trace_is_in_the_first_message() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("speech") as span:
        assert started(FIRST)["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_a_chunk_has_its_sequence_and_its_size() -> None:
    chunk = replace(FIRST, sequence=7, audio_seconds=0.5)
    assert audio(chunk, is_timed=False) == {
        "type": "audio",
        "sequence": 7,
        "audio_seconds": 0.5,
        "bytes": 8,
    }


def test_a_chunk_has_its_text_span_if_it_is_known() -> None:
    told = audio(replace(FIRST, text_span=(0, 5)), is_timed=False)
    assert (told["text_start"], told["text_stop"]) == (0, 5)
    assert audio(replace(FIRST, text_span=(0, 0)), is_timed=False)["text_stop"] == 0


def test_requested_timings_are_sent_even_if_they_are_empty() -> None:
    timed = replace(FIRST, timings=TIMINGS)
    assert "timings" not in audio(timed, is_timed=False)
    assert audio(FIRST, is_timed=True)["timings"] == {
        "words": (),
        "phonemes": (),
        "visemes": (),
        "marks": (),
    }
    assert json.loads(json.dumps(audio(timed, is_timed=True)["timings"])) == {
        "words": [{"word": "été", "start_seconds": 0.1, "end_seconds": 0.2, "text_span": [3, 6]}],
        "phonemes": [{"phoneme": "e", "start_seconds": 0.1, "end_seconds": 0.2}],
        "visemes": [{"viseme": "sil", "start_seconds": 0.0, "end_seconds": 0.1}],
        "marks": [{"name": "here", "seconds": 0.15}],
    }


def test_an_error_is_a_problem_whose_type_is_error() -> None:
    violation = FieldViolation("speed", "is 9")
    problem = Problem(HTTPStatus.BAD_REQUEST, "SPEED_OUT_OF_RANGE", "speed: is 9", (violation,), 1.5)
    assert failed(problem) == {
        "type": "error",
        "title": "Bad Request",
        "status": 400,
        "detail": "speed: is 9",
        "reason": "SPEED_OUT_OF_RANGE",
        "errors": [{"field": "speed", "detail": "is 9"}],
        "retry_after": 1.5,
    }


def test_a_chunk_says_why_a_sentence_in_it_has_no_emotion() -> None:
    assert audio(replace(FIRST, emotion_fallback="timeout"), is_timed=False)["emotion_fallback"] == "timeout"
    assert "emotion_fallback" not in audio(FIRST, is_timed=False)
