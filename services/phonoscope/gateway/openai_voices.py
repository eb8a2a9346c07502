"""Which voice a name in a request to OpenAI's API stands for. Used by openai_routes.py.

Kokoro has voices with names of OpenAI's, such as af_alloy and am_echo: they speak for OpenAI's names when the speech
server has loaded them, and so do voices that have such a name as their own or as an alias.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from phonoscope.gateway.backend.base import Backend, Voice

KEPT_SECONDS: Final = 10.0
"""How long a list of voices is used, so that few requests wait for one."""
_PREFIX: Final = re.compile(r"[a-z][fm]_")  # Kokoro's letters of language and gender
_NAME_IN_MIXTURE: Final = re.compile(r"(?<![^+])[^+()]+")


class OpenAiVoices:
    """Finds the voices of names.

    Args:
        backend: lists the loaded voices.
        names: voice by OpenAI's name; "" for the loaded voice of that name, or the default voice if there is none.
        clock: seconds, monotonic.
    """

    def __init__(
        self, backend: Backend, names: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend = backend
        self._names = names
        self._clock = clock
        self._listed: Sequence[Voice] = ()
        self._listed_until = -float("inf")

    def follows_language(self, name: str) -> bool:
        """Returns whether a name selects a voice of the request's language; other names have a language."""
        return self._names.get(name, name) == ""

    async def find(self, name: str, language: str, timeout_seconds: float) -> str:
        """Returns what to send to the speech server; "" for the default voice, or the first of the language.

        Args:
            name: as received; OpenAI's names in a mixture are replaced, too.
            language: that the request asks for, as a BCP 47 tag, or "auto"; "" if it does not.
            timeout_seconds: for a list of the voices.

        Raises:
            BackendError: the voices cannot be listed.
        """
        known = [part.strip() for part in _NAME_IN_MIXTURE.findall(name)]
        if any(self.follows_language(each) for each in known):
            await self._list(timeout_seconds)
        if known != [name]:
            return _NAME_IN_MIXTURE.sub(lambda match: self._in_mixture(match[0].strip()), name)
        return self._loaded(name, language) if self.follows_language(name) else self._names.get(name, name)

    def _in_mixture(self, name: str) -> str:
        return (self._loaded(name, "") if self.follows_language(name) else self._names.get(name)) or name

    def _loaded(self, name: str, language: str) -> str:
        """Returns the first loaded voice of a name that speaks a language; "" if there is none."""
        of_name = (voice for voice in self._listed if name in (voice.id, _PREFIX.sub("", voice.id), *voice.aliases))
        found = next((voice for voice in of_name if _speaks(voice, language)), None)
        if found is None:
            return ""
        return name if name in found.aliases else found.id

    async def _list(self, timeout_seconds: float) -> None:
        if self._clock() >= self._listed_until:
            self._listed = await self._backend.list_voices(timeout_seconds)
            self._listed_until = self._clock() + KEPT_SECONDS


def _speaks(voice: Voice, language: str) -> bool:
    wanted = language.replace("_", "-").lower()
    return not wanted or f"{voice.language.lower()}-".startswith(f"{wanted}-")
