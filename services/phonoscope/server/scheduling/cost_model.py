"""The cost of an engine's steps, learned from the batches that it runs.

Pure: `scheduler.py` adds every batch, with its lock held. `policy.py` chooses the length of steps by the estimates,
`admission.py` admits requests by them. One CostModel for each engine, one KindCost for each kind of step.

An estimate has two parts. The shape, a line over the cost of a batch, is a property of the engine and is learned
slowly. The slowdown, how long the latest batches took compared with the shape, follows the machine within about ten
batches. Without batches the slowdown decays towards the best one seen: an estimate that forbids work must not outlive
the load that caused it. Only complete batches count, each with the audio that it planned or made, so a cancelled
request leaves no cost behind without its audio.
"""

import math
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Final

# Weight of the shape's sums that is kept at each batch: half of it comes from the latest 34 batches.
KEPT_PER_BATCH: Final = 0.98
# Batches before there is an estimate: a single batch may have been disturbed.
MIN_BATCHES: Final = 8
# The first batches of a process are untypically slow. Up to this number, only the fastest quarter counts.
SETTLING_BATCHES: Final = 40
# Batches whose mean is the slowdown, and how many of the slowest and of the fastest are excluded from it.
RECENT_BATCHES: Final = 12
TRIMMED_BATCHES: Final = 2
# A batch's ratio to its estimate is limited to this factor when the line learns from it.
MAX_DEVIATION: Final = 4.0
# A promise lasts for seconds, so it uses the largest slowdown of this time, up to this many times the latest.
PROMISE_SECONDS: Final = 10.0
MAX_CAUTION: Final = 1.4
# The slowdown is at most this many times the best one: a stall of the whole machine is not a property of the engine.
MAX_SLOWDOWN: Final = 100.0
# Clock resolution: no batch takes zero time.
SHORTEST_BATCH_SECONDS: Final = 1e-7
# Without batches, the slowdown's excess over the best one halves in this time.
HALF_LIFE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Estimates:
    """The estimates at one moment.

    Attributes:
        real_time_factor: engine seconds for a second of audio, all stages together.
        first_audio_seconds: engine time from text to a stream's first audio, on an idle engine.
        slowdown: ratio of the engine's current batch times to its best.
        whole_factor: engine seconds for a second of audio in the longest steps, without caution: for a reply that
            only has to be complete in time.
    """

    real_time_factor: float
    first_audio_seconds: float
    slowdown: float
    whole_factor: float


