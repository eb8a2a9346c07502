"""Errors of the tree as statuses, as grpcio-status reads them at the other end of a real call."""

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status

import phonoscope.server.speech.synthesizer  # noqa: F401  defines whatever errors the server has
from phonoscope.common.errors import (
    DeadlineUnreachable,
    EngineFailed,
    FieldViolation,
    InvalidRequest,
    NotReady,
    NotServed,
    Overloaded,
    ServiceError,
)
from phonoscope.common.statuses import STATUS_OF, status_details


def subclasses(kind: type) -> set[type]:
    return set(kind.__subclasses__()) | {deeper for each in kind.__subclasses__() for deeper in subclasses(each)}


def details_of(status: Any, kind: type[Message]) -> Message | None:
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            detail = kind()
            packed.Unpack(detail)
            return detail
    return None


async def status_of_call(serve: Any, error: ServiceError) -> Any:
    """Returns the google.rpc.Status that a caller reads; grpcio-status checks that it agrees with the call's own."""

    async def say(request: Any, context: Any) -> Any:
        raise error

    served = await serve({"Say": ("unary_unary", say)})
    call = served.method("unary_unary")(StringValue(value="hello"))
    assert await call.code() is STATUS_OF[type(error)]
    return await rpc_status.aio.from_call(call)


def test_every_error_of_the_tree_has_a_status() -> None:
    assert set(STATUS_OF) == subclasses(ServiceError)
    assert grpc.StatusCode.OK not in STATUS_OF.values()
    assert grpc.StatusCode.UNKNOWN not in STATUS_OF.values()


@pytest.mark.parametrize(
    "error",
    [
        NotServed("not yet", reason="EMOTION_NOT_SERVED"),
        DeadlineUnreachable("zu spät: 3 s übrig"),
        EngineFailed("it broke"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_every_status_names_the_reason_and_the_domain(serve: Any, error: ServiceError) -> None:
    status = await status_of_call(serve, error)
    assert (status.code, status.message) == (STATUS_OF[type(error)].value[0], str(error))
    assert details_of(status, ErrorInfo) == ErrorInfo(reason=error.reason, domain="phonoscope")
    assert len(status.details) == 1


async def test_bad_fields_come_as_violations(serve: Any) -> None:
    error = InvalidRequest(
        [FieldViolation("text", "is empty"), FieldViolation("speed", "is 9")], reason="SEVERAL_FIELDS"
    )
    status = await status_of_call(serve, error)
    assert status.message == "text: is empty; speed: is 9"
    assert details_of(status, ErrorInfo).reason == "SEVERAL_FIELDS"
    assert [(v.field, v.description) for v in details_of(status, BadRequest).field_violations] == [
        ("text", "is empty"),
        ("speed", "is 9"),
    ]


@pytest.mark.parametrize("kind", [Overloaded, NotReady])
async def test_what_can_succeed_later_says_when(serve: Any, kind: Any) -> None:
    status = await status_of_call(serve, kind("later", reason="ANY", retry_after_seconds=1.25))
    delay = details_of(status, RetryInfo).retry_delay
    assert (delay.seconds, delay.nanos) == (1, 250_000_000)
    assert details_of(status, ErrorInfo).reason == "ANY"


@pytest.mark.parametrize("letter", ["x", "é", "漢", "\n", "🙂"])
@pytest.mark.parametrize("fields", [1, 11])
async def test_a_message_of_any_length_arrives_within_the_8_kib_that_clients_accept(
    serve: Any, letter: str, fields: int
) -> None:
    error = InvalidRequest(
        [FieldViolation(f"audio_config.some_long_field_{n}", letter * 5000) for n in range(fields)],
        reason="SAMPLE_RATE_OUT_OF_RANGE",
    )
    status = await status_of_call(serve, error)
    violations = details_of(status, BadRequest).field_violations
    assert [violation.field for violation in violations] == [violation.field for violation in error.violations]
    for violation in violations:
        assert violation.description.rstrip("…") == letter * (len(violation.description) - 1)
        assert len(violation.description.encode()) > 100
    encoded = status_details(error, grpc.StatusCode.INVALID_ARGUMENT).SerializeToString()
    as_sent = 3 * len(status.message.encode()) + 4 * len(encoded) / 3
    assert as_sent < 8192 - 1024  # the rest is for what else trailers hold


async def test_a_long_message_of_an_error_without_fields_arrives_too(serve: Any) -> None:
    status = await status_of_call(serve, EngineFailed("漢" * 5000))
    assert status.message.startswith("漢漢")
    assert status.message.endswith("…")
