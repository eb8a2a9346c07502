"""The spans' sink: the tree of a request, links between batches and utterances, and nothing left behind."""

import logging
import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, use_span

from phonoscope.common.span_recorder import SpanRecorder
from phonoscope.server.events import (
    AudioEncoded,
    BatchRan,
    EmotionAnalyzed,
    EmotionSkipped,
    EngineRaised,
    FirstAudio,
    HealthChanged,
    Member,
    Outcome,
    QueueLeft,
    QueueMoved,
    RequestFinished,
    RequestStarted,
    TextRead,
    UtteranceQueued,
    UtteranceSpoken,
)
from phonoscope.server.telemetry.spans import SpanSink

PATH = "phonoscope.tts.v1.TextToSpeech/SynthesizeStream"
ERROR = RuntimeError("said with a secret in it")


class Traced:
    """A sink, calls for it to hang spans under, and what came out."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self.exporter)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(processor)
        self.silent = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
        scope = InstrumentationScope("test")
        self.sink = SpanSink(SpanRecorder(processor.on_end, self.provider.resource, scope, self.provider.id_generator))

    def started(self, request: int = 1, *, is_sampled: bool = True) -> Span:
        """Has a request start in a call of its own; returns the call's span, which is open."""
        tracer = (self.provider if is_sampled else self.silent).get_tracer("test")
        call = tracer.start_span(PATH, Context(), SpanKind.SERVER)
        with use_span(call, end_on_exit=False):
            self.sink(RequestStarted(request, f"id-{request}"))
        return call

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


@pytest.fixture
def traced() -> Traced:
    return Traced()


def finished(outcome: Outcome = "completed", reason: str = "", request: int = 1) -> RequestFinished:
    return RequestFinished(request, f"id-{request}", "joe", "en-US", outcome, reason, 40, 2.0, 0.1, 0.05)


def batch(*members: tuple[int, int], stage: str = "render", began: float | None = None) -> BatchRan:
    began = time.monotonic() if began is None else began
    return BatchRan("joe", stage, tuple(Member(*owner, 0.1) for owner in members), began, 0.1, 0.25)


def spoken(traced: Traced, request: int = 1) -> None:
    """Everything that happens in a request of two utterances, in the order in which it does."""
    sink, began = traced.sink, time.monotonic()
    sink(UtteranceQueued(request, 0, 12))
    sink(QueueLeft(request, "joe", 0.0))
    sink(batch((request, 0), stage="prepare"))
    sink(UtteranceQueued(request, 1, 34))
    sink(TextRead(request, "joe", began, 0.1, 0.2, characters=40, sentences=2, unknown_phonemes=0))
    sink(batch((request, 0)))
    sink(FirstAudio(request, "joe", "stream", 0.05))
    sink(batch((request, 0)))
    sink(UtteranceSpoken(request, 0))
    sink(batch((request, 1), stage="prepare"))
    sink(batch((request, 1)))
    sink(UtteranceSpoken(request, 1))
    sink(AudioEncoded(request, "joe", "mp3", began, time.monotonic(), 0.3))
    sink(finished(request=request))


def test_a_request_becomes_the_tree_that_is_promised(traced: Traced) -> None:
    call = traced.started()
    spoken(traced)
    call.end()
    context = call.get_span_context()
    below = [span for span in traced.spans if span.parent and span.parent.span_id == context.span_id]
    assert sorted(span.name for span in below) == [
        "tts.encode",
        "tts.queue",
        "tts.text",
        "tts.utterance",
        "tts.utterance",
    ]
    assert {span.context.trace_id for span in below} == {context.trace_id}
    roots = [span for span in traced.spans if span.parent is None]
    assert sorted(span.name for span in roots) == [PATH, *["tts.batch"] * 5]
    assert len(traced.spans) == len(below) + len(roots)
    assert len({span.context.span_id for span in traced.spans}) == len(traced.spans)


def test_children_lie_within_their_call_and_each_ends_after_it_began(traced: Traced) -> None:
    call = traced.started()
    spoken(traced)
    call.end()
    parent = traced.one(PATH)
    for span in traced.spans:
        if span.parent:
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time, span.name


