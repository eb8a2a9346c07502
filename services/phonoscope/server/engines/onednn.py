"""Convolutions with weights in oneDNN's packed layout, for inference on a CPU, in float32 or bfloat16.

Engines swap them in for plain ones, `vits/packing.py` for example. Plain convolutions reorder their weights at each
call, which for a short window takes longer than the convolution. oneDNN generates code for each new length, and keeps
it: see `vits/lengths.py`.

The operators are those that TorchInductor emits (torch/_inductor/mkldnn_lowerings.py); `can_pack` returns whether
this build of torch has them.
"""

# ruff: noqa: SLF001  the operators have underscores in their names

from typing import Any

import torch
from torch import Tensor, nn

from phonoscope.server.engines.matrix_products import TapProduct, concatenated_taps


def can_pack() -> bool:
    """Whether torch was built with oneDNN and has the operators."""
    built: Any = torch.backends.mkldnn
    return bool(built.is_available()) and all(
        hasattr(torch.ops.mkldnn, name)
        for name in ("_linear_pointwise", "_convolution_pointwise", "_reorder_linear_weight")
    )


def can_pack_bfloat16() -> bool:
    """Whether the operators take bfloat16 on this CPU; without AVX512 or AVX-NE-CONVERT they raise."""
    return can_pack() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class PackedProduct(TapProduct):
    """A product of oneDNN, with packed weights. Arguments as for TapProduct, and the bias, (out_channels,)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, dilation: int, padding: tuple[int, int]) -> None:
        super().__init__(weight, dilation=dilation, padding=padding)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(concatenated_taps(weight).contiguous(), None)
        self._bias = bias

    def multiply(self, rows: Tensor) -> Tensor:
        """Returns the product plus the bias."""
        made: Tensor = torch.ops.mkldnn._linear_pointwise(rows.contiguous(), self._weight, self._bias, "none", [], "")
        return made


class PackedConv(nn.Module):
    """A convolution with weights in oneDNN's layout for inputs of about `length` positions."""

    def __init__(self, plain: nn.Conv2d, dtype: torch.dtype, length: int) -> None:
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
