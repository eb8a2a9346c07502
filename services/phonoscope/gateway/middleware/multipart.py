"""Turns a multipart/form-data body into the JSON body that it stands for. Called by request_body.py.

A part has the name of a JSON member, or a path such as reference.transcript; a part `reference` is the audio of one.
The rest of the gateway knows only JSON. Source: RFC 7578.
"""

import base64
import json
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from http import HTTPStatus
from typing import Final

from phonoscope.gateway.problems import Problem, ProblemError
from phonoscope.gateway.schemas import RECORDINGS, RequestModel

MAX_PARTS: Final = 64
_AUDIO: Final = "audio"
_LISTS: Final = ("timings",)


def json_of_multipart(body: bytes, content_type: str, schema: type[RequestModel]) -> bytes:
    """Returns the JSON of a form.

    Args:
        body: of the request, whole.
        content_type: the header, with the boundary.
        schema: of the JSON; members that are no texts there are JSON in their parts.

    Raises:
        ProblemError: it is not multipart/form-data.
    """
    members: dict[str, object] = {}
    for name, content in _parts(body, _boundary(content_type)):
        owner, _, member = name.partition(".")
        if owner in RECORDINGS:
            recording = members.setdefault(owner, {})
            assert isinstance(recording, dict)  # noqa: S101  nothing else is put there
            recording[member or _AUDIO] = _recording_member(member or _AUDIO, content)
        else:
            members[name] = _value(name, content, schema)
    return json.dumps(members).encode()


def _recording_member(member: str, content: bytes) -> str:
    return base64.b64encode(content).decode() if member == _AUDIO else _text(member, content)


def _value(name: str, content: bytes, schema: type[RequestModel]) -> object:
    """Returns a member's value: a text where the schema has one, else JSON, or a text that is not JSON."""
    text = _text(name, content)
    field = schema.model_fields.get(name)
    if field is None or field.annotation is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [part.strip() for part in text.split(",")] if name in _LISTS else text


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _invalid(f"the part {name} is not UTF-8; send texts in UTF-8, and audio as reference") from None


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary or not boundary.isascii():
        raise _invalid("the header Content-Type has no boundary; let the HTTP client write it")
    return b"--" + boundary.encode()


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields the name and the content of each part."""
    _, *parts = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if not parts or not parts[-1].startswith(b"--"):
        raise _invalid("the body does not end with its boundary; send all of it")
    if len(parts) - 1 > MAX_PARTS:
        raise _invalid(f"the body has more than {MAX_PARTS} parts; send one for each member")
    for part in parts[:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = BytesHeaderParser().parsebytes(head.lstrip()).get_param("name", header="content-disposition")
        if not blank or not isinstance(name, str) or not name:
            raise _invalid("a part has no name; send Content-Disposition: form-data; name=… with each")
        yield name, content


def _invalid(detail: str) -> ProblemError:
    return ProblemError(Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", f"not multipart/form-data: {detail}"))
