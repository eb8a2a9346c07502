"""⑤ How fast the engine is, learned from its own turns: what `policy.py` sizes windows by and `admission.py` promises.

Pure: fed by `scheduler.py` with what was rendered and how long it took. Old turns fade, so that both follow a machine
that becomes slower or faster.
"""

import math
from typing import Final

# Weight of what is known at each new turn: half of it comes from the last 34 turns.
MEMORY: Final = 0.98
# Turns before anything is said; the first ones of a process are slow.
FEWEST_TURNS: Final = 8
# Time without turns after which half of what the estimate exceeds the best one by is forgotten.
HALF_LIFE_SECONDS: Final = 5.0
SMALLEST_KEPT: Final = 1e-6


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
    """Engine seconds per second of audio, as the sum of both halves; each is a mean of complete observations.

    A `prepare` is weighed against the audio that it planned, a `render` against the audio that it made. A request that
    is cancelled between the two therefore leaves no cost behind without its audio. What was learned also fades with
    time, towards the best estimate that this device has shown: a slow spell is forgotten on an idle machine.
    """

    def __init__(self) -> None:
        self._turns = 0
        self._prepare, self._render = _Ratio(), _Ratio()
        self._best: float | None = None
        self._observed_at = 0.0

    def prepared(self, engine_seconds: float, audio_seconds: float, now: float) -> None:
        """Takes in a `prepare` and the audio that it planned; times are of one monotonic clock, in seconds."""
        self._fade(now)
        self._prepare.add(engine_seconds, audio_seconds)

    def rendered(self, engine_seconds: float, audio_seconds: float, now: float) -> None:
        """Takes in a `render` and the audio that it made."""
        self._fade(now)
        self._turns += 1
        self._render.add(engine_seconds, audio_seconds)
        if self._turns >= FEWEST_TURNS:
            learned = self._learned
            self._best = learned if self._best is None else min(self._best, learned)

    def engine_seconds_per_audio_second(self, now: float) -> float | None:
        """Returns the pace as it is believed at `now`; None while too little is known."""
        if self._best is None:
            return None
        return self._best + (self._learned - self._best) * _kept_after(now - self._observed_at)

    @property
    def _learned(self) -> float:
        return self._prepare.value + self._render.value

    def _fade(self, now: float) -> None:
        """Lets old observations weigh less than the one that follows, by the time between them."""
        kept = _kept_after(now - self._observed_at)
        self._prepare.fade(kept)
        self._render.fade(kept)
        self._observed_at = now


class _Ratio:
    """A mean of engine seconds per audio second that fades with each observation."""

    def __init__(self) -> None:
        self._engine_seconds = self._audio_seconds = 0.0

    def add(self, engine_seconds: float, audio_seconds: float) -> None:
        self._engine_seconds = MEMORY * self._engine_seconds + engine_seconds
        self._audio_seconds = MEMORY * self._audio_seconds + audio_seconds

    def fade(self, kept: float) -> None:
        self._engine_seconds *= kept
        self._audio_seconds *= kept

    @property
    def value(self) -> float:
        """The mean; 0 before the first observation."""
        return self._engine_seconds / self._audio_seconds if self._audio_seconds else 0.0


def _kept_after(seconds: float) -> float:
    """Returns the share that is left after so many seconds."""
    # Bounded, so that an idle day does not reduce the sums to nothing.
    return max(SMALLEST_KEPT, math.exp2(-max(0.0, seconds) / HALF_LIFE_SECONDS))