class KindCost:
    """Engine seconds of one kind's batches, by the sum of their steps' costs, and the audio that this work makes.

    Attributes:
        makes_audio: whether its steps make audio themselves, rather than prepare for it.
    """

    def __init__(self) -> None:
        self._batches = 0
        # Fading sums over past batches of 1, cost, seconds, cost squared and cost times seconds.
        self._n = self._x = self._y = self._xx = self._xy = 0.0
        self._line = 0.0, 0.0  # by least squares: seconds of a batch, and of each unit of size
        # Fading sums of cost, steps and utterances of the work whose audio is known, and of that audio.
        self._audio_cost = self._audio_seconds = self._audio_steps = self._utterances = 0.0
        self.makes_audio = False
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT_BATCHES)  # (size, seconds)
        self._slowdown = 1.0
        self._best_slowdown = math.inf
        self._latest = 0.0
        self._peak_slowdown = self._peak_at = 0.0

    @property
    def is_known(self) -> bool:
        """Whether there is an estimate."""
        return self._batches >= MIN_BATCHES

    def learn(self, seconds: float, cost: float, now: float) -> None:
        """Adds a batch; `cost` is that of all its steps together."""
        seconds = max(seconds, SHORTEST_BATCH_SECONDS)
        self._batches += 1
        self._recent.append((cost, seconds))
        self._shape(*self._settled_batch())
        if self.is_known:
            self._measure_slowdown()
        self._latest = now
        if self._slowdown >= self._peak_slowdown or now - self._peak_at >= PROMISE_SECONDS:
            self._peak_slowdown, self._peak_at = self._slowdown, now

    def learn_audio(self, cost: float, steps: int, audio_seconds: float, *, utterances: int) -> None:
        """Adds work whose audio is known: planned or rendered.

        Args:
            cost: of all its steps.
            steps: number of steps.
            audio_seconds: made by them, or of the whole utterances that they were for.
            utterances: number of utterances whose work of this kind is complete in it; 0 for a part of one.
        """
        keep = KEPT_PER_BATCH
        self.makes_audio |= not utterances
        self._audio_cost = keep * self._audio_cost + cost
        self._audio_steps = keep * self._audio_steps + steps
        self._audio_seconds = keep * self._audio_seconds + audio_seconds
        self._utterances = keep * self._utterances + utterances

    def rates(self, now: float) -> tuple[float, float]:
        """Returns the time of a batch, and of each unit of cost in it; 0 before the first batch."""
        fixed, slope = self._line
        slowdown = self._slowdown_at(now)
        return slowdown * fixed, slowdown * slope

    def seconds(self, cost: float, now: float, batches: float = 1) -> float:
        """Returns the time of this much work in this many batches; 0 before the first batch."""
        fixed, slope = self.rates(now)
        return fixed * batches + slope * cost

    def seconds_per_audio_second(self, now: float) -> float:
        """Returns the time of a second of audio in batches like the latest ones; 0 before any audio.

        It is for promises, and conservative: the speed of shared machines varies.
        """
        if not self._audio_seconds or not self._x:
            return 0.0
        fixed, slope = self._line
        slowdown = self._slowdown_at(now)
        if now - self._peak_at < PROMISE_SECONDS:
            slowdown = max(slowdown, min(self._peak_slowdown, MAX_CAUTION * slowdown))
        return slowdown * (fixed * self._n / self._x + slope) * self._audio_cost / self._audio_seconds

    def seconds_per_long_audio_second(self, step_seconds: float, now: float) -> float:
        """Returns the time of a second of audio in steps of this much; without caution, and 0 before any audio.

        The latest batches may have been short ones, whose fixed costs count for much more.
        """
        if not self._audio_seconds or not self._x:
            return 0.0
        fixed, slope = self._line
        batches = self._n * self._audio_cost / self._x / self._audio_seconds  # for a second of audio, lately
        if self.makes_audio and step_seconds:
            batches = min(batches, 1 / step_seconds)
        return self._slowdown_at(now) * (fixed * batches + slope * self._audio_cost / self._audio_seconds)

    def cost_of(self, audio_seconds: float) -> float:
        """Returns the average cost of this much audio over the latest steps; for 0, that of one step."""
        if not self._audio_seconds:
            return 0.0
        if not audio_seconds:
            return self._audio_cost / self._audio_steps
        return audio_seconds * self._audio_cost / self._audio_seconds

    def utterance_seconds(self, now: float) -> float:
        """Returns the time of all steps of an average utterance, each a batch by itself; 0 while unknown."""
        if not self._utterances or self.makes_audio:
            return 0.0
        return self.seconds(self._audio_cost / self._utterances, now, self._audio_steps / self._utterances)

    def slowdown(self, now: float) -> float:
        """Returns how many times slower the latest batches were than the best ones, 1 or more."""
        return max(1.0, self._slowdown_at(now) / self._best_slowdown) if self.is_known else 1.0

    def _settled_batch(self) -> tuple[float, float]:
        """Returns the cost of the middle one of the latest batches, and its time without their slowdown.

        The batches before and after it distinguish a slower machine from a size that costs more than expected.
        """
        if len(self._recent) < RECENT_BATCHES:
            return self._recent[-1]
        size, seconds = self._recent[RECENT_BATCHES // 2]
        fixed, slope = self._line
        return size, seconds / statistics.median(taken / (fixed + slope * of) for of, taken in self._recent)

    def _shape(self, size: float, seconds: float) -> None:
        """Adds a batch to the line, with its time corrected for the slowdown."""
        typical, before = self._x / self._n if self._n else 0.0, 0.0
        if self.is_known:
            fixed, slope = self._line
            before, expected = fixed + slope * typical, fixed + slope * size
            seconds = min(max(seconds, expected / MAX_DEVIATION), expected * MAX_DEVIATION)
        keep = KEPT_PER_BATCH
        self._n = keep * self._n + 1
        self._x = keep * self._x + size
        self._y = keep * self._y + seconds
        self._xx = keep * self._xx + size * size
        self._xy = keep * self._xy + size * seconds
        self._line = self._fit()
        if before:  # the line learns only the shape: a typical batch's best time stays unchanged
            fixed, slope = self._line
            self._best_slowdown *= before / (fixed + slope * typical)

    def _fit(self) -> tuple[float, float]:
        """Returns the line by least squares: seconds of a batch, and of each unit of size; neither is below 0."""
        if not self._x:
            return 0.0, 0.0
        spread = self._n * self._xx - self._x * self._x
        if spread <= 1e-6 * self._n * self._xx:  # batches of one size
            return 0.0, self._y / self._x
        slope = max(0.0, (self._n * self._xy - self._x * self._y) / spread)
        fixed = (self._y - slope * self._x) / self._n
        return (fixed, slope) if fixed >= 0 else (0.0, self._y / self._x)

    def _measure_slowdown(self) -> None:
        fixed, slope = self._line
        ratios = sorted(seconds / (fixed + slope * size) for size, seconds in self._recent)
        trimmed = min(TRIMMED_BATCHES, (len(ratios) - 1) // 2)
        kept = ratios[trimmed : len(ratios) - trimmed]
        mean = ratios[len(ratios) // 4] if self._batches < SETTLING_BATCHES else sum(kept) / len(kept)
        if len(ratios) == RECENT_BATCHES or math.isinf(self._best_slowdown):
            self._best_slowdown = min(self._best_slowdown, mean)
        self._slowdown = min(mean, MAX_SLOWDOWN * self._best_slowdown)

    def _slowdown_at(self, now: float) -> float:
        """Returns the estimated slowdown at a time."""
        if math.isinf(self._best_slowdown):
            return self._slowdown
        kept = math.exp2(-max(0.0, now - self._latest) / HALF_LIFE_SECONDS)
        excess = max(0.0, self._slowdown - self._best_slowdown)
        return min(self._slowdown, self._best_slowdown) + excess * kept


class CostModel:
    """The current cost of one engine's steps on this machine. Times are of one monotonic clock.

    Attributes:
        is_known: whether there are estimates: enough batches of every kind that makes audio, one of each other kind.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, KindCost] = {}
        self.is_known = False

    def _note_known(self) -> None:
        makers = [kind for kind in self._kinds.values() if kind.makes_audio]
        self.is_known = bool(makers) and all(kind.is_known for kind in makers)

    def learn(self, kind: str, seconds: float, cost: float, now: float) -> None:
        """Adds a batch of steps of one kind that took this many seconds."""
        self._kinds.setdefault(kind, KindCost()).learn(seconds, cost, now)
        self._note_known()

    def learn_audio(self, kind: str, cost: float, steps: int, audio_seconds: float, *, utterances: int) -> None:
        """Adds work whose audio is known; see KindCost.learn_audio."""
        self._kinds.setdefault(kind, KindCost()).learn_audio(cost, steps, audio_seconds, utterances=utterances)
        self._note_known()

    def rates(self, kind: str, now: float) -> tuple[float, float]:
        """Returns the time of a batch of one kind, and of each unit of cost in it; 0 while unknown."""
        return self._kinds[kind].rates(now) if self.is_known and kind in self._kinds else (0.0, 0.0)

    def seconds(self, kind: str, cost: float, now: float, batches: float = 1) -> float:
        """Returns the time of this much work of one kind in this many batches; 0 while unknown."""
        fixed, slope = self.rates(kind, now)
        return fixed * batches + slope * cost

    def audio_work(self, audio_seconds: float) -> list[tuple[str, float]]:
        """Returns the kinds of steps that make audio, and the cost of this much of it; of one step for 0."""
        return [(name, kind.cost_of(audio_seconds)) for name, kind in self._kinds.items() if kind.makes_audio]

    def preparation_factor(self, now: float) -> float:
        """Returns the time of the steps that make no audio, for a second of audio; 0 while unknown."""
        return sum(kind.seconds_per_audio_second(now) for kind in self._kinds.values() if not kind.makes_audio)

    def real_time_factor(self, now: float) -> float:
        """Returns the time of all steps for a second of audio; 0 while unknown."""
        return sum(kind.seconds_per_audio_second(now) for kind in self._kinds.values()) if self.is_known else 0.0

    def first_audio_seconds(self, first_step_seconds: float, now: float) -> float:
        """Returns the time to prepare an average utterance and make a first step of audio; 0 while unknown.

        Args:
            first_step_seconds: audio of that step.
            now: on the clock of the batches, in seconds.
        """
        if not self.is_known:
            return 0.0
        preparation = sum(kind.utterance_seconds(now) for kind in self._kinds.values() if not kind.makes_audio)
        return preparation + sum(self.seconds(kind, cost, now) for kind, cost in self.audio_work(first_step_seconds))

    def estimates(self, first_step_seconds: float, now: float, longest_step_seconds: float = 0.0) -> Estimates | None:
        """Returns the estimates at `now`; None while unknown.

        Args:
            first_step_seconds: audio of a stream's first step.
            now: on the clock of the batches, in seconds.
            longest_step_seconds: audio of the longest step; 0 if the engine decides.
        """
        if not self.is_known:
            return None
        kinds = self._kinds.values()
        return Estimates(
            real_time_factor=self.real_time_factor(now),
            first_audio_seconds=self.first_audio_seconds(first_step_seconds, now),
            slowdown=max(kind.slowdown(now) for kind in kinds if kind.makes_audio),
            whole_factor=sum(kind.seconds_per_long_audio_second(longest_step_seconds, now) for kind in kinds),
        )
