"""The lengths that networks compute on a CPU: few, since oneDNN generates code for each.

That takes longer than rendering a short window, and the code stays in memory. It concerns convolutions and, in
bfloat16, products.

`batches.py` pads batches to these lengths, and `model.py` cuts a stage of the generator into pieces of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

# Frames: lengths of windows are multiples of it.
UNIT: Final = 8
# (lengths up to, step): a length is rounded up to a multiple of its step.
LengthSteps = Sequence[tuple[int, int]]
# For products that take any length at the same cost.
FINE_STEPS: Final[LengthSteps] = ((UNIT, UNIT),)
# For products that generate code for each length.
COARSE_STEPS: Final[LengthSteps] = ((128, 8), (256, 16), (512, 32), (1024, 64), (4096, 256))
# Lengths of a stage's pieces, in units.
PIECE_UNITS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sequence: a stage reads positions `left` to `right` and keeps `start` to `stop` (all excluded)."""

    left: int
    right: int
    start: int
    stop: int


def padded_length(length: int, steps: LengthSteps = COARSE_STEPS) -> int:
    """Returns the smallest length of `steps` that is at least `length`."""
    step = next((step for limit, step in steps if length <= limit), steps[-1][1])
    return -(-length // step) * step


def padded_lengths(max_length: int, steps: LengthSteps) -> list[int]:
    """Returns the lengths of `steps` up to that of `max_length`."""
    lengths = [padded_length(1, steps)]
    while lengths[-1] < max_length:
        lengths.append(padded_length(lengths[-1] + 1, steps))
    return lengths


def piece_lengths(max_length: int, unit: int, reach: int) -> Sequence[int]:
    """Returns the lengths of pieces up to `max_length`, ascending; at least one that is longer than its context.

    Args:
        max_length: positions.
        unit: positions of one unit.
        reach: positions of context on each side of a piece.
    """
    lengths = [units * unit for units in PIECE_UNITS]
    shortest = next((length for length in lengths if length > 2 * reach), lengths[-1])
    return [length for length in lengths if length <= max(max_length, shortest)]


def pieces(length: int, lengths: Sequence[int], reach: int) -> Iterator[Piece]:
    """Yields pieces that keep every position of a sequence once, with `reach` positions of context or its ends.

    Each reads one of `lengths`, so that the same few lengths occur whatever the sequence's own. The last piece begins
    earlier than it must rather than to be shorter.

    Args:
        length: of the sequence, a multiple of the shortest of `lengths`; others work, and make one odd piece.
        lengths: as `piece_lengths` returns them.
        reach: as for `piece_lengths`.
    """
    unit, start = lengths[0], 0
    while start < length:
        left = max(0, start - reach)
        needed = -(-(length - left) // unit) * unit
        if needed in lengths:
            yield Piece(max(0, length - needed), length, start, length)
            return
        right = left + max(one for one in lengths if one < needed)
        yield Piece(left, right, start, right - reach)
        start = right - reach
