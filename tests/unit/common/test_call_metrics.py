"""What each call event does to the metrics, which series are there from the start, and who gets an exemplar."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from phonoscope.common.call_events import OTHER, CallEnded, CallStarted, MessageReceived, MessageSent, Method
from phonoscope.common.call_metrics import CODE_NAMES, CallMetrics
from phonoscope.common.errors import (
    DeadlineUnreachable,
    EngineFailed,
    InvalidRequest,
    NotReady,
    NotServed,
    Overloaded,
    StreamNotRead,
)
from phonoscope.common.statuses import STATUS_OF

SPEAK = Method("test.v1.Speech", "Speak", "unary")
STREAM = Method("test.v1.Speech", "Stream", "server_stream")
CHECK = Method("grpc.health.v1.Health", "Check", "unary")
UNKNOWN = Method(OTHER, OTHER, "unary")
CALL = {"grpc_type": "unary", "grpc_service": "test.v1.Speech", "grpc_method": "Speak"}
TRACE = "0af7651916cd43dd8448eb211c80319c"

Series = tuple[str, tuple[tuple[str, str], ...]]


def series(registry: CollectorRegistry) -> dict[Series, float]:
    return {
        named(sample.name, **sample.labels): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def named(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


def labels_of(method: Method) -> dict[str, str]:
    return {"grpc_type": method.kind, "grpc_service": method.service, "grpc_method": method.name}


def started(method: Method = SPEAK) -> CallStarted:
    return CallStarted(1, method, ())


def ended(method: Method = SPEAK, code: grpc.StatusCode = grpc.StatusCode.OK, seconds: float = 0.25) -> CallEnded:
    return CallEnded(1, method, code, seconds, 1, 1, 10, 20)


class Traces:
    """The trace that is current, as a test sets it."""

    current = ""

    def __call__(self) -> str:
        return self.current


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture
def sink(registry: CollectorRegistry, traces: Traces) -> CallMetrics:
    return CallMetrics(registry, [SPEAK, STREAM, CHECK], traces)


@pytest.fixture
def change(sink: CallMetrics, registry: CollectorRegistry) -> Callable[..., dict[Series, float]]:
    """Feeds events and returns the series that changed, buckets apart, by how much."""

    def change(*events: Any) -> dict[Series, float]:
        before = series(registry)
        for event in events:
            sink(event)
        return {
            name: value - before.get(name, 0)
            for name, value in series(registry).items()
            if value != before.get(name, 0) and not name[0].endswith("_bucket")
        }

    return change


@pytest.mark.parametrize("method", [SPEAK, STREAM, CHECK, UNKNOWN])
def test_every_series_of_a_method_is_there_at_0_from_the_start(
    sink: CallMetrics, registry: CollectorRegistry, method: Method
) -> None:
    value = registry.get_sample_value
    for name in (
        "grpc_server_started_total",
        "grpc_server_in_flight",
        "grpc_server_msg_received_total",
        "grpc_server_msg_sent_total",
        "grpc_server_handling_seconds_count",
        "grpc_server_msg_received_bytes_count",
        "grpc_server_msg_sent_bytes_count",
    ):
        assert value(name, labels_of(method)) == 0


def codes_of(registry: CollectorRegistry, method: Method) -> set[str]:
    return {
        labels["grpc_code"]
        for name, pairs in series(registry)
        for labels in [dict(pairs)]
        if name == "grpc_server_handled_total" and labels.items() >= labels_of(method).items()
    }


def test_a_service_of_ours_has_a_series_for_every_code_that_it_can_end_with(
    sink: CallMetrics, registry: CollectorRegistry
) -> None:
    errors = (InvalidRequest, NotServed, Overloaded, NotReady, StreamNotRead, DeadlineUnreachable, EngineFailed)
    assert set(STATUS_OF) == set(errors)  # a new one needs its code here
    for method in (SPEAK, STREAM):
        assert codes_of(registry, method) == {
            *("OK", "Canceled", "DeadlineExceeded", "Unknown"),
            *("InvalidArgument", "Unimplemented", "ResourceExhausted", "Unavailable", "Aborted", "Internal"),
        }


def test_probes_and_unknown_methods_have_the_codes_that_they_can_end_with(
    sink: CallMetrics, registry: CollectorRegistry
) -> None:
    probes = {"OK", "Canceled", "DeadlineExceeded", "NotFound", "InvalidArgument", "Internal", "Unknown"}
    assert codes_of(registry, CHECK) == probes
    assert codes_of(registry, UNKNOWN) == {"Unimplemented"}


def test_codes_are_written_as_go_writes_them() -> None:
    assert set(CODE_NAMES) == set(grpc.StatusCode)
    assert set(CODE_NAMES.values()) == {
        "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "Unauthenticated", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
        "Unimplemented", "Internal", "Unavailable", "DataLoss",
    }  # fmt: skip


def test_a_call_is_in_flight_until_it_ends(change: Any) -> None:
    assert change(started()) == {
        named("grpc_server_started_total", **CALL): 1,
        named("grpc_server_in_flight", **CALL): 1,
    }
    assert change(ended(code=grpc.StatusCode.CANCELLED)) == {
        named("grpc_server_in_flight", **CALL): -1,
        named("grpc_server_handled_total", **CALL, grpc_code="Canceled"): 1,
        named("grpc_server_handling_seconds_count", **CALL): 1,
        named("grpc_server_handling_seconds_sum", **CALL): 0.25,
    }


def test_messages_are_counted_one_by_one_with_their_sizes(change: Any) -> None:
    assert change(MessageReceived(SPEAK, 100), MessageReceived(SPEAK, 50)) == {
        named("grpc_server_msg_received_total", **CALL): 2,
        named("grpc_server_msg_received_bytes_count", **CALL): 2,
        named("grpc_server_msg_received_bytes_sum", **CALL): 150,
    }
    assert change(MessageSent(SPEAK, 7000)) == {
        named("grpc_server_msg_sent_total", **CALL): 1,
        named("grpc_server_msg_sent_bytes_count", **CALL): 1,
        named("grpc_server_msg_sent_bytes_sum", **CALL): 7000,
    }


@pytest.mark.parametrize("method", [SPEAK, STREAM])
def test_every_code_of_ours_is_counted_in_a_series_that_was_there(
    sink: CallMetrics, registry: CollectorRegistry, method: Method
) -> None:
    before = series(registry)
    for code in (*STATUS_OF.values(), *(grpc.StatusCode[n] for n in ("OK", "CANCELLED", "UNKNOWN"))):
        sink(ended(method, code))
    assert set(series(registry)) == set(before)


def exemplars(registry: CollectorRegistry, name: str) -> list[str]:
    return [
        sample.exemplar.labels["trace_id"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == f"{name}_bucket" and sample.exemplar
    ]


def test_the_time_of_a_sampled_call_carries_its_trace(
    sink: CallMetrics, registry: CollectorRegistry, traces: Traces
) -> None:
    traces.current = TRACE
    sink(ended())
    assert exemplars(registry, "grpc_server_handling_seconds") == [TRACE]


def test_the_time_of_a_call_that_is_not_sampled_carries_nothing(
    sink: CallMetrics, registry: CollectorRegistry, traces: Traces
) -> None:
    sink(ended())
    assert exemplars(registry, "grpc_server_handling_seconds") == []
    assert b"trace_id" not in generate_latest(registry)


def test_each_of_two_calls_carries_its_own_trace(
    sink: CallMetrics, registry: CollectorRegistry, traces: Traces
) -> None:
    traces.current = TRACE
    sink(started())
    traces.current = "f" * 32
    sink(started())
    sink(ended(seconds=20.0))
    traces.current = TRACE
    sink(ended(seconds=0.001))
    assert exemplars(registry, "grpc_server_handling_seconds") == [TRACE, "f" * 32]  # by bucket
