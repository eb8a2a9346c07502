"""Changes the gain along a stream of samples without clicks. Called by encode.py before pitch and rate changes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Duration of a gain change: short enough for a syllable, long enough to avoid a click.
RAMP_SECONDS: Final = 0.01


class Fader:
    """Applies gain to one stream, with linear ramps between gains; the result does not depend on chunk sizes."""

    def __init__(self, rate_hz: int) -> None:
        self._ramp_samples = max(1, round(rate_hz * RAMP_SECONDS))
        self._from = self._to = 1.0
        self._done = self._ramp_samples

    def set_gain(self, gain_db: float) -> None:
        """Sets the gain from the next sample on; -inf is silence."""
        gain = 10.0 ** (gain_db / 20)
        if gain != self._to:
            self._from += (self._to - self._from) * self._done / self._ramp_samples
            self._to, self._done = gain, 0

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the next samples, shape (n,), with the gain applied."""
        count = min(len(samples), self._ramp_samples - self._done)
        if not count and self._to == 1.0:
            return samples
        gains = np.full(len(samples), self._to, np.float32)
        steps = np.arange(self._done + 1, self._done + count + 1, dtype=np.float32) / self._ramp_samples
        gains[:count] = self._from + (self._to - self._from) * steps
        self._done += count
        return samples * gains
