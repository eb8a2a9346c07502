"""Measures the phases of the server's start. Used by `__main__.py`."""

import time
from collections.abc import Callable

from phonoscope.common.process_age import process_age_seconds
from phonoscope.server.events import Emit, StartupPhase, StartupPhaseEnded


class StartupTimer:
    """Divides the time from the start of the process into phases; made as early as the program can.

    Args:
        age_seconds: of the process.
        clock: seconds, monotonic.
    """

    def __init__(
        self, age_seconds: Callable[[], float] = process_age_seconds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._imports_ended = clock()
        self._began = self._ended = self._imports_ended - age_seconds()
        self.phases: dict[StartupPhase, float] = {}

    def end_imports(self, emit: Emit) -> None:
        """Ends the first phase, "import", at the time at which this object was made."""
        self._end("import", self._imports_ended, emit)

    def end(self, phase: StartupPhase, emit: Emit) -> None:
        """Ends a phase, which began when the previous one ended."""
        self._end(phase, self._clock(), emit)

    def total_seconds(self) -> float:
        """Returns the time since the process was started."""
        return self._clock() - self._began

    def _end(self, phase: StartupPhase, now: float, emit: Emit) -> None:
        self.phases[phase] = now - self._ended
        self._ended = now
        emit(StartupPhaseEnded(phase, self.phases[phase]))
