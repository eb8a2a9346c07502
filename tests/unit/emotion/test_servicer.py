"""Analyze over gRPC: results in order, and the errors of a service that is not ready or too busy."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from structlog.testing import CapturingLogger
from tests.unit.emotion.conftest import GENEROUS_SECONDS, ScriptedModel, Serve

from phonoscope.emotion.servicer import SERVICE_NAME
from phonoscope.protos.emotion.v1.emotion_pb2 import AnalyzeRequest, Text


def asked(*texts: str, language: str = "en") -> AnalyzeRequest:
    return AnalyzeRequest(texts=[Text(text=text, language=language) for text in texts])


async def test_each_text_gets_weights_that_add_up_to_one(serve: Serve) -> None:
    async with serve() as service:
        response = await service.stub.Analyze(asked("One.", "...", "Three."))
    assert response.model == "scripted"
    assert [round(one.happy, 2) for one in response.emotions] == [0.75, 0.0, 0.75]
    assert [round(one.neutral, 2) for one in response.emotions] == [0.25, 1.0, 0.25]
    assert [one.confidence for one in response.emotions] == [0.75, 1.0, 0.75]


async def test_a_large_request_reaches_the_model_in_batches(serve: Serve, model: ScriptedModel) -> None:
    texts = [f"Sentence {number}." for number in range(20)]
    async with serve() as service:
        response = await service.stub.Analyze(asked(*texts))
    assert len(response.emotions) == 20
    assert [len(batch) for batch in model.batches] == [8, 8, 4]
    assert [text for batch in model.batches for text in batch] == texts


async def test_bad_fields_are_named(serve: Serve) -> None:
    async with serve() as service:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await service.stub.Analyze(
                AnalyzeRequest(texts=[Text(text=" ", language="en"), Text(text="a", language="xx")])
            )
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "texts[0].text: is empty" in raised.value.details()
    assert "texts[1].language: 'xx' is not supported" in raised.value.details()


async def test_before_the_model_is_loaded_calls_are_unavailable_and_health_says_so(serve: Serve) -> None:
    async with serve(is_loaded=False) as service:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await service.stub.Analyze(asked("One."))
        health = health_pb2_grpc.HealthStub(service.channel)
        status = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert status.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_more_calls_than_max_calls_are_refused_with_a_delay(serve: Serve, model: ScriptedModel) -> None:
    async with serve(max_calls=1) as service:
        model.gate.clear()
        first = service.stub.Analyze(asked("One."))
        first_reply = asyncio.ensure_future(first)
        assert await asyncio.to_thread(model.is_working.wait, GENEROUS_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await service.stub.Analyze(asked("Two."))
        model.gate.set()
        await first_reply
    status = rpc_status.from_call(raised.value)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert any(detail.type_url.endswith("RetryInfo") for detail in status.details)


async def test_a_call_whose_deadline_passes_takes_no_further_batch(serve: Serve, model: ScriptedModel) -> None:
    async with serve() as service:
        model.gate.clear()
        call = service.stub.Analyze(asked(*(f"Sentence {number}." for number in range(20))), timeout=GENEROUS_SECONDS)
        reply = asyncio.ensure_future(call)
        assert await asyncio.to_thread(model.is_working.wait, GENEROUS_SECONDS)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reply
        await service.is_idle()
        model.gate.set()
        model.is_working.clear()
        await service.stub.Analyze(asked("Last."))
    assert [len(batch) for batch in model.batches] == [8, 1]


async def test_calls_are_counted_and_logged_without_their_text(serve: Serve, logger: CapturingLogger) -> None:
    async with serve() as service:
        await service.stub.Analyze(asked("A secret.", "..."))
        assert service.value("emotion_texts_total", language="en", emotion="happy") == 1
        assert service.value("emotion_texts_total", language="en", emotion="neutral") == 1
        assert service.value("emotion_texts_total", language="zh", emotion="sad") == 0
        assert service.value("emotion_model_seconds_count") == 1
        assert service.value("emotion_call_texts_sum") == 2
        labels = {"grpc_type": "unary", "grpc_service": SERVICE_NAME, "grpc_method": "Analyze", "grpc_code": "OK"}
        assert service.value("grpc_server_handled_total", **labels) == 1
    lines = [call for call in logger.calls if call.args == ("call_ended",)]
    assert [line.kwargs["method"] for line in lines] == ["Analyze"]
    assert "secret" not in repr(logger.calls)
