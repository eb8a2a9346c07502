"""Cuts an utterance into windows, for engines that know its length in advance. Used by `tone.py` and `vits/`."""

import math
from collections.abc import Sequence
from typing import Final

# If less than this share of a window would remain, the window includes the remainder: a short window costs nearly as
# much as a full one.
SMALLEST_REST: Final = 0.5


def nearest_size(sizes: Sequence[int], frames: float) -> int:
    """Returns the size whose ratio to `frames` is nearest to 1."""
    return min(sizes, key=lambda size: abs(math.log(size / max(frames, 1.0))))


def window_stops(start: int, frames: int, total: int, max_windows: int = 1) -> list[int]:
    """Returns the ends of the next windows of `frames` frames: ascending, up to `max_windows`, within `total`.

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
