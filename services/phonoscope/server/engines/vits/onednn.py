"""Convolutions with weights in oneDNN's packed layout, for inference on a CPU, in float32 or bfloat16.

`pack` swaps them in for the plain ones of `convolutions.py`, once, before a voice speaks. Plain convolutions
reorder their weights at each call, which for a short window takes longer than the convolution.

Three forms. Short ones with many channels become one matrix product over the taps side by side (im2col): its packed
weights suit every length. The generator's residual convolutions, with few channels and very many positions, stay
convolutions; in bfloat16 they are packed and add their residual while the sum is still in registers. Upsampling is a
matrix product too: each input position makes `stride` output positions from itself and its neighbours, in output
order in memory.

The operators are those that TorchInductor emits (torch/_inductor/mkldnn_lowerings.py); `can_pack` returns whether
this build of torch has them.
"""

# ruff: noqa: SLF001  the operators have underscores in their names

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.vits.convolutions import Conv

# Number of frames for which residual convolutions' weights are packed; in bfloat16 other lengths use it too.
TYPICAL_FRAMES = 128
# Below this number of channels, copying the taps for a matrix product costs more than it saves.
FEWEST_CHANNELS_AS_PRODUCT = 192


def can_pack() -> bool:
    """Whether torch was built with oneDNN and has the operators."""
    built: Any = torch.backends.mkldnn
    return bool(built.is_available()) and all(
        hasattr(torch.ops.mkldnn, name)
        for name in ("_linear_pointwise", "_convolution_pointwise", "_reorder_linear_weight")
    )


class PackedProduct(nn.Module):
    """A convolution as one matrix product over its concatenated taps.

    Args:
        weight: (out_channels, in_channels, 1, taps).
        bias: (out_channels,), or None.
        dilation: spacing of the taps.
        padding: zeros before and after.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, dilation: int, padding: tuple[int, int]) -> None:
        super().__init__()
        self.dtype = weight.dtype
        self.taps = weight.shape[3]
        self.dilation = dilation
        self.padding = padding
        self.out_channels = weight.shape[0]
        by_tap = weight[:, :, 0].transpose(1, 2).reshape(self.out_channels, -1)  # (out, taps * in)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(by_tap.contiguous(), None)
        self._bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """Returns (batch, out_channels, 1, time + padding - reach of the taps); x is (batch, in_channels, 1, time)."""
        rows = self._rows(x.permute(0, 2, 3, 1))  # (batch, 1, positions, taps * in)
        made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, "none", [], "")
        return made.permute(0, 3, 1, 2)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Returns the convolution of x plus `other`."""
        made: Tensor = self(x)
        return made.add_(other)

    def _rows(self, by_position: Tensor) -> Tensor:
        if self.taps == 1:
            return by_position.contiguous()
        padded = F.pad(by_position, (0, 0, *self.padding))
        batch, _, length, channels = padded.shape
        positions = length - (self.taps - 1) * self.dilation
        sides: Tensor = padded.as_strided(
            (batch, 1, positions, self.taps, channels),
            (length * channels, 0, channels, self.dilation * channels, 1),
        )
        return sides.reshape(batch, 1, positions, self.taps * channels)


class PackedConv(nn.Module):
    """A convolution with weights in oneDNN's layout for inputs of about `length` positions."""

    def __init__(self, plain: Conv, dtype: torch.dtype, length: int) -> None:
        super().__init__()
        self.dtype = dtype
        self._padding, self._dilation = [0, int(plain.padding[1])], list(plain.dilation)
        self._bias = None if plain.bias is None else plain.bias.to(dtype)
        operators: Any = torch._C._nn
        self._weight = operators.mkldnn_reorder_conv2d_weight(
            plain.weight.to(dtype).contiguous().to_mkldnn(),
            self._padding,
            [1, 1],
            self._dilation,
            1,
            [1, plain.in_channels, 1, length],
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns (batch, out_channels, 1, time)."""
        return torch.ops.mkldnn._convolution_pointwise(  # type: ignore[no-any-return]  # torch.ops is untyped
            x, self._weight, self._bias, self._padding, [1, 1], self._dilation, 1, "none", [], ""
        )

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Returns the convolution of x plus `other`, in one pass."""
        return torch.ops.mkldnn._convolution_pointwise.binary(  # type: ignore[no-any-return]  # torch.ops is untyped
            x, other, self._weight, self._bias, self._padding, [1, 1], self._dilation, 1, "add", 1.0, None, [], None
        )


class PackedUpsampling(nn.Module):
    """A transposed convolution as one matrix product: every input position and its predecessors make `stride` outputs.

    With q = output + padding, tap j of input t contributes to q = t * stride + j. So output q uses input q // stride
    with tap q % stride, its predecessor with that tap plus the stride, and so on.
    """

    def __init__(self, plain: nn.ConvTranspose2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.stride, self.padding = plain.stride[1], int(plain.padding[1])
        taps, self.out_channels = plain.kernel_size[1], plain.out_channels
        self.reach = math.ceil(taps / self.stride)  # input positions that one output depends on
        weight = F.pad(plain.weight[:, :, 0], (0, self.reach * self.stride - taps))  # (in, out, reach * stride)
        weight = weight.reshape(*weight.shape[:2], self.reach, self.stride).flip(2)  # oldest input first
        weight = weight.permute(3, 1, 0, 2).flatten(0, 1).unsqueeze(2)  # (stride * out, in, 1, reach)
        bias = None if plain.bias is None else plain.bias.repeat(self.stride).to(dtype)
        padding = (self.reach - 1, self.reach - 1)
        self._product = PackedProduct(weight.to(dtype), bias, dilation=1, padding=padding)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Returns (batch, out_channels, 1, time * stride)."""
        batch, _, _, time = x.shape
        made: Tensor = self._product(x).permute(0, 2, 3, 1)  # (batch, 1, time + reach - 1, stride * out)
        by_position = made.reshape(batch, 1, made.shape[2] * self.stride, self.out_channels)
        kept = by_position[:, :, self.padding : self.padding + time * self.stride]
        return kept.permute(0, 3, 1, 2)


def pack(network: nn.Module, dtype: torch.dtype, *, length: int = TYPICAL_FRAMES) -> None:
    """Replaces a network's convolutions by packed ones that compute in `dtype`, in place.

    Args:
        network: on the CPU, for inference; depthwise convolutions and other layers stay unchanged.
        dtype: float32 or bfloat16; the network's other parameters must have it already.
        length: positions of its typical input.
    """
    for parent, name, plain in list(_convolutions(network)):
        setattr(parent, name, _packed(plain, dtype, length))


def _convolutions(network: nn.Module) -> Iterator[tuple[nn.Module, str, Conv | nn.ConvTranspose2d]]:
    for parent in network.modules():
        for name, module in parent.named_children():
            if isinstance(module, Conv | nn.ConvTranspose2d):
                yield parent, name, module


def _packed(plain: Conv | nn.ConvTranspose2d, dtype: torch.dtype, length: int) -> nn.Module:
    if isinstance(plain, nn.ConvTranspose2d):
        return PackedUpsampling(plain, dtype)
    if plain.kernel_size[1] == 1 or plain.in_channels >= FEWEST_CHANNELS_AS_PRODUCT:
        padding = int(plain.padding[1])
        bias = None if plain.bias is None else plain.bias.to(dtype)
        return PackedProduct(plain.weight.to(dtype), bias, dilation=plain.dilation[1], padding=(padding, padding))
    if dtype == torch.float32:
        return plain  # its layout changes with the length, and a wrong one costs more than it gains
    return PackedConv(plain, dtype, length)
