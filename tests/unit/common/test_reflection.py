"""Both versions of reflection, asked over a raw channel."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc_reflection.v1alpha import reflection_pb2

from phonoscope.common.reflection import SERVICE_NAME, add_reflection, v1_descriptor

ALPHA = "grpc.reflection.v1alpha.ServerReflection"
HEALTH = "grpc.health.v1.Health"
BOTH = pytest.mark.parametrize("service", [SERVICE_NAME, ALPHA])


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    add_reflection(server, [HEALTH])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def ask(channel: grpc.aio.Channel, service: str, **question: object) -> reflection_pb2.ServerReflectionResponse:
    """Asks one question; the bytes of both versions are the same."""
    call = channel.stream_stream(f"/{service}/ServerReflectionInfo")
    requests = [reflection_pb2.ServerReflectionRequest(**question).SerializeToString()]
    [reply] = [reply async for reply in call(iter(requests), timeout=20)]
    return reflection_pb2.ServerReflectionResponse.FromString(reply)


@BOTH
async def test_all_services_are_listed(channel: grpc.aio.Channel, service: str) -> None:
    reply = await ask(channel, service, list_services="")
    assert [one.name for one in reply.list_services_response.service] == [HEALTH, SERVICE_NAME, ALPHA]


@BOTH
@pytest.mark.parametrize("symbol", [SERVICE_NAME, ALPHA])
async def test_each_version_describes_both(channel: grpc.aio.Channel, service: str, symbol: str) -> None:
    reply = await ask(channel, service, file_containing_symbol=symbol)
    [file] = map(FileDescriptorProto.FromString, reply.file_descriptor_response.file_descriptor_proto)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    method = pool.FindServiceByName(symbol).methods_by_name["ServerReflectionInfo"]
    assert method.client_streaming
    assert method.server_streaming
    assert method.input_type.full_name == symbol.replace("ServerReflection", "ServerReflectionRequest")


@BOTH
async def test_what_is_not_there_is_not_found(channel: grpc.aio.Channel, service: str) -> None:
    reply = await ask(channel, service, file_containing_symbol="no.Such")
    assert reply.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_the_messages_of_v1_have_the_bytes_of_v1alpha() -> None:
    message = GetMessageClass(v1_descriptor().message_types_by_name["ServerReflectionResponse"])()
    answer = reflection_pb2.ServerReflectionResponse(
        valid_host="a",
        original_request=reflection_pb2.ServerReflectionRequest(file_by_filename="b"),
        list_services_response=reflection_pb2.ListServiceResponse(
            service=[reflection_pb2.ServiceResponse(name="c"), reflection_pb2.ServiceResponse(name="d")]
        ),
    )
    message.ParseFromString(answer.SerializeToString())
    assert [one.name for one in message.list_services_response.service] == ["c", "d"]
    assert message.original_request.file_by_filename == "b"
    assert message.DESCRIPTOR.file.package == "grpc.reflection.v1"
    assert len(UnknownFieldSet(message)) == 0


def test_nothing_of_v1alpha_remains_in_the_descriptor() -> None:
    file = FileDescriptorProto()
    v1_descriptor().CopyToProto(file)
    assert "v1alpha" not in str(file)
    assert v1_descriptor() is v1_descriptor()
