"""Answers calls before the voices are loaded: built before them, receives the synthesizer later."""

from typing import Final

from phonoscope.common.errors import NotReady
from phonoscope.server.speech.synthesizer import Synthesizer

RETRY_SECONDS: Final = 1.0


class Speech:
    """Holds the synthesizer once it exists, so that the server can report earlier that it is not ready."""

    def __init__(self) -> None:
        self._synthesizer: Synthesizer | None = None

    def begin(self, synthesizer: Synthesizer) -> None:
        """Uses that synthesizer from now on."""
        self._synthesizer = synthesizer

    def synthesizer(self) -> Synthesizer:
        """Returns the synthesizer.

        Raises:
            NotReady: voices are still being loaded.
        """
        if self._synthesizer is None:
            raise NotReady(
                "the server is still loading its voices; call again after the delay",
                reason="WARMING_UP",
                retry_after_seconds=RETRY_SECONDS,
            )
        return self._synthesizer
