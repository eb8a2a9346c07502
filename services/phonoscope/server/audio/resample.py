"""Changes the sample rate of a stream of samples, piece by piece, by soxr (the SoX resampler library).

encode.py calls it. Pieces may be of any size: their results concatenate to what the whole gives.
"""

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

# "HQ" holds back 40 ms of a 22 050 Hz voice going up and 80 ms going down to 8 000 Hz. "VHQ" would hold back up to
# twice that, for precision that 16-bit samples cannot show; "MQ" would save nothing.
_QUALITY: Final = "HQ"


def resampled_length(samples: int, *, source_rate_hz: int, target_rate_hz: int) -> int:
    """Returns how many samples a stream of `samples` has after resampling: whole samples of its duration."""
    return samples * target_rate_hz // source_rate_hz


class Resampler:
    """One stream of mono samples from one rate to another; equal rates pass through untouched."""

    def __init__(self, *, source_rate_hz: int, target_rate_hz: int) -> None:
        self._source_rate_hz = source_rate_hz
        self._target_rate_hz = target_rate_hz
        self._samples_in = 0
        self._samples_out = 0
        self._stream = None
        if source_rate_hz != target_rate_hz:
            self._stream = soxr.ResampleStream(source_rate_hz, target_rate_hz, 1, dtype="float32", quality=_QUALITY)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Takes the next samples, shape (n,), and returns those that are ready, shape (m,); m may be 0."""
        return self._pass(samples, is_last=False)

    def flush(self) -> NDArray[np.float32]:
        """Ends the stream and returns what was held back, shape (m,), so that all is `resampled_length` long."""
        rest = self._pass(np.zeros(0, np.float32), is_last=True)
        length = resampled_length(
            self._samples_in, source_rate_hz=self._source_rate_hz, target_rate_hz=self._target_rate_hz
        )
        # soxr rounds the length, half a sample either way; a stated length needs one rule, so the odd one is cut.
        return rest[: max(len(rest) - (self._samples_out - length), 0)]

    def _pass(self, samples: NDArray[np.float32], *, is_last: bool) -> NDArray[np.float32]:
        self._samples_in += len(samples)
        ready: NDArray[np.float32] = samples
        if self._stream is not None:
            ready = self._stream.resample_chunk(samples, last=is_last)
        self._samples_out += len(ready)
        return ready