def test_batches_lie_within_the_utterances_that_they_make(traced: Traced) -> None:
    traced.started()
    spoken(traced)
    by_id = {span.context.span_id: span for span in traced.spans}
    for made in traced.named("tts.batch"):
        (link,) = made.links
        utterance = by_id[link.context.span_id]
        assert utterance.start_time <= made.start_time <= made.end_time <= utterance.end_time


def test_a_batch_takes_the_time_that_the_engine_took(traced: Traced) -> None:
    traced.started()
    traced.sink(UtteranceQueued(1, 0, 12))
    traced.sink(batch((1, 0), began=time.monotonic() - 5.0))
    made = traced.one("tts.batch")
    assert 5.0 <= (made.end_time - made.start_time) / 1e9 < 60.0


def test_the_wait_in_the_queue_is_as_long_as_it_was(traced: Traced) -> None:
    traced.started()
    traced.sink(QueueLeft(1, "joe", 3.0))
    wait = traced.one("tts.queue")
    assert wait.end_time - wait.start_time == 3_000_000_000


def test_what_is_known_of_a_request_stands_on_its_call(traced: Traced) -> None:
    call = traced.started()
    spoken(traced)
    call.end()
    assert traced.one(PATH).attributes == {
        "tts.request_id": "id-1",
        "tts.voice": "joe",
        "tts.language": "en-US",
        "tts.outcome": "completed",
        "tts.characters": 40,
        "tts.audio_seconds": 2.0,
        "tts.real_time_factor": 0.05,
        "tts.time_to_first_audio": 0.05,
    }


def test_what_is_known_of_its_parts_stands_on_them(traced: Traced) -> None:
    traced.started()
    spoken(traced)
    assert traced.one("tts.text").attributes == {"tts.characters": 40, "tts.sentences": 2}
    assert traced.one("tts.encode").attributes == {"tts.encoding": "mp3", "tts.work_seconds": 0.3}
    assert [span.attributes for span in traced.named("tts.utterance")] == [
        {"tts.utterance.index": 0, "tts.utterance.phonemes": 12},
        {"tts.utterance.index": 1, "tts.utterance.phonemes": 34},
    ]
    prepare, *_ = traced.named("tts.batch")
    assert prepare.attributes == {
        "tts.batch.stage": "prepare",
        "tts.batch.size": 1,
        "tts.batch.padding_ratio": 0.25,
        "tts.voice": "joe",
    }


def test_the_first_audio_is_an_event_of_the_first_utterance(traced: Traced) -> None:
    traced.started()
    spoken(traced)
    first, second = traced.named("tts.utterance")
    (event,) = first.events
    assert (event.name, event.attributes) == ("tts.first_audio", {"tts.time_to_first_audio": 0.05})
    assert first.start_time <= event.timestamp <= first.end_time
    assert second.events == ()


def test_an_utterance_that_is_made_before_it_is_heard_ends_when_it_is_heard(traced: Traced) -> None:
    traced.started()
    traced.sink(UtteranceQueued(1, 0, 12))
    traced.sink(UtteranceSpoken(1, 0))
    traced.sink(FirstAudio(1, "joe", "whole", 0.05))
    traced.sink(finished())
    utterance = traced.one("tts.utterance")
    assert utterance.events[0].timestamp <= utterance.end_time


# --- links -----------------------------------------------------------------------------------------------------


def linked(spans: Sequence[ReadableSpan]) -> dict[int, set[int]]:
    return {span.context.span_id: {link.context.span_id for link in span.links} for span in spans}


def test_batches_and_utterances_of_several_requests_are_linked_both_ways(traced: Traced) -> None:
    for request in (1, 2, 3):
        traced.started(request)
        traced.sink(UtteranceQueued(request, 0, 12))
    traced.sink(UtteranceQueued(1, 1, 12))
    traced.sink(batch((1, 0), (1, 1), (2, 0), stage="prepare"))
    traced.sink(batch((1, 0), (2, 0), (3, 0)))
    for request in (1, 2, 3):
        traced.sink(finished(request=request))
    batches, utterances = traced.named("tts.batch"), traced.named("tts.utterance")
    assert [len(span.links) for span in batches] == [3, 3]
    assert [len(span.links) for span in utterances] == [2, 1, 2, 1]
    there, back = linked(batches), linked(utterances)
    assert {(made, member) for made, members in there.items() for member in members} == {
        (made, member) for member, several in back.items() for made in several
    }
    traces = {span.context.span_id: span.context.trace_id for span in (*batches, *utterances)}
    for span in (*batches, *utterances):
        assert all(traces[link.context.span_id] == link.context.trace_id for link in span.links)
    assert len({span.context.trace_id for span in batches}) == 2  # each a trace of its own


