"""⑤ What the engine's turns cost, learned from the turns themselves.

Pure: `scheduler.py` adds every turn, with its lock held. `policy.py` sizes windows by the estimates, `admission.py`
decides by them who can be served.

An estimate has two parts. The shape, a line over the size of a turn, is a property of the engine and is learned
slowly. The slowdown, how long the latest turns took compared with the shape, follows the machine within some ten
turns. Without turns the slowdown fades towards the best one seen: an estimate that forbids work must not outlive the
load that caused it. Only complete turns count, each with the audio that it planned or made, so a cancelled request
leaves no cost behind without its audio.
"""

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.server.engines.base import Plan, Window
from phonoscope.server.types import Utterance

# Weight of the shape's sums that is kept at each turn: half of it comes from the latest 34 turns.
KEPT_PER_TURN: Final = 0.98
# Turns before there is an estimate: one turn alone may have been disturbed.
MIN_TURNS: Final = 8
# The first turns of a process are slow for reasons of their own. Until there were so many the fastest quarter counts.
SETTLING_TURNS: Final = 40
# Turns that the slowdown is the mean of, and how many of the slowest and of the fastest are left out of it.
RECENT_TURNS: Final = 12
TRIMMED_TURNS: Final = 2
# A turn may differ from the estimate by this factor and still shape the line in full; beyond, it counts as this.
MAX_DEVIATION: Final = 4.0
# A promise lasts for seconds, so it counts with the largest slowdown of this time, up to this many times the latest.
PROMISE_SECONDS: Final = 10.0
MAX_CAUTION: Final = 1.4
# The slowdown is at most this many times the best one: a stall of the whole machine is no property of the engine.
MAX_SLOWDOWN: Final = 100.0
# What a clock may not resolve: no turn takes no time.
SHORTEST_TURN_SECONDS: Final = 1e-7
# Half of what the slowdown exceeds the best one by is forgotten after this time without turns.
HALF_LIFE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Estimates:
    """What is believed at one moment.

    Attributes:
        real_time_factor: engine seconds for a second of audio, all stages together.
        first_audio_seconds: engine time from text to a stream's first window, on an engine that does nothing else.
        slowdown: how many times slower the engine is than at its best.
    """

    real_time_factor: float
    first_audio_seconds: float
    slowdown: float


