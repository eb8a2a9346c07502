"""Which voices ListVoices returns. `rpc/wire.py` makes a query of a request."""

from dataclasses import dataclass
from typing import Self

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.messages import shown
from phonoscope.server.request.voice_choice import speaks
from phonoscope.server.types import GENDERS, Gender, Voice


@dataclass(frozen=True, slots=True)
class VoiceQuery:
    """What a voice must have; "" means any.

    Attributes:
        language: a BCP 47 tag; "en" covers "en-US".
        engine: name of an engine, such as "kokoro".
    """

    language: str = ""
    gender: Gender = ""
    engine: str = ""

    @classmethod
    def of(cls, language: str, gender: str, engine: str) -> Self:
        """Returns the query of a request's fields. Raises InvalidRequest for an unknown gender."""
        for known in GENDERS:
            if known == gender:
                return cls(language, known, engine)
        names = ", ".join(f"GENDER_{known.upper()}" for known in GENDERS if known)
        description = f"{shown(gender)} is unknown; use one of {names}, or leave it unset for all voices"
        raise InvalidRequest.of("gender", description, reason="GENDER_UNKNOWN")

    def matches(self, voice: Voice) -> bool:
        """Whether a voice has all of it."""
        return (
            (not self.language or speaks(voice, self.language))
            and self.gender in ("", voice.gender)
            and self.engine in ("", voice.engine)
        )
