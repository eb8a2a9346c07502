"""The responses in the OpenAPI document, which FastAPI serves at /openapi.json. An integration test checks them."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI

from phonoscope.gateway.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "reason"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "retry_after": {"type": "number"},
    },
}
_OPENAI_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message", "type"]}},
}
_MEANINGS: Final = {
    400: "The request is not valid; `errors` lists the fields and how to fix them.",
    401: "The API key is missing or not valid.",
    404: "The path or the model does not exist.",
    408: "The request body did not arrive in time.",
    413: "The request body is too large.",
    415: "The Content-Type is not application/json.",
    429: "The speech server is overloaded; retry after the time in Retry-After.",
    500: "Internal error in the speech server or the gateway.",
    501: "The voice or the speech server does not support this feature.",
    502: "The speech server rejected the gateway's credentials.",
    503: "The speech server or the gateway is not ready, or the gateway has too many open requests; see Retry-After.",
    504: "The request did not complete before its deadline.",
}


def _errors(media_type: str, schema: dict[str, Any]) -> Responses:
    return {
        status: {"description": meaning, "content": {media_type: {"schema": schema}}}
        for status, meaning in _MEANINGS.items()
    }


PROBLEM_RESPONSES: Final = _errors(MEDIA_TYPE, _PROBLEM)
OPENAI_ERROR_RESPONSES: Final = _errors("application/json", _OPENAI_ERROR)
STATUSES: Final = (200, *_MEANINGS)

_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
AUDIO_RESPONSES: Final[Responses] = {
    200: {
        "description": "The audio, sent while the rest is being synthesized; or server-sent events that contain it.",
        "content": dict.fromkeys(
            ("audio/pcm", "audio/wav", "audio/flac", "audio/ogg", "audio/mpeg", "audio/aac", "audio/basic"), _BYTES
        )
        | {"audio/x-alaw-basic": _BYTES, "text/event-stream": {"schema": {"type": "string"}}},
    }
}


def _object(description: str, **properties: str) -> Responses:
    schema = {
        "type": "object",
        "required": list(properties),
        "properties": {name: {"type": kind} for name, kind in properties.items()},
    }
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


VOICES_RESPONSES: Final = _object("The voices.", voices="array")
MODELS_RESPONSES: Final = _object("The models.", object="string", data="array")
MODEL_RESPONSES: Final = _object("The model.", id="string", object="string", created="integer", owned_by="string")
SPEECH_MODELS_RESPONSES: Final = _object("The models.", models="array")
LEGACY_RESPONSES: Final = _object(
    "The audio of the whole text.", audio_data="string", sample_rate="integer", status="string"
)


def document_of(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """Returns FastAPI's document without status 422, which it declares for every body: here that is a 400."""
    generate = api.openapi

    def document() -> dict[str, Any]:
        generated = generate()
        for path in generated["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            generated.get("components", {}).get("schemas", {}).pop(name, None)
        return generated

    return document