class TurnCost:
    """Engine seconds of one stage's turns, by their size: phonemes to prepare, or frames to render."""

    def __init__(self) -> None:
        self._turns = 0
        # Fading sums over past turns of 1, size, seconds, size squared and size times seconds; of members and audio.
        self._n = self._x = self._y = self._xx = self._xy = self._audio_seconds = 0.0
        self._members = 0.0
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT_TURNS)  # (size, seconds)
        self._slowdown = 1.0
        self._best_slowdown = math.inf
        self._latest = 0.0
        self._peak_slowdown = self._peak_at = 0.0

    @property
    def is_known(self) -> bool:
        """Whether there is an estimate."""
        return self._turns >= MIN_TURNS

    def learn(self, seconds: float, *, members: int, size: int, audio_seconds: float, now: float) -> None:
        """Adds a turn; `size` and `audio_seconds` are those of all its members together."""
        seconds = max(seconds, SHORTEST_TURN_SECONDS)
        self._turns += 1
        self._recent.append((size, seconds))
        self._shape(*self._settled_turn())
        self._members = KEPT_PER_TURN * self._members + members
        self._audio_seconds = KEPT_PER_TURN * self._audio_seconds + audio_seconds
        if self.is_known:
            self._measure_slowdown()
        self._latest = now
        if self._slowdown >= self._peak_slowdown or now - self._peak_at >= PROMISE_SECONDS:
            self._peak_slowdown, self._peak_at = self._slowdown, now

    def seconds(self, size: float, now: float, turns: int = 1) -> float:
        """Returns the time that this much takes in so many turns; 0 before the first turn."""
        fixed, slope = self._line()
        return self._slowdown_at(now) * (fixed * turns + slope * size)

    def seconds_per_audio_second(self, now: float) -> float:
        """Returns the time that a second of audio takes in turns like the latest ones; 0 before the first turn.

        It is meant for promises, and cautious: machines that are shared are slow and fast by turns.
        """
        if not self._audio_seconds:
            return 0.0
        fixed, slope = self._line()
        slowdown = self._slowdown_at(now)
        if now - self._peak_at < PROMISE_SECONDS:
            slowdown = max(slowdown, min(self._peak_slowdown, MAX_CAUTION * slowdown))
        return slowdown * (fixed * self._n + slope * self._x) / self._audio_seconds

    def slowdown(self, now: float) -> float:
        """Returns how many times slower the latest turns were than the best ones, 1 or more."""
        return max(1.0, self._slowdown_at(now) / self._best_slowdown) if self.is_known else 1.0

    @property
    def mean_size(self) -> float:
        """Size of a member of a turn, on average over the latest ones; 0 before the first turn."""
        return self._x / self._members if self._members else 0.0

    @property
    def audio_seconds_per_size(self) -> float:
        """Audio of one unit of size, on average over the latest turns; 0 before the first turn."""
        return self._audio_seconds / self._x if self._x else 0.0

    def _settled_turn(self) -> tuple[float, float]:
        """Returns the size of the turn in the middle of the latest ones, and its time without their slowdown.

        Those before and after it tell a machine that became slower from a size that costs more than expected.
        """
        if len(self._recent) < RECENT_TURNS:
            return self._recent[-1]
        size, seconds = self._recent[RECENT_TURNS // 2]
        fixed, slope = self._line()
        return size, seconds / statistics.median(taken / (fixed + slope * of) for of, taken in self._recent)

    def _shape(self, size: float, seconds: float) -> None:
        """Adds a turn, as long as it would have taken without the slowdown, to the line."""
        typical, before = self.mean_size, 0.0
        if self.is_known:
            fixed, slope = self._line()
            before, expected = fixed + slope * typical, fixed + slope * size
            seconds = min(max(seconds, expected / MAX_DEVIATION), expected * MAX_DEVIATION)
        keep = KEPT_PER_TURN
        self._n = keep * self._n + 1
        self._x = keep * self._x + size
        self._y = keep * self._y + seconds
        self._xx = keep * self._xx + size * size
        self._xy = keep * self._xy + size * seconds
        if before:  # the line is for the shape: what it says of a typical turn at the best of times stays as it was
            fixed, slope = self._line()
            self._best_slowdown *= before / (fixed + slope * typical)

    def _line(self) -> tuple[float, float]:
        """Returns the line by least squares: seconds of a turn, and of each unit of size; neither is below 0."""
        if not self._x:
            return 0.0, 0.0
        spread = self._n * self._xx - self._x * self._x
        if spread <= 1e-6 * self._n * self._xx:  # turns of one size
            return 0.0, self._y / self._x
        slope = max(0.0, (self._n * self._xy - self._x * self._y) / spread)
        fixed = (self._y - slope * self._x) / self._n
        return (fixed, slope) if fixed >= 0 else (0.0, self._y / self._x)

    def _measure_slowdown(self) -> None:
        fixed, slope = self._line()
        ratios = sorted(seconds / (fixed + slope * size) for size, seconds in self._recent)
        trimmed = min(TRIMMED_TURNS, (len(ratios) - 1) // 2)
        kept = ratios[trimmed : len(ratios) - trimmed]
        mean = ratios[len(ratios) // 4] if self._turns < SETTLING_TURNS else sum(kept) / len(kept)
        if len(ratios) == RECENT_TURNS or math.isinf(self._best_slowdown):
            self._best_slowdown = min(self._best_slowdown, mean)
        self._slowdown = min(mean, MAX_SLOWDOWN * self._best_slowdown)

    def _slowdown_at(self, now: float) -> float:
        """Returns the slowdown as it is believed at a time."""
        if math.isinf(self._best_slowdown):
            return self._slowdown
        kept = math.exp2(-max(0.0, now - self._latest) / HALF_LIFE_SECONDS)
        excess = max(0.0, self._slowdown - self._best_slowdown)
        return min(self._slowdown, self._best_slowdown) + excess * kept


class CostModel:
    """What `prepare` and `render` cost on this engine, on this machine, now. Times are of one monotonic clock."""

    def __init__(self) -> None:
        self._prepare, self._render = TurnCost(), TurnCost()

    @property
    def is_known(self) -> bool:
        """Whether enough turns were seen for estimates."""
        return self._render.is_known and self._prepare.mean_size > 0

    def prepared(self, seconds: float, batch: Sequence[Utterance], plans: Sequence[Plan], now: float) -> None:
        """Adds a `prepare` that took so many seconds."""
        phonemes = sum(len(utterance.phoneme_ids) for utterance in batch)
        audio_seconds = sum(plan.audio_seconds for plan in plans)
        self._prepare.learn(seconds, members=len(plans), size=phonemes, audio_seconds=audio_seconds, now=now)

    def rendered(self, seconds: float, windows: Sequence[Window], now: float) -> None:
        """Adds a `render` that took so many seconds."""
        frames, audio_seconds = sum(one.frames for one in windows), sum(one.audio_seconds for one in windows)
        self._render.learn(seconds, members=len(windows), size=frames, audio_seconds=audio_seconds, now=now)

    @property
    def frame_seconds(self) -> float:
        """Audio of a frame, on average over the latest turns; 0 while unknown."""
        return self._render.audio_seconds_per_size

    def prepare_factor(self, now: float) -> float:
        """Returns the time of `prepare` for a second of audio; 0 while unknown."""
        return self._prepare.seconds_per_audio_second(now)

    def prepare_seconds(self, phonemes: float, now: float, turns: int = 1) -> float:
        """Returns the time to prepare so many phonemes in so many turns; 0 while unknown."""
        return self._prepare.seconds(phonemes, now, turns) if self.is_known else 0.0

    def render_seconds(self, frames: float, now: float, turns: int = 1) -> float:
        """Returns the time to render so many frames in so many turns; 0 while unknown."""
        return self._render.seconds(frames, now, turns) if self.is_known else 0.0

    def first_audio_seconds(self, first_window_frames: int, now: float) -> float:
        """Returns the time to prepare an average utterance and render a first window of it; 0 while unknown."""
        return self.prepare_seconds(self._prepare.mean_size, now) + self.render_seconds(first_window_frames, now)

    def estimates(self, first_window_frames: int, now: float) -> Estimates | None:
        """Returns what is believed at `now`; None while too little is known.

        Args:
            first_window_frames: size of a stream's first window.
            now: on the clock of the turns, in seconds.
        """
        if not self.is_known:
            return None
        return Estimates(
            self._prepare.seconds_per_audio_second(now) + self._render.seconds_per_audio_second(now),
            self.first_audio_seconds(first_window_frames, now),
            self._render.slowdown(now),
        )
