"""The span sink: the stages of a request, as children of its call's SERVER span. Built by `pipeline.py`.

    phonoscope.tts.v1.TextToSpeech/SynthesizeStream    from common/call_spans.py
    ├ tts.recording     the check of a recording that the request brought
    ├ tts.text          sentences and phonemes
    ├ tts.queue         admission to the first batch
    ├ tts.utterance     one for each sentence; event tts.first_audio
    │    ⇄ links ⇄      tts.batch: a root of its own, linked to every member, each member linked back
    └ tts.encode

Events come from the event loop and from the engine thread. Spans are recorded when they end; until then only
their ids and times are stored. Requests whose call is not sampled cost one dictionary lookup. docs/tracing.md lists
the attributes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, get_current_span

from phonoscope.common import span_attributes as names
from phonoscope.common.span_recorder import NO_STATUS, SpanRecorder
from phonoscope.server.events import (
    AudioEncoded,
    BatchRan,
    EmotionAnalyzed,
    EmotionSkipped,
    EngineRaised,
    Event,
    FirstAudio,
    QueueLeft,
    RecordingChecked,
    RequestFinished,
    RequestStarted,
    TextRead,
    UtteranceQueued,
    UtteranceSpoken,
)

_OfRequest = (
    RecordingChecked
    | EmotionAnalyzed
    | EmotionSkipped
    | TextRead
    | QueueLeft
    | UtteranceQueued
    | UtteranceSpoken
    | FirstAudio
    | AudioEncoded
    | RequestFinished
)


@dataclass(slots=True)
class _Utterance:
    """An utterance's span until it is recorded."""

    context: SpanContext
    symbols: int
    began_ns: int = field(default_factory=time.time_ns)
    ended_ns: int | None = None
    batches: list[Link] = field(default_factory=list)
    events: list[SpanEvent] = field(default_factory=list)


@dataclass(slots=True)
class _Traced:
    """One sampled request."""

    call: Span
    parent: SpanContext
    utterances: dict[int, _Utterance] = field(default_factory=dict)