def test_a_batch_of_sampled_and_other_members_links_the_sampled_ones_only(traced: Traced) -> None:
    traced.started(1)
    traced.started(2, is_sampled=False)
    for request in (1, 2):
        traced.sink(UtteranceQueued(request, 0, 12))
    traced.sink(batch((1, 0), (2, 0), (3, 0)))
    traced.sink(finished())
    (utterance,) = traced.named("tts.utterance")
    made = traced.one("tts.batch")
    assert [link.context.span_id for link in made.links] == [utterance.context.span_id]
    assert made.attributes is not None
    assert made.attributes["tts.batch.size"] == 3


def test_links_say_that_what_they_point_to_is_sampled(traced: Traced) -> None:
    traced.started()
    spoken(traced)
    links: list[Link] = [link for span in traced.spans for link in span.links]
    assert links
    assert all(link.context.trace_flags.sampled and link.context.is_valid for link in links)


# --- ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("cancelled", ""), ("failed", "ENGINE_FAILED"), ("failed", "DEADLINE_UNREACHABLE"), ("rejected", "DRAINING")],
)
def test_a_request_that_does_not_complete_ends_all_its_spans(traced: Traced, outcome: Outcome, reason: str) -> None:
    call = traced.started()
    for index in range(3):
        traced.sink(UtteranceQueued(1, index, 12))
    traced.sink(batch((1, 0), stage="prepare"))
    traced.sink(UtteranceSpoken(1, 0))
    traced.sink(finished(outcome, reason))
    call.end()
    assert len(traced.named("tts.utterance")) == 3
    attributes = traced.one(PATH).attributes
    assert attributes is not None
    assert (attributes["tts.outcome"], attributes.get("tts.reason", "")) == (outcome, reason)
    assert traced.sink._requests == {}


def test_an_utterance_that_was_not_made_to_its_end_ends_with_its_request(traced: Traced) -> None:
    traced.started()
    traced.sink(UtteranceQueued(1, 0, 12))
    traced.sink(FirstAudio(1, "joe", "stream", 0.05))
    before = time.time_ns()
    traced.sink(finished("cancelled"))
    assert traced.one("tts.utterance").end_time >= before


def test_a_request_that_is_refused_has_no_spans_below_its_call(traced: Traced) -> None:
    call = traced.started()
    traced.sink(RequestFinished(1, "id-1", "", "", "rejected", "VOICE_UNKNOWN", 40, 0.0, 0.0, None))
    call.end()
    assert [span.name for span in traced.spans] == [PATH]
    attributes = traced.one(PATH).attributes
    assert attributes is not None
    assert "tts.time_to_first_audio" not in attributes
    assert "tts.real_time_factor" not in attributes


def test_a_call_that_a_mixture_spoke_names_it(traced: Traced) -> None:
    call = traced.started()
    traced.sink(RequestFinished(1, "id-1", "af_a", "en", "completed", "", 4, 1.0, 0.1, 0.1, "af_a+af_b"))
    call.end()
    attributes = traced.one(PATH).attributes
    assert attributes is not None
    assert (attributes["tts.voice"], attributes["tts.mixture"]) == ("af_a", "af_a+af_b")


def test_a_batch_that_the_engine_raised_on_is_an_error_with_the_kind_and_not_the_words(traced: Traced) -> None:
    traced.started()
    traced.sink(UtteranceQueued(1, 0, 12))
    traced.sink(EngineRaised("joe", "render", (Member(1, 0, 0.1),), time.monotonic(), ERROR))
    traced.sink(finished("failed", "ENGINE_FAILED"))
    failed = traced.one("tts.batch")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description == "RuntimeError"
    assert [link.context.span_id for link in failed.links] == [traced.one("tts.utterance").context.span_id]
    assert traced.one("tts.utterance").links[0].context.span_id == failed.context.span_id
    assert not [span for span in traced.spans if "secret" in span.to_json()]


