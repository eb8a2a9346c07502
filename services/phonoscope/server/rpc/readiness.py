"""Whether the server can speak: what answers calls before the voices are loaded, and the health that it reports."""

from collections.abc import Iterable
from typing import Final

from phonoscope.common.errors import NotReady
from phonoscope.common.health import LIVENESS, Health, set_ready
from phonoscope.server.scheduling.scheduler import Scheduler
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
                "the server is still loading its voices; retry after the delay",
                reason="WARMING_UP",
                retry_after_seconds=RETRY_SECONDS,
            )
        return self._synthesizer


async def report_lost_engine(health: Health, services: Iterable[str], scheduler: Scheduler) -> None:
    """Reports all services, and liveness, as NOT_SERVING once an engine is lost: only a restart helps."""
    await scheduler.wait_until_lost()
    await set_ready(health, (*services, LIVENESS), is_serving=False)
