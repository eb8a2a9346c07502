"""The schema of the request body of each path. Used by app.py and error_handlers.py."""

from collections.abc import Mapping
from typing import Final

from phonoscope.gateway.openai_body import LenientOpenAiBody
from phonoscope.gateway.schemas import LegacyBody, RequestModel, SpeechBody

BODY_SCHEMAS: Final[Mapping[str, type[RequestModel]]] = {
    "/v1/speech": SpeechBody,
    "/v1/audio/speech": LenientOpenAiBody,
    "/api/tts": LegacyBody,
}
"""The schema of the request body, by path; `--openai-strict` has fewer members in the second."""
