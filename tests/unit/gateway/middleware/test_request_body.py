"""Reading a body: its limits and its encoding."""

import asyncio

import pytest

from phonoscope.gateway.middleware.request_body import BodyLimits, BodyReader
from phonoscope.gateway.problems import ProblemError
from phonoscope.gateway.schemas import LegacyBody, SpeechBody

JSON = ((b"content-type", b"application/json; charset=utf-8"),)


def reader(limits=None, schema=SpeechBody, on_large=lambda: None):
    return BodyReader(limits or BodyLimits(10, 20.0), schema, on_large)


async def read(*parts, headers=JSON, **options):
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]

    async def receive():
        if not messages:
            await asyncio.Event().wait()  # the rest never arrives
        return messages.pop(0)

    return await reader(**options).read({"type": "http", "headers": headers}, receive)


async def rejected(*parts, **options):
    with pytest.raises(ProblemError) as caught:
        await read(*parts, **options)
    return int(caught.value.problem.status), caught.value.problem.reason, caught.value.problem.detail


async def test_parts_are_joined_up_to_the_limit():
    assert await read(b"01234", b"56789") == b"0123456789"


async def test_a_body_beyond_the_limit_is_rejected_by_its_header_or_its_parts():
    text = "the request body is larger than 10 bytes; send less text, or use WebSocket /v1/speech/stream"
    assert await rejected(b"01234", b"567890") == (413, "BODY_TOO_LARGE", text)
    assert await rejected(headers=(*JSON, (b"content-length", b"11"))) == (413, "BODY_TOO_LARGE", text)


async def test_a_body_that_does_not_arrive_in_time_is_rejected():
    async def receive():
        await asyncio.Event().wait()

    with pytest.raises(ProblemError) as caught:
        await reader(BodyLimits(10, 0.0)).read({"type": "http", "headers": JSON}, receive)
    assert caught.value.problem.reason == "BODY_LATE"


@pytest.mark.parametrize("headers", [(), ((b"content-type", b"text/plain"),)])
async def test_another_content_type_is_rejected(headers):
    status, reason, _ = await rejected(b"{}", headers=headers)
    assert (status, reason) == (415, "CONTENT_TYPE_UNKNOWN")


async def test_bytes_that_are_not_utf8_are_rejected_with_their_place():
    status, reason, detail = await rejected(b'"a\xff"')
    assert (status, reason) == (400, "BODY_INVALID")
    assert detail == "the request body is not valid UTF-8: invalid start byte at byte 2; send JSON in UTF-8"


RECORDINGS = BodyLimits(10, 20.0, max_recording_bytes=30)
WITH_RECORDING = b'{"reference": {"audio": "AAAAAAAA"}}'


async def test_a_body_with_a_recording_may_be_larger_and_says_so():
    larger = []
    options = {"limits": RECORDINGS, "on_large": lambda: larger.append(1)}
    assert await read(WITH_RECORDING[:9], WITH_RECORDING[9:], **options) == WITH_RECORDING
    assert larger == [1]
    assert await read(b"{}", **options) == b"{}"
    assert larger == [1], "a small body is none"


async def test_only_recordings_may_be_larger():
    text = "the request body is larger than 10 bytes besides up to 30 bytes of recordings; send less text, or use "
    text += "WebSocket /v1/speech/stream"
    assert await rejected(b'{"text": "a longer text"}', limits=RECORDINGS) == (413, "BODY_TOO_LARGE", text)
    assert await rejected(WITH_RECORDING + b" " * 20, limits=RECORDINGS) == (413, "BODY_TOO_LARGE", text)
    assert (await rejected(WITH_RECORDING, limits=RECORDINGS, schema=LegacyBody))[0] == 413


async def test_a_form_becomes_json_where_recordings_are_taken():
    body = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nHi\r\n--b--\r\n'
    headers = ((b"content-type", b"multipart/form-data; boundary=b"),)
    limits = BodyLimits(100, 20.0)
    assert await read(body, headers=headers, limits=limits) == b'{"text": "Hi"}'
    other = await rejected(body, headers=headers, limits=limits, schema=LegacyBody)
    assert other[:2] == (415, "CONTENT_TYPE_UNKNOWN")
