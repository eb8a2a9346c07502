"""Calls to a real HTTP server, as the load generator sees them."""

import asyncio
import dataclasses

import httpx
import pytest

from phonoscope.loadgen.http_target import HttpSpeechServer, retry_after_seconds
from phonoscope.loadgen.openai_api import OpenAiApi
from phonoscope.loadgen.piper_api import PiperApi
from phonoscope.loadgen.plan import Cancellation, PlannedCall
from phonoscope.loadgen.wav_stream import BodyFormat

STREAM = PlannedCall("Hello.", {}, is_stream=True)
UNARY = PlannedCall("Hello.", {}, is_stream=False)
HEADER_BYTES = 44
APIS = [PiperApi(), OpenAiApi(), OpenAiApi(body_format=BodyFormat.PCM)]


@pytest.fixture
async def target(http_server):
    async with HttpSpeechServer(http_server.url, OpenAiApi(), calls_at_once=4, deadline_seconds=10.0) as target:
        yield target


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("api", APIS, ids=["piper", "openai wav", "openai pcm"])
@pytest.mark.parametrize("call", [STREAM, UNARY], ids=["stream", "unary"])
async def test_a_reply_is_heard_and_measured(http_server, api, call):
    async with HttpSpeechServer(http_server.url, api, calls_at_once=1, deadline_seconds=10.0) as target:
        made = await target.make(call, now())
    assert (made.call, made.error, made.is_away, made.is_refused) == (call, "", False, False)
    assert made.audio_seconds == pytest.approx(1.0)
    assert 0 < made.first_audio_seconds <= made.seconds


async def test_times_count_from_when_the_call_was_due(target):
    made = await target.make(STREAM, now() - 100.0)
    assert 100.0 < made.first_audio_seconds <= made.seconds < 110.0


async def test_a_header_alone_is_not_first_audio(http_server, wav_of):
    """The header comes, and nothing after it: the deadline passes without audio."""
    http_server.then_send(wav_of(1.0)[:HEADER_BYTES], http_server.hold)
    async with HttpSpeechServer(http_server.url, OpenAiApi(), calls_at_once=1, deadline_seconds=0.3) as target:
        made = await target.make(STREAM, now())
    assert (made.error, made.first_audio_seconds) == ("DEADLINE_EXCEEDED", None)


async def test_the_first_samples_are_first_audio_while_the_rest_is_to_come(http_server, wav_of):
    http_server.then_send(wav_of(1.0)[: HEADER_BYTES + 4410], http_server.hold)
    async with HttpSpeechServer(http_server.url, OpenAiApi(), calls_at_once=1, deadline_seconds=0.3) as target:
        made = await target.make(STREAM, now())
    assert (made.error, made.audio_seconds) == ("DEADLINE_EXCEEDED", pytest.approx(0.1))
    assert made.first_audio_seconds < made.seconds


async def test_a_unary_reply_sounds_when_all_of_it_is_there(http_server, wav_of):
    http_server.then_send(wav_of(1.0)[: HEADER_BYTES + 4410], http_server.hold)
    async with HttpSpeechServer(http_server.url, OpenAiApi(), calls_at_once=1, deadline_seconds=0.3) as target:
        made = await target.make(UNARY, now())
    assert (made.error, made.first_audio_seconds, made.audio_seconds) == ("DEADLINE_EXCEEDED", None, 0.0)


async def test_a_server_that_never_answers_ends_with_the_deadline_and_is_not_away(http_server):
    http_server.then_send(http_server.hold)
    async with HttpSpeechServer(http_server.url, PiperApi(), calls_at_once=1, deadline_seconds=0.2) as target:
        made = await target.make(STREAM, now())
    assert (made.error, made.is_away, made.audio_seconds) == ("DEADLINE_EXCEEDED", False, 0.0)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_request_that_is_wrong_in_itself_counts_as_refused(target, http_server, status):
    http_server.then_reply(status, b'{"error": "no"}')
    made = await target.make(STREAM, now())
    assert (made.error, made.is_refused, made.is_away) == (f"HTTP {status}", True, False)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_any_other_status_is_a_failure(target, http_server, status):
    http_server.then_reply(status)
    made = await target.make(STREAM, now())
    assert (made.error, made.is_refused, made.is_away) == (f"HTTP {status}", False, False)
    assert (made.first_audio_seconds, made.retry_after_seconds) == (None, None)


