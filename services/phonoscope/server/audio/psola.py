"""Changes the pitch of a speech stream and keeps its duration and timbre, by TD-PSOLA. Called by encode.py.

Moulines and Charpentier (1990), "Pitch-synchronous waveform processing techniques for text-to-speech synthesis using
diphones". Voiced speech is cut into grains of two periods around one mark per period; placed at other distances, they
have another pitch, and each keeps the spectral envelope of the vocal tract. In unvoiced speech, grains keep their
distances.

Every decision depends on a fixed range of samples around it and waits for all of them, so the result does not depend
on chunk sizes.
"""

import functools
from bisect import bisect_right
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.f0 import LOWEST_HZ, F0Shape, F0Tracker

UNVOICED_SECONDS: Final = 0.005
SHIFT_LIMITS: Final = (0.4, 2.5)
# Maximum distance of a mark from the position that the period predicts, as a fraction of the period.
SLACK: Final = 0.12
# Maximum periods of the lowest pitch between two marks: one, the slack, and the tracker's rounding.
LONGEST_STEP: Final = 1.3


class _PitchChange(NamedTuple):
    """A pitch change from a sample on; `centre` is a period in samples, 0 for none."""

    at: int
    ratio: float
    spread: float
    centre: float


class PitchShifter:
    """Changes the pitch of one stream.

    Args:
        rate_hz: of the samples.
        ratio: of the pitch; 2.0 is an octave up.
        spread: factor of the pitch's movement around `centre_hz`, on a logarithmic scale; 1.0 does not change it.
        centre_hz: the speaker's own pitch; used only with a spread.
    """

    def __init__(self, rate_hz: int, ratio: float, spread: float = 1.0, centre_hz: float = 0.0) -> None:
        shape = F0Shape.of(rate_hz)
        self._shape = shape
        self._tracker = F0Tracker(shape)
        self._changes = [_PitchChange(0, ratio, spread, rate_hz / centre_hz if centre_hz else 0.0)]
        self._unvoiced = round(rate_hz * UNVOICED_SECONDS)
        self._max_step = int(LONGEST_STEP * rate_hz / LOWEST_HZ)  # maximum samples between two marks
        self._input: NDArray[np.float32] = np.zeros(0, np.float32)
        self._base = 0  # position of the first sample of `_input`
        self._marks: list[int] = [0]  # of the analysis; old ones are dropped
        self._voiced: list[bool] = [False]
        self._shifts: list[float] = [1.0]  # ratio of the pitch at each mark
        self._at = 0  # index of the mark nearest to the next grain
        self._next = 0.0  # position of the next grain
        self._sum: NDArray[np.float32] = np.zeros(0, np.float32)
        self._out = 0  # position of the first sample of `_sum`; all before it has been returned
        self._length = 0
        self._is_over = False

    def set_pitch(self, ratio: float, spread: float = 1.0, centre_hz: float = 0.0) -> None:
        """Sets the pitch change from the next sample on."""
        change = _PitchChange(self._length, ratio, spread, self._shape.rate_hz / centre_hz if centre_hz else 0.0)
        if change[1:] != self._changes[-1][1:]:
            self._changes.append(change)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Processes the next samples, shape (n,), and returns those that are ready, shape (m,)."""
        self._length += len(samples)
        return self._pass(samples)

    def flush(self) -> NDArray[np.float32]:
        """Ends the stream and returns the rest; output and input have the same length in total."""
        self._is_over = True
        return self._pass(np.zeros(self._shape.reach + 4 * self._max_step + self._shape.hop, np.float32))

    def _pass(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        self._input = np.concatenate([self._input, samples])
        self._tracker.track(self._input, self._base)
        while self._add_mark():
            pass
        while self._add_grain():
            pass
        ready = self._take()
        self._forget()
        return ready

    # --- marks ---------------------------------------------------------------------------------------------------

    def _add_mark(self) -> bool:
        """Adds the next analysis mark, if all samples that it depends on are available."""
        mark = self._marks[-1]
        frame = (mark + self._shape.hop // 2) // self._shape.hop
        if frame + 1 >= len(self._tracker.periods) or mark + 2 * self._max_step >= self._base + len(self._input):
            return False
        period = self._tracker.periods[frame] or (self._tracker.periods[frame + 1] if not self._voiced[-1] else 0.0)
        if not period:
            self._append(mark + self._unvoiced, shift=0.0)
        elif not self._voiced[-1]:
            self._append(self._onset(mark, round(period)), shift=self._shift(mark, period))
        else:
            self._append(self._alike(mark, period), shift=self._shift(mark, period))
        return True

    def _append(self, mark: int, *, shift: float) -> None:
        """Adds a mark; a shift of 0 means unvoiced."""
        self._marks.append(mark)
        self._voiced.append(shift > 0)
        self._shifts.append(shift or 1.0)

    def _onset(self, mark: int, period: int) -> int:
        """Returns the loudest position in the first period of a voiced stretch."""
        start = mark + self._unvoiced // 2 - self._base
        return self._base + start + int(np.argmax(np.abs(self._input[start : start + period])))

    def _alike(self, mark: int, period: float) -> int:
        """Returns the position about one period later whose waveform is most similar to that at the mark."""
        half = round(period / 2)
        slack = max(2, round(SLACK * period))
        here = mark - self._base
        there = here + round(period)
        template = self._input[max(0, here - half) : here + half]
        region = self._input[there - half - slack : there + half + slack]
        if len(template) < 2 * half:
            return mark + round(period)
        likeness = np.correlate(region, template, "valid")
        return self._base + there - slack + int(np.argmax(likeness))

    def _shift(self, mark: int, period: float) -> float:
        """Returns the pitch ratio at a period: the requested ratio combined with the effect of the spread."""
        change = self._changes[bisect_right(self._changes, mark, key=lambda change: change.at) - 1]
        if change.spread == 1.0 or not change.centre:
            return change.ratio
        low, high = SHIFT_LIMITS
        return float(min(max(change.ratio * (change.centre / period) ** (change.spread - 1), low), high))

    # --- grains --------------------------------------------------------------------------------------------------

    def _add_grain(self) -> bool:
        """Adds the next grain, if its nearest mark and the mark after that are known."""
        marks = self._marks
        while self._at + 2 < len(marks) and abs(marks[self._at + 1] - self._next) <= abs(marks[self._at] - self._next):
            self._at += 1
        at = self._at
        if at + 2 >= len(marks):
            return False
        mark, after = marks[at], marks[at + 1]
        before = marks[at - 1] if at else mark
        is_voiced = self._voiced[at] and self._voiced[at + 1]
        shift = self._shifts[at + 1] if is_voiced else 1.0
        self._lay(mark, mark - before, after - mark, shift**-0.5)  # grains at half the distance have twice the power
        self._next += (after - mark) / shift
        return True

    def _lay(self, mark: int, left: int, right: int, gain: float) -> None:
        start = round(self._next) - left
        first = mark - left - self._base
        grain = self._input[first : first + left + right] * _window(left, right)
        if gain != 1.0:
            grain *= np.float32(gain)
        if start < self._out:  # before the start
            grain, start = grain[self._out - start :], self._out
        offset = start - self._out
        if (missing := offset + len(grain) - len(self._sum)) > 0:
            self._sum = np.concatenate([self._sum, np.zeros(missing + 4 * self._max_step, np.float32)])
        self._sum[offset : offset + len(grain)] += grain

    def _take(self) -> NDArray[np.float32]:
        """Returns the samples that no later grain can change."""
        stop = min(int(self._next) - self._max_step, self._length)
        if self._is_over:
            stop = self._length
        count = stop - self._out
        if count <= 0:
            return np.zeros(0, np.float32)
        if len(self._sum) < count:
            self._sum = np.concatenate([self._sum, np.zeros(count - len(self._sum), np.float32)])
        ready, self._sum = self._sum[:count], self._sum[count:]
        self._out = stop
        return ready

    def _forget(self) -> None:
        """Drops samples and marks that are no longer needed."""
        if self._at > 1:
            gone = self._at - 1
            del self._marks[:gone], self._voiced[:gone], self._shifts[:gone]
            self._at = 1
            while len(self._changes) > 1 and self._changes[1].at <= self._marks[-1]:
                del self._changes[0]
        keep = min(
            self._marks[0] - self._max_step,
            len(self._tracker.periods) * self._shape.hop - self._shape.reach,
            self._marks[-1] - self._max_step,
        )
        if (cut := keep - self._base) > 0:
            self._input = self._input[cut:]
            self._base += cut


@functools.lru_cache(maxsize=2048)
def _window(left: int, right: int) -> NDArray[np.float32]:
    """Returns an asymmetric Hann window; its falling half and the next window's rising half sum to one."""
    rise, rest = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1)) for length in (left, right))
    window = np.concatenate([rise, 1.0 - rest]).astype(np.float32)
    window.flags.writeable = False  # shared
    return window
