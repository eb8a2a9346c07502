"""Mean and variance of each channel, for instance norms: of the whole sequence, gathered from a sample, or known.

Used by `layers.py` through `Moments`. The norms of the network average over the whole utterance. Windows of it must
be normalised with the same numbers, so that these are computed once: see `sampling.py`.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import torch
from torch import Tensor

from phonoscope.server.engines.mask import Mask

# Positions that are averaged at once: they stay in the cache.
CHUNK: Final = 4096
MomentPair = tuple[Tensor, Tensor]


class Moments(Protocol):
    """Returns the moments of a network's norms, asked for in the order in which the network computes them."""

    def of(self, x: Tensor, mask: Mask | None) -> MomentPair:
        """Returns mean and variance (batch, channels, 1, 1) in float32, for x (batch, channels, 1, time)."""


class OwnMoments:
    """The moments of each row over its real positions."""

    def of(self, x: Tensor, mask: Mask | None) -> MomentPair:
        """Returns mean and variance of x."""
        if mask is not None:
            return _masked_moments(x, mask.real(x.device))
        pairs = [_moments(by_time) for by_time in x.squeeze(2).transpose(1, 2)]
        return _stacked([mean for mean, _ in pairs]), _stacked([variance for _, variance in pairs])


class GatheredMoments:
    """The moments over a sample of short parts of one utterance, one in each row.

    Args:
        weights: how much of the utterance each row stands for, (rows,); they add up to 1.
        margin: positions at both ends of each row that only give context.

    Attributes:
        gathered: what was returned, in order.
    """

    def __init__(self, weights: Tensor, margin: int) -> None:
        self.gathered: list[MomentPair] = []
        self._weights = weights
        self._margin = margin

    def of(self, x: Tensor, mask: Mask | None) -> MomentPair:  # noqa: ARG002  a sample has no padding
        """Returns mean and variance (1, channels, 1, 1) of all rows together."""
        inner = x[..., self._margin : x.shape[3] - self._margin].float()
        weights = self._weights[:, None, None, None]
        mean = (inner.mean(dim=3, keepdim=True) * weights).sum(dim=0, keepdim=True)
        variance = ((inner - mean).square_().mean(dim=3, keepdim=True) * weights).sum(dim=0, keepdim=True)
        self.gathered.append((mean, variance))
        return mean, variance


class KnownMoments:
    """Moments that were gathered before: of one utterance for each row."""

    def __init__(self, rows: Sequence[Sequence[MomentPair]]) -> None:
        self._rows = rows
        self._next = 0

    def of(self, x: Tensor, mask: Mask | None) -> MomentPair:  # noqa: ARG002  they are known
        """Returns the next norm's moments."""
        pairs = [row[self._next] for row in self._rows]
        self._next += 1
        if len(pairs) == 1:
            return pairs[0]
        return torch.cat([mean for mean, _ in pairs]), torch.cat([variance for _, variance in pairs])


def _moments(x: Tensor) -> MomentPair:
    """Returns mean and variance (channels,) of x (time, channels).

    Products with ones are the fastest sums of columns. Everything is relative to the first chunk's mean, so that
    little precision is lost where a mean is large beside its deviation.
    """
    centre = x[:CHUNK].float().mean(dim=0)
    total, squares = torch.zeros_like(centre), torch.zeros_like(centre)
    for start in range(0, len(x), CHUNK):
        deviations = x[start : start + CHUNK] - centre
        ones = deviations.new_ones(1, len(deviations))
        total += (ones @ deviations)[0]
        squares += (ones @ deviations.mul_(deviations))[0]
    mean = total / len(x)
    return centre + mean, (squares / len(x) - mean.square()).clamp_(min=0)


def _masked_moments(x: Tensor, real: Tensor) -> MomentPair:
    """Returns each row's moments over its real positions, (batch, 1, 1, time)."""
    count = real.sum(dim=3, keepdim=True)
    mean = torch.where(real, x.float(), 0).sum(dim=3, keepdim=True) / count
    deviations = torch.where(real, x.float() - mean, 0)
    return mean, deviations.square().sum(dim=3, keepdim=True) / count


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(rows))[:, :, None, None]
