"""UnreadGuard on a real server: a stream that nobody reads ends with its reason, and frees what it holds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from phonoscope.common.call_events import CallEnded, CallEvent
from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.unread import UnreadGuard

SERVICE = "test.v1.Test"
READ_AHEAD = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64 * 1024))
PART = StringValue(value="x" * 32 * 1024)
PARTS = 200


class Speaker:
    """A server of one method that streams much, or waits before it says little."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[CallEnded] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()
        self.may_go_on = asyncio.Event()

    def take(self, event: CallEvent) -> None:
        if isinstance(event, CallEnded):
            self.ended.set_result(event)

    async def much(self, _request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
        try:
            for _ in range(PARTS):
                yield PART
        finally:
            self.closed.set()

    async def late(self, _request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
        await self.may_go_on.wait()
        yield PART

    async def serve(self, max_unread_seconds: float) -> tuple[grpc.aio.Server, grpc.aio.Channel]:
        guard = UnreadGuard(max_unread_seconds)
        server = build_server([CallObserver(self.take), guard, ErrorMapper(lambda *_: pytest.fail("a defect"))])
        coders = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
        methods = {
            name: grpc.unary_stream_rpc_method_handler(getattr(self, name), **coders) for name in ("much", "late")
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        port = bind(server, "127.0.0.1", 0)
        await server.start()
        return server, grpc.aio.insecure_channel(f"127.0.0.1:{port}", READ_AHEAD)


def stream(channel: grpc.aio.Channel, name: str) -> Any:
    method = channel.unary_stream(f"/{SERVICE}/{name}", request_serializer=StringValue.SerializeToString)
    return method(StringValue(), timeout=30)


async def rest_of(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_reader_that_stopped_frees_what_it_held_and_learns_why_when_it_continues() -> None:
    speaker = Speaker()
    server, channel = await speaker.serve(0.05)
    async with asyncio.timeout(30), channel:
        call = stream(channel, "much")
        await call.read()
        await speaker.closed.wait()
        end = await speaker.ended
        assert (end.code, end.messages_sent < PARTS) == (grpc.StatusCode.ABORTED, True)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rest_of(call)
    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert "read" in str(caught.value.details())
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(caught.value)
    assert status is not None
    status.details[0].Unpack(info)
    assert info.reason == "STREAM_NOT_READ"
    await server.stop(None)


async def test_a_server_that_takes_its_time_is_not_a_reader_that_stopped() -> None:
    speaker = Speaker()
    server, channel = await speaker.serve(0.01)
    async with asyncio.timeout(30), channel:
        call = stream(channel, "late")
        asyncio.get_running_loop().call_later(0.1, speaker.may_go_on.set)
        assert len([reply async for reply in call]) == 1
        assert (await speaker.ended).code is grpc.StatusCode.OK
    await server.stop(None)


async def test_a_reader_that_reads_on_gets_everything() -> None:
    speaker = Speaker()
    server, channel = await speaker.serve(10.0)
    async with asyncio.timeout(30), channel:
        assert len([reply async for reply in stream(channel, "much")]) == PARTS
        assert (await speaker.ended).code is grpc.StatusCode.OK
    await server.stop(None)