class SpanSink:
    """Records events as spans.

    Args:
        recorder: receives finished spans.
    """

    def __init__(self, recorder: SpanRecorder) -> None:
        self._recorder = recorder
        self._requests: dict[int, _Traced] = {}
        of_traced: dict[type, Callable[[Any, _Traced], None]] = {
            RecordingChecked: self._recording,
            TextRead: self._text,
            EmotionAnalyzed: self._emotion,
            EmotionSkipped: self._emotion,
            QueueLeft: self._queue,
            UtteranceQueued: self._begin_utterance,
            UtteranceSpoken: self._end_utterance,
            FirstAudio: self._first_audio,
            AudioEncoded: self._encoding,
            RequestFinished: self._finish,
        }
        self._takers: dict[type, Callable[[Any], None]] = {
            RequestStarted: self._start,
            BatchRan: self._batch,
            EngineRaised: self._batch,
            **{kind: partial(self._follow, take) for kind, take in of_traced.items()},
        }

    def __call__(self, event: Event) -> None:
        """Takes an event of the core."""
        if take := self._takers.get(type(event)):
            take(event)

    def _start(self, event: RequestStarted) -> None:
        call = get_current_span()
        if call.is_recording():
            self._requests[event.request] = _Traced(call, call.get_span_context())

    def _follow(self, take: Callable[[Any, _Traced], None], event: _OfRequest) -> None:
        """Passes an event of one request on with what is known of it, if its call is sampled."""
        if traced := self._requests.get(event.request):
            take(event, traced)

    def _recording(self, event: RecordingChecked, traced: _Traced) -> None:
        now = time.time_ns()
        facts: Mapping[str, str | float] = {
            names.RECORDING_OUTCOME: event.outcome,
            names.RECORDING_SECONDS: event.audio_seconds,
        }
        self._past(traced, names.RECORDING_SPAN, now - round(event.seconds * 1e9), now, facts)

    def _text(self, event: TextRead, traced: _Traced) -> None:
        facts = {names.CHARACTERS: event.characters, names.SENTENCES: event.sentences}
        self._past(traced, names.TEXT_SPAN, _epoch_ns(event.began), time.time_ns(), facts)

    def _emotion(self, event: EmotionAnalyzed | EmotionSkipped, traced: _Traced) -> None:
        """Adds an event to the SERVER span for a sentence that is neutral because there was no answer."""
        reason = "circuit_open" if isinstance(event, EmotionSkipped) else event.fallback
        if reason is not None:
            traced.call.add_event(names.EMOTION_FALLBACK_EVENT, {names.EMOTION_FALLBACK: reason})
            traced.call.set_attribute(names.EMOTION_FALLBACK, reason)

    def _queue(self, event: QueueLeft, traced: _Traced) -> None:
        now = time.time_ns()
        self._past(traced, names.QUEUE_SPAN, now - round(event.seconds * 1e9), now, {})

    def _encoding(self, event: AudioEncoded, traced: _Traced) -> None:
        facts: Mapping[str, str | float] = {names.ENCODING: event.encoding, names.WORK_SECONDS: event.seconds}
        self._past(traced, names.ENCODE_SPAN, _epoch_ns(event.began), _epoch_ns(event.ended), facts)

    def _past(
        self, traced: _Traced, name: str, began_ns: int, ended_ns: int, facts: Mapping[str, str | int | float]
    ) -> None:
        context = self._recorder.child(traced.parent)
        self._recorder.record(name, context, traced.parent, began_ns, ended_ns, facts)

    def _begin_utterance(self, event: UtteranceQueued, traced: _Traced) -> None:
        traced.utterances[event.index] = _Utterance(self._recorder.child(traced.parent), event.symbols)

    def _end_utterance(self, event: UtteranceSpoken, traced: _Traced) -> None:
        if utterance := traced.utterances.get(event.index):
            utterance.ended_ns = time.time_ns()

    def _first_audio(self, event: FirstAudio, traced: _Traced) -> None:
        if first := traced.utterances.get(0):
            now = time.time_ns()
            facts = {names.TIME_TO_FIRST_AUDIO: event.seconds}
            first.events.append(SpanEvent(names.FIRST_AUDIO_EVENT, facts, now))
            if first.ended_ns is not None:
                first.ended_ns = now  # an utterance does not end before its first audio

    def _batch(self, event: BatchRan | EngineRaised) -> None:
        utterances = [
            utterance
            for member in event.members
            if member.request is not None
            and (traced := self._requests.get(member.request))
            and (utterance := traced.utterances.get(member.utterance))
        ]
        if not utterances:
            return
        batch = self._recorder.root()
        facts: dict[str, str | int | float] = {
            names.BATCH_STAGE: event.stage,
            names.BATCH_SIZE: len(event.members),
            names.VOICE: event.voice,
        }
        status = NO_STATUS
        if isinstance(event, EngineRaised):
            status = Status(StatusCode.ERROR, type(event.error).__name__)
        else:
            facts[names.BATCH_PADDING] = event.padding_ratio
        members = [Link(utterance.context) for utterance in utterances]
        for utterance in utterances:
            utterance.batches.append(Link(batch))
        began_ns = _epoch_ns(event.began)
        self._recorder.record(
            names.BATCH_SPAN, batch, None, began_ns, time.time_ns(), facts, links=members, status=status
        )

    def _finish(self, event: RequestFinished, traced: _Traced) -> None:
        del self._requests[event.request]
        now = time.time_ns()
        for index, utterance in traced.utterances.items():
            self._recorder.record(
                names.UTTERANCE_SPAN,
                utterance.context,
                traced.parent,
                utterance.began_ns,
                utterance.ended_ns or now,
                {names.UTTERANCE_INDEX: index, names.PHONEMES: utterance.symbols},
                events=utterance.events,
                links=utterance.batches,
            )
        traced.call.set_attributes(_facts(event))


def _facts(event: RequestFinished) -> dict[str, str | int | float]:
    """Returns the attributes of a SERVER span for its request."""
    facts: dict[str, str | int | float] = {
        names.REQUEST_ID: event.request_id,
        names.VOICE: event.voice,
        names.LANGUAGE: event.language,
        names.OUTCOME: event.outcome,
        names.CHARACTERS: event.characters,
        names.AUDIO_SECONDS: event.audio_seconds,
    }
    if event.mixture:
        facts[names.MIXTURE] = event.mixture
    if event.reason:
        facts[names.REASON] = event.reason
    if event.first_audio_seconds is not None:
        facts[names.TIME_TO_FIRST_AUDIO] = event.first_audio_seconds
    if event.audio_seconds:
        facts[names.REAL_TIME_FACTOR] = event.engine_seconds / event.audio_seconds
    return facts


def _epoch_ns(monotonic_seconds: float) -> int:
    """Returns a time of time.monotonic() as nanoseconds since the epoch."""
    return time.time_ns() - round((time.monotonic() - monotonic_seconds) * 1e9)
