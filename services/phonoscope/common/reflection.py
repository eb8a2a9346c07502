"""Server reflection in both of its versions, so that tools can list and describe the services without their protos.

Called by `grpc_server.py`. grpcio-reflection has grpc.reflection.v1alpha only. New tools ask for grpc.reflection.v1
first, and some for nothing else. Both have the same messages under other names (gRPC's doc/server-reflection.md), so
that the servicer and the messages of v1alpha serve v1, and its descriptor is that of v1alpha, renamed.
"""

from collections.abc import Sequence
from typing import Final

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

SERVICE_NAME: Final = "grpc.reflection.v1.ServerReflection"
_FILE_NAME: Final = "grpc/reflection/v1/reflection.proto"
_OLD, _NEW = ".v1alpha", ".v1"


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Adds both versions of reflection to a server; both list `services` and themselves."""
    v1_descriptor()
    names = [*services, SERVICE_NAME, reflection.SERVICE_NAME]
    servicer = reflection.aio.ReflectionServicer(names)  # type: ignore[attr-defined]  # in __all__, not in the stubs
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handlers = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))


def v1_descriptor() -> FileDescriptor:
    """Returns the descriptor of grpc.reflection.v1, from the default pool; adds it if nothing else has."""
    pool = descriptor_pool.Default()
    try:
        return pool.FindFileByName(_FILE_NAME)
    except KeyError:
        return pool.AddSerializedFile(_renamed(reflection_pb2.DESCRIPTOR).SerializeToString())


def _renamed(v1alpha: FileDescriptor) -> FileDescriptorProto:
    """Returns the file of v1alpha with the names of v1."""
    file = FileDescriptorProto()
    v1alpha.CopyToProto(file)
    file.name, file.package = _FILE_NAME, file.package.replace(_OLD, _NEW)
    file.ClearField("options")  # packages of generated Java and Go
    for message in file.message_type:
        for field in message.field:
            if field.type_name:  # set for messages only: "" is not the same as unset
                field.type_name = field.type_name.replace(_OLD, _NEW)
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(_OLD, _NEW)
            method.output_type = method.output_type.replace(_OLD, _NEW)
    return file
