"""The names of request fields in each HTTP API, for errors of the speech server. Used by problems.py.

The speech server names fields of its contract; the client knows the members of the body that it sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_INDEX: Final = re.compile(r"\[(\d+)\]")
_SSML_ADVICE: Final = ", or ssml"


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The names of one API.

    Attributes:
        members: member of the body by option, where the names differ.
        words: member by the name of the contract, for what descriptions recommend.
        has_ssml: whether the API accepts documents; the others do not recommend them.
    """

    members: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    has_ssml: bool = False

    def member(self, option: str) -> str:
        """Returns the member of an option; pronunciations[0] is pronunciations.0."""
        return self.members.get(option) or _INDEX.sub(r".\1", option)

    def reworded(self, description: str) -> str:
        """Returns a description with the names of this API."""
        for contract, member in self.words.items():
            description = re.sub(rf"\b{contract}\b", member, description)
        return description if self.has_ssml else description.replace(_SSML_ADVICE, "")


NATIVE: Final = FieldNames(
    members={"timing_types": "timings"},
    words={"timing_types": "timings", "speaker_id": "voice"},
    has_ssml=True,
)
OPENAI: Final = FieldNames(
    members={
        "text": "input",
        "language": "lang_code",
        "encoding": "response_format",
        "sample_rate_hz": "response_format",
    },
    words={"speaker_id": "voice", "leave language": "leave lang_code"},
)
LEGACY: Final = FieldNames(members={"voice": "speaker_id"})
_BY_PATH: Final[Mapping[str, FieldNames]] = {"/v1/audio/speech": OPENAI, "/api/tts": LEGACY}


def field_names(path: str) -> FieldNames:
    """Returns the names of the API of a path."""
    return _BY_PATH.get(path, NATIVE)
