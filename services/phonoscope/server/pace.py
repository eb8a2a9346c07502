"""⑤ How fast the engine is, learned from its own turns: what `policy.py` sizes windows by and `admission.py` promises.

Pure: fed by `scheduler.py` with what was rendered and how long it took. Old turns fade, so that both follow a machine
that becomes slower or faster.
"""

from typing import Final

# Weight of what is known at each new turn: half of it comes from the last 34 turns.
MEMORY: Final = 0.98
# Turns before anything is said; the first ones of a process are slow.
FEWEST_TURNS: Final = 8


class RenderCost:
    """The time of a render as a line over its frames, by least squares with fading memory."""

    def __init__(self) -> None:
        self._turns = 0
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    def learn(self, frames: int, seconds: float) -> None:
        """Takes in a render of so many frames, all its windows together."""
        self._turns += 1
        for name, value in (
            ("_weight", 1.0),
            ("_x", frames),
            ("_y", seconds),
            ("_xx", frames * frames),
            ("_xy", frames * seconds),
        ):
            setattr(self, name, MEMORY * getattr(self, name) + value)

    def seconds(self, frames: int) -> float | None:
        """Returns the time that a render of so many frames takes; None while too little is known."""
        if self._turns < FEWEST_TURNS:
            return None
        spread = self._weight * self._xx - self._x * self._x
        slope = (self._weight * self._xy - self._x * self._y) / spread if spread > self._xx else 0.0
        slope = max(slope, 0.0) or self._y / self._x
        fixed = max(0.0, (self._y - slope * self._x) / self._weight)
        return fixed + slope * frames


class Pace:
    """Engine seconds per second of audio, everything included, with fading memory."""

    def __init__(self) -> None:
        self._turns = 0
        self._engine_seconds = self._audio_seconds = 0.0

    def prepared(self, engine_seconds: float) -> None:
        """Takes in the time of a prepare."""
        self._engine_seconds += engine_seconds

    def rendered(self, engine_seconds: float, audio_seconds: float) -> None:
        """Takes in a render and the audio that it made."""
        self._turns += 1
        self._engine_seconds = MEMORY * self._engine_seconds + engine_seconds
        self._audio_seconds = MEMORY * self._audio_seconds + audio_seconds

    @property
    def engine_seconds_per_audio_second(self) -> float | None:
        """The pace; None while too little is known."""
        if self._turns < FEWEST_TURNS or not self._audio_seconds:
            return None
        return self._engine_seconds / self._audio_seconds
