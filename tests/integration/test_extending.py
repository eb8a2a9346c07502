"""What docs/architecture.md says under "How to", walked once: another policy, another sink, another request field."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import pytest

from phonoscope.protos.tts.v1 import tts_pb2
from phonoscope.server.build import build_synthesizer
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.events import BatchRan, Event, QueueLeft
from phonoscope.server.scheduling.admission import Admission
from phonoscope.server.scheduling.next_steps import PlannedStep
from phonoscope.server.scheduling.policy import Batch, EarliestDeadlineFirst, Policy
from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import SpeechRequest

TEXT = "A sentence of some length. Another one, a little longer than that."


class FirstComeFirstServed(Policy):
    """Speaks one request to its end before it begins the next, one step at a time."""

    def to_open(self, states: Iterable[RequestState]) -> RequestState | None:
        first = _first(states)
        return first if first and first.waiting and not first.jobs else None

    def choose(self, states: Iterable[RequestState], now: float) -> Batch | None:
        first = _first(states)
        if first is None or not first.jobs or first.is_backpressured:
            return None
        job = first.jobs[0]
        step = job.next_step(self.next_step_seconds(first))
        return None if step is None else Batch((PlannedStep(first, job, step),))

    def next_step_seconds(self, state: RequestState) -> float:
        return state.slot.tuning.audio_seconds[-1]


def _first(states: Iterable[RequestState]) -> RequestState | None:
    return min(states, key=lambda state: state.number, default=None)


@asynccontextmanager
async def speaking(policy: Policy, *sinks: Any) -> AsyncIterator[Synthesizer]:
    def emit(event: Event) -> None:
        for sink in sinks:
            sink(event)

    engines, settings = [ToneEngine([tone_voice("tone")])], ServerSettings()
    scheduler = Scheduler(engines, emit, admission=Admission(64, 3600.0, 60.0), policy=policy)
    await scheduler.start()
    synthesizer = build_synthesizer(scheduler, engines, TextFrontEnd(Letters()), emit, settings)
    yield synthesizer
    await scheduler.drain(0)
    synthesizer.close()


@pytest.mark.parametrize("policy", [FirstComeFirstServed(), EarliestDeadlineFirst()])
async def test_another_policy_speaks_the_same_audio(policy: Policy) -> None:
    order: list[int] = []

    def sink(event: Event) -> None:
        if isinstance(event, QueueLeft):
            order.append(event.request)

    async with speaking(policy, sink) as synthesizer:
        request = SpeechRequest(TEXT, seed=3)
        spoken = await asyncio.gather(*(synthesizer.speak(request, None) for _ in range(4)))
    assert len({speech.audio for speech in spoken}) == 1
    assert order == sorted(order)


async def test_the_policy_alone_decides_who_shares_a_batch() -> None:
    async def largest(policy: Policy) -> int:
        sizes: list[int] = []

        def sink(event: Event) -> None:
            if isinstance(event, BatchRan):
                sizes.append(len(event.members))

        async with speaking(policy, sink) as synthesizer:
            request = SpeechRequest(TEXT * 4, seed=3)
            await asyncio.gather(*(synthesizer.speak(request, None) for _ in range(4)))
        return max(sizes)

    assert await largest(FirstComeFirstServed()) == 1
    assert await largest(EarliestDeadlineFirst()) > 1


async def test_another_sink_counts_what_it_wants_of_the_events() -> None:
    seconds: Counter[str] = Counter()

    def sink(event: Event) -> None:
        if isinstance(event, BatchRan):
            seconds[event.stage] += event.seconds

    async with speaking(EarliestDeadlineFirst(), sink) as synthesizer:
        await synthesizer.speak(SpeechRequest(TEXT), None)
    assert seconds.keys() == {"prepare", "render"}
    assert min(seconds.values()) > 0


def test_the_domain_has_every_field_of_the_message() -> None:
    nested = {"encoding", "sample_rate_hz", "volume_gain_db"}
    own = {field.name for field in fields(SpeechRequest)} - nested
    message = {field.name for field in tts_pb2.SynthesizeRequest.DESCRIPTOR.fields} - {"audio_config"}
    assert own == message
    audio = {field.name for field in tts_pb2.AudioConfig.DESCRIPTOR.fields}
    assert audio == (nested - {"sample_rate_hz"}) | {"sample_rate_hertz"}
