"""Estimates the fundamental frequency of a speech stream, one value every 10 ms. Called by psola.py.

The method is that of Boersma (1993), "Accurate short-term analysis of the fundamental frequency": the autocorrelation
of a windowed frame divided by that of the window; its highest peak is the period. Frames use the band below 1 kHz, at
a lower sample rate, which determines the period; a peak near the previous one is preferred to one an octave away.
"""

import math
import statistics
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ: Final = 60.0
HIGHEST_HZ: Final = 500.0
HOP_SECONDS: Final = 0.01
# Three periods of the lowest pitch: with fewer, its peak is not detectable.
WINDOW_SECONDS: Final = 3 / LOWEST_HZ
ANALYSIS_HZ: Final = 5_500
CUTOFF_HZ: Final = 900.0
FILTER_SECONDS: Final = 0.002
LEAST_STRENGTH: Final = 0.5
LEAST_LEVEL: Final = 0.004
OCTAVE_COST: Final = 0.02
JUMP_COST: Final = 0.12


def median_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Returns the median pitch of the voiced parts of speech, shape (n,), in hertz; 0 if there are none."""
    tracker = F0Tracker(F0Shape.of(rate_hz))
    tracker.track(samples, 0)
    periods = [period for period in tracker.periods if period]
    return rate_hz / statistics.median(periods) if periods else 0.0


@dataclass(frozen=True, slots=True)
class F0Shape:
    """The parameters of a tracker that depend on the sample rate.

    Attributes:
        hop: samples between frames.
        step: input samples per analysis sample.
        taps: of the low-pass filter.
        window: of a frame, at the analysis rate.
        weights: of each lag: the inverse of the window's autocorrelation.
        shortest: minimum lag.
        fft: length of the transform.
    """

    rate_hz: int
    hop: int
    step: int
    taps: NDArray[np.float32]
    window: NDArray[np.float32]
    weights: NDArray[np.float32]
    shortest: int
    fft: int

    @classmethod
    def of(cls, rate_hz: int) -> "F0Shape":
        """Returns the shape for a sample rate."""
        step = max(1, rate_hz // ANALYSIS_HZ)
        half = round(rate_hz * FILTER_SECONDS)
        taps = np.sinc(2 * CUTOFF_HZ / rate_hz * np.arange(-half, half + 1)) * np.hanning(2 * half + 3)[1:-1]
        length = round(WINDOW_SECONDS * rate_hz / step)
        window = np.hanning(length + 2)[1:-1]
        longest = int(rate_hz / step / LOWEST_HZ) + 2
        fft = _fast_length(length + longest)
        own = np.fft.irfft(np.abs(np.fft.rfft(window, fft)) ** 2, fft)[: longest + 1]
        return cls(
            rate_hz,
            hop=round(rate_hz * HOP_SECONDS),
            step=step,
            taps=(taps / taps.sum()).astype(np.float32),
            window=window.astype(np.float32),
            weights=(own[0] / own).astype(np.float32),
            shortest=int(rate_hz / step / HIGHEST_HZ),
            fft=fft,
        )

    @property
    def reach(self) -> int:
        """Number of samples on each side of a frame's centre that its value depends on."""
        return (len(self.window) * self.step) // 2 + len(self.taps) // 2 + self.step


def _fast_length(least: int) -> int:
    """Returns the next length at which an FFT is fast: a power of two, or three times one."""
    power = 1 << (least - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= least else power


class F0Tracker:
    """Tracks the pitch of one stream; frame k is centred at sample k * hop.

    Attributes:
        periods: of each frame so far, in samples; 0 for unvoiced frames.
    """

    def __init__(self, shape: F0Shape) -> None:
        self._shape = shape
        self._last = 0.0
        self.periods: list[float] = []

    def track(self, samples: NDArray[np.float32], start: int) -> None:
        """Adds samples from `start` on and analyses every frame that they cover."""
        shape = self._shape
        first = len(self.periods)
        last = (start + len(samples) - shape.reach) // shape.hop
        if last < first:
            return
        centres = np.arange(first, last + 1) * shape.hop - start
        offsets = (np.arange(len(shape.window)) - len(shape.window) // 2) * shape.step
        self._decide(self._low(samples, centres[:, None] + offsets))

    def _low(self, samples: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns the low-passed signal at some positions."""
        half = len(self._shape.taps) // 2
        first, last = int(positions.min()), int(positions.max())
        left, right = max(0, half - first), max(0, last + half + 1 - len(samples))
        padded = np.pad(samples, (left, right)) if left or right else samples
        around = padded[first - half + left : last + half + 1 + left]
        low = np.convolve(around, self._shape.taps, "valid")
        taken: NDArray[np.float32] = low[positions - first].astype(np.float32)
        return taken

    def _decide(self, frames: NDArray[np.float32]) -> None:
        shape = self._shape
        levels = np.sqrt(np.mean(frames**2, axis=1))
        windowed = (frames - frames.mean(axis=1, keepdims=True)) * shape.window
        spectra = np.fft.rfft(windowed, shape.fft)
        power = spectra.real**2 + spectra.imag**2
        correlation = np.fft.irfft(power, shape.fft)[:, : len(shape.weights)].astype(np.float32)
        strength = correlation / np.maximum(correlation[:, :1], 1e-9) * shape.weights
        worth, octaves = self._candidates(strength.astype(np.float32))
        for level, frame, at in zip(levels.tolist(), worth, octaves, strict=True):
            near = frame - JUMP_COST * np.abs(at - math.log2(self._last)) if self._last else frame
            best = int(near.argmax())
            is_voice = level >= LEAST_LEVEL and near[best] > -np.inf
            self._last = float(2.0 ** at[best]) if is_voice else 0.0
            self.periods.append(self._last)

    def _candidates(self, strength: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns the score of each lag of each frame as a period, -inf for no peak, and the log2 of the period."""
        shape = self._shape
        before, at, after = (strength[:, shape.shortest - 1 + i : strength.shape[1] - 2 + i] for i in range(3))
        is_peak = (at > before) & (at >= after) & (at > LEAST_STRENGTH)
        bend = np.where(is_peak, before - 2 * at + after, -1.0)
        lags = np.arange(shape.shortest, shape.shortest + at.shape[1]) + 0.5 * (before - after) / bend
        octaves = np.log2(np.where(is_peak, lags, 1.0) * shape.step)
        height = at - 0.125 * (before - after) ** 2 / bend
        return np.where(is_peak, height - OCTAVE_COST * octaves, -np.inf), octaves
