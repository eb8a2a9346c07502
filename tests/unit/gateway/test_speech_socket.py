"""WS /v1/speech/stream: what reaches the backend, and what is sent. By ASGI, without a port."""

import asyncio
import json
from typing import Any

import pytest

from phonoscope.gateway.backend.base import FLUSH, BackendError, Pronunciation, TimingType

GENEROUS_SECONDS = 20.0


async def talk(app: Any, *messages: dict[str, Any]) -> list[Any]:
    """Sends messages over a socket, and returns what comes up to the end of a text."""
    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    waiting.put_nowait({"type": "websocket.connect"})
    for message in messages:
        waiting.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            sent.append(json.loads(message["text"]) if message.get("text") else message["bytes"])
            if isinstance(sent[-1], dict) and sent[-1]["type"] in {"done", "error"}:
                waiting.put_nowait({"type": "websocket.disconnect", "code": 1000})

    scope = {"type": "websocket", "path": "/v1/speech/stream", "headers": [], "query_string": b"", "subprotocols": []}
    async with asyncio.timeout(GENEROUS_SECONDS):
        await app(scope, waiting.get, send)
    return sent


def text(piece: str) -> dict[str, str]:
    return {"type": "text", "text": piece}


async def test_timings_come_before_the_audio_in_which_they_begin(app, backend):
    sent = await talk(app, {"type": "start", "timings": ["word"]}, text("Hello "), text("there"), {"type": "end"})
    assert backend.calls[0].options["timing_types"] == [TimingType.WORD]
    assert backend.calls[0].parts == ("Hello ", "there")
    chunks = [message for message in sent if isinstance(message, dict) and message["type"] == "audio"]
    assert chunks[0]["timings"]["words"] == [
        {"word": "Hello", "start_seconds": 0.01, "end_seconds": 0.08, "text_span": [0, 5]}
    ]
    assert chunks[1]["timings"]["words"] == []
    assert (chunks[1]["text_start"], chunks[1]["text_stop"]) == (6, 11)
    assert sent[-1] == {"type": "done"}


async def test_timings_that_are_not_requested_are_not_sent(app):
    sent = await talk(app, {"type": "start"}, text("Hello"), {"type": "end"})
    kinds = [message["type"] for message in sent if isinstance(message, dict)]
    assert kinds == ["started", "audio", "audio", "audio", "done"]
    assert "timings" not in sent[1]


async def test_pronunciations_reach_the_speech_server(app, backend):
    start = {"type": "start", "pronunciations": [{"phrase": "SQL", "respelling": "sequel"}]}
    await talk(app, start, text("SQL"), {"type": "end"})
    assert backend.calls[0].options["pronunciations"] == [Pronunciation("SQL", respelling="sequel")]


async def test_flush_is_passed_on_between_the_texts(app, backend):
    await talk(app, {"type": "start"}, text("Hello"), {"type": "flush"}, text("there"), {"type": "end"})
    assert backend.calls[0].parts == ("Hello", FLUSH, "there")


async def test_a_character_that_is_split_between_messages_is_joined(app, backend):
    halves = [text("Great \ud83d"), {"type": "flush"}, text("\ude00 job.")]
    sent = await talk(app, {"type": "start"}, *halves, {"type": "end"})
    assert backend.calls[0].parts == ("Great ", FLUSH, "\N{GRINNING FACE} job.")
    assert sent[-1] == {"type": "done"}


async def test_half_a_character_at_the_end_is_replaced(app, backend):
    await talk(app, {"type": "start"}, text("Great \ud83d"), {"type": "end"})
    assert backend.calls[0].parts == ("Great ", "\ufffd")


async def test_half_a_character_in_another_member_is_rejected(app, backend):
    sent = await talk(app, {"type": "start", "voice": "\ud83d"})
    assert (sent[-1]["reason"], backend.calls) == ("BODY_INVALID", [])
    assert "lone surrogate" in sent[-1]["detail"]


@pytest.mark.parametrize("member", ["ssml", "stream_format"])
async def test_members_that_incremental_text_does_not_have_are_unknown(app, backend, member):
    sent = await talk(app, {"type": "start", member: "<speak/>"})
    assert (sent[-1]["type"], sent[-1]["reason"]) == ("error", "BODY_INVALID")
    assert f"{member}: is unknown; valid members: voice, speed" in sent[-1]["detail"]
    assert backend.calls == []


@pytest.mark.parametrize(
    ("messages", "reason", "detail"),
    [
        (
            [text("Hello")],
            "MESSAGE_OUT_OF_TURN",
            '"text" was sent before "start"; begin a text with {"type": "start"}',
        ),
        (
            [{"type": "start"}, {"type": "start"}],
            "MESSAGE_OUT_OF_TURN",
            '"start" was sent within a text; send "end" or "cancel" first',
        ),
        ([{"type": "sing"}], "BODY_INVALID", None),
    ],
)
async def test_a_message_that_is_not_valid_is_the_last_one(app, messages, reason, detail):
    sent = await talk(app, *messages)
    assert (sent[-1]["type"], sent[-1]["reason"]) == ("error", reason)
    assert detail in {None, sent[-1]["detail"]}


async def test_an_error_of_the_backend_is_the_last_message(app, backend):
    backend.error = BackendError("the engine failed", code="INTERNAL", reason="ENGINE_FAILED")
    sent = await talk(app, {"type": "start"}, text("Hello"), {"type": "end"})
    assert (sent[-1]["type"], sent[-1]["reason"], sent[-1]["status"]) == ("error", "ENGINE_FAILED", 500)
