"""Chooses the form of each convolution for inference on a CPU. Called by `precision.py`, once for each network.

- Many channels, in float32: a matrix product of torch's BLAS, by minimal filtering where there are three taps or more.
  Both take every length at once. In bfloat16 oneDNN's product, which uses the CPU's instructions for it.
- Few channels and very many positions, as in the generator's residual blocks: oneDNN's convolution, with packed
  weights where they pay, which adds the residual while the sum is still in registers.
- Upsampling: a matrix product. Each input position makes `stride` output positions from itself and its neighbours, in
  output order in memory.
"""

import functools
import time
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from phonoscope.server.engines.matrix_products import MatrixProduct, UpsamplingProduct
from phonoscope.server.engines.onednn import PackedConv, PackedProduct
from phonoscope.server.engines.vits.config import ConvShape
from phonoscope.server.engines.vits.convolutions import Conv, conv
from phonoscope.server.engines.vits.winograd import WinogradConv

# Number of frames for which residual convolutions' weights are packed; other lengths use them too.
TYPICAL_FRAMES: Final = 64
# Below this number of channels, copying the taps for a matrix product costs more than it saves.
FEWEST_CHANNELS_AS_PRODUCT: Final = 192
# With fewer taps there is nothing to save.
FEWEST_TAPS_FILTERED: Final = 3
# Packed weights may cost up to this on other lengths than their own.
PACKED_OVER_PLAIN: Final = 1.1
MEASURED_RUNS: Final = 7


def pack(network: nn.Module, dtype: torch.dtype, *, length: int = TYPICAL_FRAMES) -> None:
    """Replaces a network's convolutions by faster ones that compute in `dtype`, in place.

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
        return UpsamplingProduct(plain, dtype, functools.partial(_product, dtype))
    taps, dilation = plain.kernel_size[1], plain.dilation[1]
    has_many_channels = plain.in_channels >= FEWEST_CHANNELS_AS_PRODUCT
    if dtype == torch.float32 and has_many_channels and dilation == 1 and taps >= FEWEST_TAPS_FILTERED:
        return WinogradConv(plain.weight, plain.bias)
    if taps == 1 or has_many_channels:
        padding = (int(plain.padding[1]),) * 2
        return _product(dtype, plain.weight, plain.bias, dilation=dilation, padding=padding)
    if dtype != torch.float32 or packed_weights_pay():
        return PackedConv(plain, dtype, length)
    return plain


def _product(
    dtype: torch.dtype, weight: Tensor, bias: Tensor | None, *, dilation: int, padding: tuple[int, int]
) -> nn.Module:
    blas: Any = torch.backends.mkl
    form = MatrixProduct if dtype == torch.float32 and blas.is_available() else PackedProduct
    return form(weight.to(dtype), None if bias is None else bias.to(dtype), dilation=dilation, padding=padding)


@functools.cache
def packed_weights_pay() -> bool:
    """Whether float32 weights packed for a long input are as fast on a short one; measured once per process.

    On some CPUs oneDNN prefers another layout for each length, and a wrong one takes several times as long.
    """
    plain = conv(ConvShape(32, 32, 7, padding=3)).requires_grad_(requires_grad=False)
    packed = PackedConv(plain, torch.float32, TYPICAL_FRAMES * 256)
    x = torch.zeros(1, 32, 1, 8 * 256).contiguous(memory_format=torch.channels_last)
    return _seconds(packed, x) <= PACKED_OVER_PLAIN * _seconds(plain, x)


def _seconds(layer: nn.Module, x: Tensor) -> float:
    """Returns the shortest time of a few runs; the first, which generates code, does not count."""
    layer(x)
    times = []
    for _ in range(MEASURED_RUNS):
        began = time.perf_counter()
        layer(x)
        times.append(time.perf_counter() - began)
    return min(times)
