"""Convolutions by minimal filtering (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308) in float32.

`packing.py` swaps them in for convolutions of three and more taps over many channels. A tile of `m` outputs of a
convolution of `r` taps needs m + r - 1 multiplications per pair of channels instead of m * r: 8 instead of 20 for four
outputs of five taps, 6 instead of 12 for four outputs of three. Inputs, weights and outputs pass through small
constant matrices, which costs little beside the products over channels where there are many. The products take any
length without preparation.
"""

from fractions import Fraction
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

# Outputs of a tile. More save more multiplications and lose more precision.
TILE: Final = 4
# With more points the matrices' entries differ so much in size that float32 loses four digits.
MAX_POINTS: Final = 8
# Small values keep the matrices' entries small.
POINTS: Final = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))
Matrix = list[list[Fraction]]


class WinogradConv(nn.Module):
    """A convolution of stride 1 and dilation 1 that keeps the length.

    Args:
        weight: (out_channels, in_channels, 1, taps), float32; an odd number of taps.
        bias: (out_channels,), or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.dtype = weight.dtype
        self.taps = weight.shape[3]
        self.tile = min(TILE, MAX_POINTS + 1 - self.taps)
        inputs, weights, outputs = filtering_matrices(self.tile, self.taps)
        self._inputs, self._outputs = inputs.float(), outputs.float()
        by_point = torch.einsum("pt,oit->pio", weights, weight[:, :, 0].double())
        self._weight = by_point.float().contiguous()  # (points, in, out)
        self._bias = weight.new_zeros(weight.shape[0]) if bias is None else bias

    def forward(self, x: Tensor) -> Tensor:
        """Returns (batch, out_channels, 1, time); x is (batch, in_channels, 1, time)."""
        batch, channels, _, time = x.shape
        tiles, points = -(-time // self.tile), len(self._inputs)
        before = self.taps // 2
        after = tiles * self.tile + self.taps - 1 - before - time
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, before, after))  # (batch, 1, padded time, channels)
        windows = padded.as_strided(
            (batch, tiles, points, channels), (padded.shape[2] * channels, self.tile * channels, channels, 1)
        ).flatten(0, 1)  # (batch * tiles, points, channels)
        moved = torch.matmul(self._inputs, windows).transpose(0, 1)  # (points, batch * tiles, channels)
        products = torch.bmm(moved, self._weight).transpose(0, 1)  # (batch * tiles, points, out)
        made = torch.matmul(self._outputs, products).add_(self._bias)  # (batch * tiles, tile, out)
        by_position = made.view(batch, 1, tiles * self.tile, -1)[:, :, :time]
        return by_position.permute(0, 3, 1, 2)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Returns the convolution of x plus `other`."""
        made: Tensor = self(x)
        return made.add_(other)


def filtering_matrices(tile: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the matrices of inputs, weights and outputs, in float64, for `tile` outputs of `taps` taps.

    With them, outputs @ ((weights @ g) * (inputs @ d)) is the correlation of d, (tile + taps - 1,), with g, (taps,).
    They come from interpolation at small points and at infinity: exact, in fractions.

    Returns:
        inputs, (points, points); weights, (points, taps); outputs, (tile, points), where points = tile + taps - 1.
    """
    points = [Fraction(point) for point in POINTS[: tile + taps - 2]]
    scales = [_product([one - other for other in points if other != one]) for one in points]
    weights = [[point**power / scale for power in range(taps)] for point, scale in zip(points, scales, strict=True)]
    weights.append([Fraction(power == taps - 1) for power in range(taps)])
    outputs = [[*(point**power for point in points), Fraction(power == tile - 1)] for power in range(tile)]
    inputs = [[*_polynomial([other for other in points if other != one]), Fraction(0)] for one in points]
    inputs.append(_polynomial(points))
    return _tensor(inputs), _tensor(weights), _tensor(outputs)


def _product(factors: list[Fraction]) -> Fraction:
    total = Fraction(1)
    for factor in factors:
        total *= factor
    return total


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Returns the coefficients of the polynomial with these roots, the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [*(root * one for one in coefficients), Fraction(0)]
        coefficients = [high - low for high, low in zip(shifted, scaled, strict=True)]
    return coefficients


def _tensor(matrix: Matrix) -> Tensor:
    return torch.tensor([[float(entry) for entry in row] for row in matrix], dtype=torch.float64)
