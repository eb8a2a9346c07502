"""Which positions of a batch are real, and which only pad. Used by the network's layers, `modules.py` and `model.py`.

Convolutions look over the end of an utterance, so padding must stay at zero after every layer: then a batch gives what
its members give alone. On a CPU only the padding is written, which costs next to nothing; on a GPU one multiplication
is cheaper than a launch for each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mask:
    """Each row's real positions, `spans[row]` as (start, stop), of `length` in all."""

    spans: tuple[tuple[int, int], ...]
    length: int

    @classmethod
    def of(cls, spans: Sequence[tuple[int, int]], length: int) -> Self | None:
        """Returns the mask, or None where every position of every row is real."""
        if all(span == (0, length) for span in spans):
            return None
        return cls(tuple(spans), length)

    def stretched(self, factor: int) -> "Mask":
        """Returns the mask of the same rows at `factor` positions for one."""
        return Mask(tuple((start * factor, stop * factor) for start, stop in self.spans), self.length * factor)

    def cut(self, left: int, right: int) -> "Mask | None":
        """Returns the mask of positions `left` to `right` (excluded)."""
        length = right - left
        spans = [(min(max(start - left, 0), length), min(max(stop - left, 0), length)) for start, stop in self.spans]
        return Mask.of(spans, length)

    def clear(self, x: Tensor) -> Tensor:
        """Sets padding to zero, in place, in (batch, channels, 1, length), and returns the same tensor."""
        if x.is_cuda:
            return x.mul_(self.real(x.device))
        for row, (start, stop) in enumerate(self.spans):
            if start > 0:
                x[row, ..., :start] = 0
            if stop < self.length:
                x[row, ..., stop:] = 0
        return x

    def real(self, device: torch.device) -> Tensor:
        """Returns True for real positions, (batch, 1, 1, length)."""
        starts, stops = torch.tensor(self.spans, device=device).T[:, :, None, None, None]  # (batch, 1, 1, 1) each
        position = torch.arange(self.length, device=device)
        real: Tensor = (position >= starts) & (position < stops)
        return real


def masked(x: Tensor, mask: Mask | None) -> Tensor:
    """Returns x with its padding at zero; x itself, changed in place where there is padding."""
    return x if mask is None else mask.clear(x)
