"""Keeps a stream's true peak below a ceiling, without clicks or clipping; for audio that may have become louder.

Called by encode.py.

A true peak includes the waveform between samples: as in ITU-R BS.1770-4, annex 2, peaks are measured at four times the
rate with twelve taps per phase, here of a windowed sinc. The gain falls before a peak and rises after it along a Hann
window: it is the minimum required near each sample, smoothed over that neighbourhood, so it never exceeds what a peak
allows. Latency is 20 ms. The result does not depend on chunk sizes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

CEILING_DB: Final = -1.0  # below full scale, as EBU R 128 requires before encoding
REACH_SECONDS: Final = 0.01
PHASES: Final = 4
TAPS: Final = 12  # per phase


class Limiter:
    """Limits one stream of samples at one rate; `ceiling` is the maximum true peak of the output."""

    def __init__(self, rate_hz: int) -> None:
        self.ceiling = 10 ** (CEILING_DB / 20)
        self._reach = max(1, round(rate_hz * REACH_SECONDS))
        window = np.hanning(2 * self._reach + 3)[1:-1]
        self._smooth = (window / window.sum()).astype(np.float32)
        self._between = _interpolators()
        self._most = max(float(np.abs(taps).sum()) for taps in self._between)  # peak per largest sample
        self._context = 2 * self._reach + TAPS // 2  # samples on each side that determine a sample's gain
        self._input: NDArray[np.float32] = np.zeros(self._context, np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Processes the next samples, shape (n,), and returns those that are ready, shape (m,)."""
        self._input = np.concatenate([self._input, samples])
        ready = len(self._input) - 2 * self._context
        if ready <= 0:
            return np.zeros(0, np.float32)
        limited = self._input[self._context : self._context + ready] * self._gain(self._input)
        self._input = self._input[ready:]
        return limited

    def flush(self) -> NDArray[np.float32]:
        """Ends the stream and returns the rest; output and input have the same length in total."""
        return self.feed(np.zeros(self._context, np.float32))

    def _gain(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the gain of every sample except the context on both sides."""
        if self._most * np.abs(samples).max() <= self.ceiling:
            return np.ones(len(samples) - 2 * self._context, np.float32)
        half = TAPS // 2
        peaks = np.abs(samples[half : len(samples) - half])
        for taps in self._between:
            between = np.abs(np.convolve(samples, taps, "valid"))  # one after each sample
            np.maximum(peaks, between[:-1], out=peaks)
            np.maximum(peaks, between[1:], out=peaks)
        needed = np.minimum(1.0, self.ceiling / np.maximum(peaks, 1e-9)).astype(np.float32)
        if needed.min() == 1.0:
            return np.ones(len(samples) - 2 * self._context, np.float32)
        gain: NDArray[np.float32] = np.convolve(_least(needed, 2 * self._reach + 1), self._smooth, "valid")
        return gain.astype(np.float32)


def _interpolators() -> list[NDArray[np.float32]]:
    """Returns the filters that interpolate at a quarter, a half and three quarters between two samples."""
    centre = TAPS / 2 - 1
    filters = []
    for phase in range(1, PHASES):
        at = np.arange(TAPS) - centre - phase / PHASES
        taps = np.sinc(at) * np.cos(np.pi * at / (TAPS + 1)) ** 2
        filters.append((taps / taps.sum())[::-1].astype(np.float32))
    return filters


def _least(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Returns the sliding minimum over `length` values, computed with windows that double."""
    least, covered = values, 1
    while covered < length:
        step = min(covered, length - covered)
        least = np.minimum(least[: len(least) - step], least[step:])
        covered += step
    return least