async def test_a_full_server_tells_when_to_come_back(target, http_server):
    http_server.then_reply(503, headers={"Retry-After": "7"})
    assert (await target.make(STREAM, now())).retry_after_seconds == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": " 12 "}, 12.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Tue, 03 Mar 2026 10:00:30 GMT", "Date": "Tue, 03 Mar 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Tue, 03 Mar 2026 09:00:00 GMT", "Date": "Tue, 03 Mar 2026 10:00:00 GMT"}, 0.0),
        ({"Retry-After": "Tue, 03 Mar 2026 10:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers, seconds):
    assert retry_after_seconds(httpx.Response(503, headers=headers)) == seconds


@pytest.mark.parametrize("call", [STREAM, UNARY], ids=["stream", "unary"])
async def test_an_empty_body_is_a_failure(target, http_server, call):
    http_server.then_reply(200, b"")
    made = await target.make(call, now())
    assert (made.error, made.first_audio_seconds) == ("OK_WITHOUT_AUDIO", None)


async def test_a_wav_without_samples_is_a_failure(target, http_server, wav_of):
    http_server.then_reply(200, wav_of(0.0))
    assert (await target.make(STREAM, now())).error == "OK_WITHOUT_AUDIO"


async def test_a_body_that_is_not_wav_is_a_failure(target, http_server):
    http_server.then_reply(200, b"<html>Welcome!</html>")
    assert (await target.make(STREAM, now())).error == "NOT_WAV"


async def test_a_wav_that_ends_too_soon_is_a_failure_and_keeps_what_was_heard(target, http_server, wav_of):
    http_server.then_reply(200, wav_of(1.0)[: HEADER_BYTES + 22_050])
    made = await target.make(STREAM, now())
    assert (made.error, made.audio_seconds) == ("WAV_TRUNCATED", pytest.approx(0.5))
    assert made.first_audio_seconds is not None


async def test_a_connection_that_breaks_within_a_reply_is_an_error(target, http_server, wav_of):
    http_server.then_break_off(wav_of(1.0)[:10_000], promised_bytes=44_144)
    made = await target.make(STREAM, now())
    assert (made.error, made.is_away) == ("CONNECTION_BROKEN", True)
    assert made.audio_seconds > 0


async def test_a_server_that_is_not_there_is_away():
    async with HttpSpeechServer("http://127.0.0.1:1", PiperApi(), calls_at_once=1, deadline_seconds=9.0) as target:
        assert await target.status() == "UNAVAILABLE"
        made = await target.make(STREAM, now())
    assert (made.error, made.is_away) == ("UNAVAILABLE", True)


@pytest.mark.parametrize(
    ("answered", "status"), [(200, "SERVING"), (401, "SERVING"), (404, "SERVING"), (503, "HTTP 503")]
)
async def test_a_server_serves_unless_it_or_its_proxy_says_otherwise(target, http_server, answered, status):
    http_server.status = answered
    assert await target.status() == status


async def test_a_connection_is_kept_for_the_next_call_after_a_failure_too(target, http_server):
    http_server.then_reply(500, b"no")
    for _ in range(3):
        await target.make(STREAM, now())
    assert len(target._client._transport._pool.connections) == 1


async def test_a_call_that_is_cancelled_lets_its_connection_go(target, http_server):
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()
    http_server.then_send(lambda: loop.call_soon_threadsafe(reached.set), http_server.hold)
    task = asyncio.ensure_future(target.make(STREAM, now()))
    await asyncio.wait_for(reached.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert target._client._transport._pool.connections == []


async def test_proxies_of_the_environment_are_not_used(http_server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with HttpSpeechServer(http_server.url, PiperApi(), calls_at_once=1, deadline_seconds=9.0) as target:
        assert (await target.make(STREAM, now())).error == ""


AFTER = Cancellation()
LATE = Cancellation(60.0)


async def test_a_caller_cancels_after_the_first_samples_and_closes_the_connection(target, http_server, wav_of):
    http_server.then_send(wav_of(1.0)[: HEADER_BYTES + 4410], http_server.hold)
    made = await target.make(dataclasses.replace(STREAM, cancellation=AFTER), now())
    assert (made.is_cancelled, made.error, made.is_away, made.is_refused) == (True, "", False, False)
    assert made.audio_seconds == pytest.approx(0.1)
    assert 0 < made.first_audio_seconds <= made.seconds
    assert target._client._transport._pool.connections == []


async def test_a_caller_cancels_before_the_first_samples_after_a_delay(target, http_server, wav_of):
    http_server.then_send(wav_of(1.0)[:HEADER_BYTES], http_server.hold)
    made = await target.make(dataclasses.replace(STREAM, cancellation=Cancellation(0.01)), now())
    assert (made.is_cancelled, made.error, made.first_audio_seconds) == (True, "", None)
    assert target._client._transport._pool.connections == []


async def test_first_samples_that_come_before_the_delay_cancel_the_call_and_are_not_heard(target, http_server, wav_of):
    http_server.then_send(wav_of(1.0)[: HEADER_BYTES + 4410], http_server.hold)
    made = await target.make(dataclasses.replace(STREAM, cancellation=LATE), now())
    assert (made.is_cancelled, made.first_audio_seconds, made.audio_seconds) == (True, None, 0.0)
    assert target._client._transport._pool.connections == []


@pytest.mark.parametrize("cancellation", [AFTER, LATE])
@pytest.mark.parametrize(
    ("status", "body", "error"), [(503, b"", "HTTP 503"), (200, b"<html>", "NOT_WAV"), (200, b"", "OK_WITHOUT_AUDIO")]
)
async def test_a_call_that_fails_before_it_is_cancelled_has_failed(
    target, http_server, cancellation, status, body, error
):
    http_server.then_reply(status, body)
    made = await target.make(dataclasses.replace(STREAM, cancellation=cancellation), now())
    assert (made.is_cancelled, made.error) == (False, error)


@pytest.mark.parametrize("cancellation", [AFTER, LATE])
async def test_a_deadline_that_passes_before_the_cancellation_is_a_failure(http_server, cancellation):
    http_server.then_send(http_server.hold)
    async with HttpSpeechServer(http_server.url, OpenAiApi(), calls_at_once=1, deadline_seconds=0.2) as target:
        made = await target.make(dataclasses.replace(STREAM, cancellation=cancellation), now())
    assert (made.is_cancelled, made.error) == (False, "DEADLINE_EXCEEDED")