def test_a_batch_that_went_well_has_no_status(traced: Traced) -> None:
    traced.started()
    spoken(traced)
    assert {span.status.status_code for span in traced.spans} == {StatusCode.UNSET}


# --- what makes nothing ----------------------------------------------------------------------------------------


def test_a_request_that_is_not_sampled_makes_nothing_and_keeps_nothing(traced: Traced) -> None:
    traced.started(is_sampled=False)
    spoken(traced)
    assert traced.spans == ()
    assert traced.sink._requests == {}


def test_a_request_outside_any_call_makes_nothing(traced: Traced) -> None:
    traced.sink(RequestStarted(1, "id-1"))
    spoken(traced)
    assert traced.spans == ()


def test_what_comes_after_a_request_has_ended_makes_nothing(traced: Traced) -> None:
    """The engine ends its batch although the caller has left."""
    traced.started()
    spoken(traced)
    before = len(traced.spans)
    traced.sink(batch((1, 0)))
    traced.sink(UtteranceSpoken(1, 1))
    traced.sink(UtteranceQueued(1, 2, 12))
    assert len(traced.spans) == before
    assert traced.sink._requests == {}


def test_events_of_no_request_are_let_pass(traced: Traced) -> None:
    traced.started()
    for event in (QueueMoved(1, 2.0), HealthChanged("", is_serving=True)):
        traced.sink(event)
    assert traced.spans == ()


def test_nothing_is_kept_of_many_requests(traced: Traced) -> None:
    for request in range(100):
        call = traced.started(request, is_sampled=request % 2 == 0)
        spoken(traced, request)
        call.end()
    assert traced.sink._requests == {}
    assert len(traced.named(PATH)) == 50
    assert len(traced.named("tts.utterance")) == 100


def test_batches_on_another_thread_may_end_while_their_requests_do(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """No pauses: the two threads run into each other in as many ways as they can."""
    rounds, errors = 2000, list[BaseException]()
    current = [0]
    is_over = threading.Event()

    def engine() -> None:
        try:
            while not is_over.is_set():
                request = current[0]
                traced.sink(batch((request, 0), (request - 1, 0)))
                traced.sink(UtteranceSpoken(request, 0))
                traced.sink(QueueLeft(request, "joe", 0.0))
        except BaseException as error:  # noqa: BLE001  it is looked at below
            errors.append(error)

    thread = threading.Thread(target=engine)
    with caplog.at_level(logging.DEBUG):
        thread.start()
        for request in range(1, rounds):
            call = traced.started(request)
            traced.sink(UtteranceQueued(request, 0, 12))
            current[0] = request
            traced.sink(FirstAudio(request, "joe", "stream", 0.1))
            traced.sink(finished("cancelled", request=request))
            call.end()
        is_over.set()
        thread.join()
    assert errors == []
    assert caplog.messages == []
    assert traced.sink._requests == {}
    assert len(traced.named("tts.utterance")) == rounds - 1
    known = {span.context.span_id for span in traced.named("tts.utterance")}
    assert all(link.context.span_id in known for made in traced.named("tts.batch") for link in made.links)


def test_a_sentence_that_is_neutral_for_want_of_an_answer_is_an_event_of_its_call(traced: Traced) -> None:
    call = traced.started()
    traced.sink(EmotionAnalyzed(1, None, 0.01))
    traced.sink(EmotionAnalyzed(1, "timeout", 0.05))
    traced.sink(EmotionSkipped(1))
    spoken(traced)
    call.end()
    span = traced.one(PATH)
    reasons = [event.attributes["tts.emotion.fallback"] for event in span.events if event.attributes]
    assert reasons == ["timeout", "circuit_open"]
    assert span.attributes is not None
    assert span.attributes["tts.emotion.fallback"] == "circuit_open"
