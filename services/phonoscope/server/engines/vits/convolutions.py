"""Convolutions along time, in the fastest layout and code path for each kind.

Used by `modules.py` and `model.py`. All take and return (batch, channels, 1, time) with channels last in memory.
`onednn.py` has replacements that run faster on a CPU.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.vits.config import ConvShape


class Conv(nn.Conv2d):
    """A convolution along time."""

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its computation."""
        return self.weight.dtype

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Returns the convolution of x plus `other`."""
        made: Tensor = self(x)
        return made.add_(other)


def conv(shape: ConvShape) -> Conv:
    """Returns a convolution along time."""
    return Conv(
        shape.in_channels,
        shape.out_channels,
        (1, shape.kernel_size),
        padding=(0, shape.padding),
        dilation=(1, shape.dilation),
        bias=shape.bias,
    )


class Pointwise(Conv):
    """A convolution of one tap, as a matrix product: faster for few positions, and for input that is a slice."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, (1, 1))

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  the base class's name
        """Returns (batch, out_channels, 1, time)."""
        by_position = input.permute(0, 2, 3, 1)  # (batch, 1, time, channels): the memory layout
        return F.linear(by_position, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Depthwise(nn.Conv2d):
    """A depthwise convolution, tap by tap: oneDNN has no fast kernel for dilated ones."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        padding = (kernel_size - 1) // 2 * dilation
        super().__init__(
            channels, channels, (1, kernel_size), padding=(0, padding), dilation=(1, dilation), groups=channels
        )

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  the base class's name
        """Returns (batch, channels, 1, time)."""
        time, padding, dilation = input.shape[3], int(self.padding[1]), self.dilation[1]
        padded = F.pad(input.permute(0, 2, 3, 1), (0, 0, padding, padding))  # (batch, 1, time + 2 padding, channels)
        taps = self.weight[:, 0, 0].T  # (taps, channels)
        total = padded[:, :, :time] * taps[0]
        for number in range(1, len(taps)):
            total.addcmul_(padded[:, :, number * dilation : number * dilation + time], taps[number])
        if self.bias is not None:
            total.add_(self.bias)
        return total.permute(0, 3, 1, 2)


def same_conv(in_channels: int, out_channels: int, kernel_size: int = 1, dilation: int = 1) -> Conv:
    """Returns a convolution along time that keeps the length."""
    if kernel_size == 1:
        return Pointwise(in_channels, out_channels)
    padding = (kernel_size - 1) // 2 * dilation
    return conv(ConvShape(in_channels, out_channels, kernel_size, dilation=dilation, padding=padding))
