"""Statuses and their google.rpc details become typed exceptions."""

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from phonoscope import client as public
from phonoscope.client import Cancelled, Client, PhonoscopeClientError, ServerError
from phonoscope.client.errors import ERROR_OF_CODE, LOST_STATUS
from phonoscope.common.errors import FieldViolation, PhonoscopeError


@pytest.fixture
def client(server):
    with Client(server.target, waits_when_busy=False) as client:
        yield client


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_each_status_has_its_exception(client, server, code):
    for _ in range(4):  # UNAVAILABLE is tried four times
        server.then_fail(code, "it says why")
    with pytest.raises(ERROR_OF_CODE.get(code, ServerError)) as caught:
        client.synthesize("Hello.")
    assert caught.value.code is code
    assert caught.value.message == "it says why"


def test_a_status_that_grpc_lost_says_what_happened(client, server):
    server.then_fail(grpc.StatusCode.INTERNAL, LOST_STATUS)
    with pytest.raises(ServerError, match=r"lost the reason; retry"):
        client.synthesize("Hello.")


def test_details_are_parsed(client, server):
    violations = [error_details_pb2.BadRequest.FieldViolation(field="speed", description="9 is over 4; use 4")]
    server.then_fail(
        grpc.StatusCode.INVALID_ARGUMENT,
        "speed: 9 is over 4; use 4",
        error_details_pb2.BadRequest(field_violations=violations),
        error_details_pb2.ErrorInfo(reason="SPEED_OUT_OF_RANGE", domain="phonoscope", metadata={"limit": "4"}),
    )
    with pytest.raises(public.InvalidArgument) as caught:
        client.synthesize("Hello.", speed=9.0)
    error = caught.value
    assert error.reason == "SPEED_OUT_OF_RANGE"
    assert error.violations == (FieldViolation("speed", "9 is over 4; use 4"),)
    assert error.metadata == {"limit": "4"}
    assert error.retry_after_seconds is None
    assert str(error) == f"INVALID_ARGUMENT SPEED_OUT_OF_RANGE from {server.target}: speed: 9 is over 4; use 4"


@pytest.mark.parametrize(("nanos", "seconds"), [(250_000_000, 1.25), (0, 1.0)])
def test_the_retry_delay_is_reported(client, server, nanos, seconds):
    server.then_fail(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "the queue is full",
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=nanos)),
        error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="phonoscope"),
    )
    with pytest.raises(public.ResourceExhausted) as caught:
        next(client.stream("Hello."))
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("QUEUE_FULL", seconds)


def test_a_status_whose_details_are_broken_still_says_code_and_message(client, server):
    def fail(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata([("grpc-status-details-bin", b"\xff\xff")])
        context.abort(grpc.StatusCode.INTERNAL, "broken")

    server.then_speak(then=fail)
    with pytest.raises(ServerError) as caught:
        client.synthesize("Hello.")
    assert (caught.value.message, caught.value.reason, caught.value.violations) == ("broken", "", ())


def test_one_except_clause_catches_them_all():
    assert issubclass(PhonoscopeClientError, PhonoscopeError)
    assert ERROR_OF_CODE[grpc.StatusCode.ABORTED] is Cancelled  # the caller left its audio unread
    assert all(issubclass(kind, PhonoscopeClientError) for kind in {*ERROR_OF_CODE.values(), ServerError})
