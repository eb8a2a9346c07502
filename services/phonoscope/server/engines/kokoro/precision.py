"""A network in another precision, optimised for its device. Called by `engine.py` at warm-up.

Everything that decides durations, F0 and energy stays in float32, so that the rhythm of an utterance never depends on
the machine, and so do the source and the last convolution, which makes phases. The decoder's blocks and the
generator's stages, nine tenths of the work, may have half the bits.
"""

import copy

import torch
from torch import nn

from phonoscope.server.engines.kokoro.generator import PIECE_VALUES, ResidualBlock
from phonoscope.server.engines.kokoro.layers import StyledBlock
from phonoscope.server.engines.kokoro.model import Kokoro
from phonoscope.server.engines.onednn import PackedConv, PackedProduct, can_pack, can_pack_bfloat16


def in_precision(network: Kokoro, dtype: torch.dtype) -> Kokoro:
    """Returns a network whose decoder computes in `dtype`, and which shares everything else with the given one."""
    shared = (network.bert, network.bert_encoder, network.predictor, network.text_encoder)
    quick = copy.deepcopy(network, {id(part): part for part in shared})
    decoder, generator = quick.decoder, quick.decoder.generator
    blocks = [module for module in decoder.modules() if isinstance(module, ResidualBlock | StyledBlock)]
    parts: list[nn.Module] = [*generator.ups, *generator.noise_convs]
    parts += [module for block in blocks for module in block.modules() if isinstance(module, nn.Conv2d)]
    parts += [block.pool for block in blocks if isinstance(block, StyledBlock) and block.pool is not None]
    for part in parts:
        part.to(dtype)
    can = can_pack() if dtype == torch.float32 else can_pack_bfloat16()
    if can and next(network.parameters()).device.type == "cpu":
        for block in blocks:
            _pack(block, dtype)
    return quick


def _pack(block: ResidualBlock | StyledBlock, dtype: torch.dtype) -> None:
    """Replaces a block's convolutions by those with packed weights."""
    for parent in list(block.modules()):
        for name, module in list(parent.named_children()):
            if isinstance(module, nn.Conv2d):
                setattr(parent, name, _packed(module, dtype, is_short=isinstance(block, StyledBlock)))


def _packed(plain: nn.Conv2d, dtype: torch.dtype, *, is_short: bool) -> nn.Module:
    """Returns a convolution with packed weights.

    For few positions and many channels, in numbers that are no multiple of 16, oneDNN's convolutions are up to twenty
    times as slow as its products.
    """
    if not is_short:
        return PackedConv(plain, dtype, PIECE_VALUES // plain.in_channels)
    bias = None if plain.bias is None else plain.bias.to(dtype)
    padding = (int(plain.padding[1]),) * 2
    return PackedProduct(plain.weight.to(dtype), bias, dilation=plain.dilation[1], padding=padding)
