"""Convolutions as matrix products in float32, which take any length without preparation.

`vits/packing.py` swaps them in for the plain ones. The products run in torch's BLAS library. Unlike oneDNN, it
generates no code for a new length: there is nothing to warm up and nothing to keep, and it is as fast
(docs/benchmarks.md). All take and return (batch, channels, 1, time) with channels last in memory.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name


class TapProduct(nn.Module, ABC):
    """A convolution as one matrix product over its concatenated taps (im2col).

    Args:
        weight: (out_channels, in_channels, 1, taps).
        dilation: spacing of the taps.
        padding: zeros before and after.
    """

    def __init__(self, weight: Tensor, *, dilation: int, padding: tuple[int, int]) -> None:
        super().__init__()
        self.dtype = weight.dtype
        self.taps = weight.shape[3]
        self.dilation = dilation
        self.padding = padding

    @abstractmethod
    def multiply(self, rows: Tensor) -> Tensor:
        """Returns (batch, 1, positions, out_channels); rows are (batch, 1, positions, taps * in_channels)."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns (batch, out_channels, 1, time + padding - reach of the taps); x is (batch, in_channels, 1, time)."""
        return self.multiply(tap_rows(x, self.taps, self.dilation, self.padding)).permute(0, 3, 1, 2)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Returns the convolution of x plus `other`."""
        made: Tensor = self(x)
        return made.add_(other)


class MatrixProduct(TapProduct):
    """A product of torch's BLAS library, in float32. Arguments as for TapProduct, and the bias, (out_channels,)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, dilation: int, padding: tuple[int, int]) -> None:
        super().__init__(weight, dilation=dilation, padding=padding)
        self._weight = concatenated_taps(weight).T.contiguous()  # (taps * in, out)
        self._bias = weight.new_zeros(weight.shape[0]) if bias is None else bias

    def multiply(self, rows: Tensor) -> Tensor:
        """Returns the product plus the bias."""
        return torch.addmm(self._bias, rows.flatten(0, 2), self._weight).view(*rows.shape[:3], -1)


class UpsamplingProduct(nn.Module):
    """A transposed convolution as one matrix product: every input position and its predecessors make `stride` outputs.

    With q = output + padding, tap j of input t contributes to q = t * stride + j. So output q uses input q // stride
    with tap q % stride, its predecessor with that tap plus the stride, and so on.

    Args:
        plain: the transposed convolution.
        dtype: of the product.
        product: makes the matrix product from its weight, bias, dilation and padding.
    """

    def __init__(self, plain: nn.ConvTranspose2d, dtype: torch.dtype, product: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.stride, self.padding = plain.stride[1], int(plain.padding[1])
        taps, self.out_channels = plain.kernel_size[1], plain.out_channels
        self.reach = math.ceil(taps / self.stride)  # input positions that one output depends on
        weight = F.pad(plain.weight[:, :, 0], (0, self.reach * self.stride - taps))  # (in, out, reach * stride)
        weight = weight.reshape(*weight.shape[:2], self.reach, self.stride).flip(2)  # oldest input first
        weight = weight.permute(3, 1, 0, 2).flatten(0, 1).unsqueeze(2)  # (stride * out, in, 1, reach)
        bias = None if plain.bias is None else plain.bias.repeat(self.stride).to(dtype)
        padding = (self.reach - 1, self.reach - 1)
        self._product = product(weight.to(dtype), bias, dilation=1, padding=padding)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Returns (batch, out_channels, 1, time * stride)."""
        batch, _, _, time = x.shape
        made: Tensor = self._product(x).permute(0, 2, 3, 1)  # (batch, 1, time + reach - 1, stride * out)
        by_position = made.reshape(batch, 1, made.shape[2] * self.stride, self.out_channels)
        kept = by_position[:, :, self.padding : self.padding + time * self.stride]
        return kept.permute(0, 3, 1, 2)


def concatenated_taps(weight: Tensor) -> Tensor:
    """Returns the weight of `tap_rows`, (out, taps * in); `weight` is (out, in, 1, taps)."""
    return weight[:, :, 0].transpose(1, 2).reshape(weight.shape[0], -1)


def tap_rows(x: Tensor, taps: int, dilation: int, padding: tuple[int, int]) -> Tensor:
    """Returns the inputs of each output position side by side, (batch, 1, positions, taps * channels).

    Args:
        x: (batch, channels, 1, time), with channels last in memory.
        taps: of the convolution.
        dilation: spacing of the taps.
        padding: zeros before and after.
    """
    by_position = x.permute(0, 2, 3, 1)  # (batch, 1, time, channels): the memory layout
    if taps == 1:
        return by_position
    padded = F.pad(by_position, (0, 0, *padding))
    batch, _, length, channels = padded.shape
    positions = length - (taps - 1) * dilation
    sides: Tensor = padded.as_strided(
        (batch, 1, positions, taps, channels),
        (length * channels, 0, channels, dilation * channels, 1),
    )
    return sides.reshape(batch, 1, positions, taps * channels)
