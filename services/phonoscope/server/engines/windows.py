"""How engines that know an utterance's length in advance cut it into windows. Used by `tone.py` and `vits/`."""

import math
from collections.abc import Sequence
from typing import Final

# A window that would leave less than this share of itself behind takes the rest along: a short rest costs nearly as
# much as a whole window.
SMALLEST_REST: Final = 0.5


def nearest_size(sizes: Sequence[int], frames: float) -> int:
    """Returns the size whose ratio to so many frames is nearest to 1."""
    return min(sizes, key=lambda size: abs(math.log(size / max(frames, 1.0))))


def window_stops(start: int, frames: int, total: int, max_windows: int = 1) -> list[int]:
    """Returns where the next windows of so many frames end: ascending, at most `max_windows`, the last within `total`.

    Args:
        start: first frame of the first window; less than `total`.
        frames: of each window.
        total: frames of the utterance.
        max_windows: at least 1.
    """
    stops: list[int] = []
    while start < total and len(stops) < max_windows:
        rest = total - start - frames
        start = total if rest < frames * SMALLEST_REST else start + frames
        stops.append(start)
    return stops
