"""pydantic's validation errors as a problem that lists the valid names. Called by error_handlers.py and the socket."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from pydantic_core import ErrorDetails

from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.problems import Problem
from phonoscope.gateway.schemas import RECORDINGS, RequestModel

SchemaClass = type[RequestModel]
SchemaClasses = SchemaClass | Mapping[str, SchemaClass] | None
WRAPPERS: Final = ("body", "query", "path", "header")
NOT_AN_OBJECT: Final = ("model_attributes_type", "model_type", "missing", "dict_type")
# Members whose values are never in errors: what is spoken, and recordings with their transcripts.
PRIVATE: Final = frozenset(("text", "ssml", "input", *RECORDINGS))
MAX_SHOWN_CHARACTERS: Final = 48
MAX_ERRORS: Final = 16


def problem_from_validation(errors: Sequence[ErrorDetails], models: SchemaClasses) -> Problem:
    """Returns the problem of a body or message that is not valid.

    Args:
        errors: as pydantic returns them.
        models: the expected schema, or the schemas by `type`; for the names of valid members.
    """
    violations = [_violation(error, models) for error in errors[:MAX_ERRORS]]
    detail = "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations)
    return Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", detail, [v for v in violations if v.field])


def _violation(error: ErrorDetails, models: SchemaClasses) -> FieldViolation:
    place = [part for part in error["loc"] if part not in WRAPPERS]
    if error["type"] == "json_invalid":
        cause = error.get("ctx", {}).get("error", "")
        return FieldViolation("", f"not valid JSON: {cause}; send an object such as {_example(models)}")
    if not place and error["type"] in NOT_AN_OBJECT:
        return FieldViolation("", f"not a JSON object; send one such as {_example(models)}")
    model = models
    if isinstance(models, Mapping):
        model = models.get(str(place[0])) if place else None
        place = place[1:]
    field = ".".join(str(part) for part in place) or error.get("ctx", {}).get("field", "")
    if error["type"] == "extra_forbidden" and isinstance(model, type) and len(place) == 1:
        return FieldViolation(field, f"is unknown; valid members: {', '.join(model.model_fields)}")
    return FieldViolation(field, f"{_message(error)}{_received(error)}")


def _example(models: SchemaClasses) -> str:
    return models.EXAMPLE if isinstance(models, type) else '{"type": "text", "text": "Hello."}'


def _message(error: ErrorDetails) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _received(error: ErrorDetails) -> str:
    """Returns the received value if it is short and plain; text for synthesis never appears in errors."""
    value = error.get("input")
    if isinstance(value, bool | int | float) or value is None:
        return "" if error["type"] == "missing" else f", got {value!r}"
    if isinstance(value, str) and len(value) <= MAX_SHOWN_CHARACTERS and not PRIVATE & set(error["loc"]):
        return f", got {value!r}"
    return ""
