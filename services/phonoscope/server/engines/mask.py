"""Masks of the real positions of a batch; others are padding. Used by the layers of networks that run batches.

Convolutions read past an utterance's end, so padding must stay zero after every layer: a batch then gives the same
results as its members alone. On a CPU only the padding is written, at almost no cost. On a GPU one multiplication is
cheaper than a launch for each row, and the start of the padding is itself on the device, so that a captured graph
serves every length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor


class Mask(Protocol):
    """Each row's real positions."""

    def stretched(self, factor: int) -> "Mask":
        """Returns the mask of the same rows with `factor` positions for each."""

    def cut(self, left: int, right: int) -> "Mask | None":
        """Returns the mask of positions `left` to `right` (excluded), or None if all of them are real."""

    def clear(self, x: Tensor) -> Tensor:
        """Sets padding to zero, in place, in (batch, channels, 1, length), and returns the same tensor."""

    def real(self, device: torch.device) -> Tensor:
        """Returns True for real positions, (batch, 1, 1, length)."""


@dataclass(frozen=True, slots=True)
class SpanMask:
    """The mask of a CPU: real positions as numbers, `spans[row]` as (start, stop), of `length` in all."""

    spans: tuple[tuple[int, int], ...]
    length: int

    @classmethod
    def of(cls, spans: Sequence[tuple[int, int]], length: int) -> Self | None:
        """Returns the mask, or None where every position of every row is real."""
        if all(span == (0, length) for span in spans):
            return None
        return cls(tuple(spans), length)

    def stretched(self, factor: int) -> "SpanMask":
        """Returns the mask of the same rows with `factor` positions for each."""
        return SpanMask(tuple((start * factor, stop * factor) for start, stop in self.spans), self.length * factor)

    def cut(self, left: int, right: int) -> "SpanMask | None":
        """Returns the mask of positions `left` to `right` (excluded), or None if all of them are real."""
        length = right - left
        spans = [(min(max(start - left, 0), length), min(max(stop - left, 0), length)) for start, stop in self.spans]
        return SpanMask.of(spans, length)

    def clear(self, x: Tensor) -> Tensor:
        """Sets padding to zero, in place, in (batch, channels, 1, length), and returns the same tensor."""
        for row, (start, stop) in enumerate(self.spans):
            if start > 0:
                x[row, ..., :start] = 0
            if stop < self.length:
                x[row, ..., stop:] = 0
        return x

    def real(self, device: torch.device) -> Tensor:
        """Returns True for real positions, (batch, 1, 1, length)."""
        starts, stops = torch.tensor(self.spans, device=device).T
        return _between(starts, stops, self.length)


class DeviceMask:
    """The mask of a GPU: real positions as tensors, from `starts` to `stops` (excluded), (batch,) each, of `length`.

    Nothing here reads a value on the host, so nothing waits for the device.
    """

    def __init__(self, starts: Tensor, stops: Tensor, length: int) -> None:
        self._starts = starts
        self._stops = stops
        self._length = length
        self._real = _between(starts, stops, length)

    def stretched(self, factor: int) -> "DeviceMask":
        """Returns the mask of the same rows with `factor` positions for each."""
        return DeviceMask(self._starts * factor, self._stops * factor, self._length * factor)

    def cut(self, left: int, right: int) -> "DeviceMask":
        """Returns the mask of positions `left` to `right` (excluded)."""
        return DeviceMask(self._starts - left, self._stops - left, right - left)

    def clear(self, x: Tensor) -> Tensor:
        """Sets padding to zero, in place, in (batch, channels, 1, length), and returns the same tensor."""
        return x.mul_(self._real)

    def real(self, device: torch.device) -> Tensor:
        """Returns True for real positions, (batch, 1, 1, length); `device` is the one that it is on."""
        return self._real.to(device)


def _between(starts: Tensor, stops: Tensor, length: int) -> Tensor:
    """Returns True where starts <= position < stops, (batch, 1, 1, length)."""
    position = torch.arange(length, device=starts.device)
    return ((position >= starts[:, None]) & (position < stops[:, None]))[:, None, None]


def masked(x: Tensor, mask: Mask | None) -> Tensor:
    """Returns x with its padding at zero; x itself, changed in place where there is padding."""
    return x if mask is None else mask.clear(x)
