"""A network in another precision. Called by `engine.py` at warm-up.

Text encoder and durations always use float32, so that the rhythm of an utterance never depends on the machine; flow
and generator, nine tenths of the work, may have half the bits.
"""

import copy
import math

import torch

from phonoscope.server.engines.onednn import can_pack, can_pack_bfloat16
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.packing import TYPICAL_FRAMES, pack


def in_precision(model: Vits, dtype: torch.dtype) -> Vits:
    """Returns a copy of a network whose flow and generator compute in `dtype`, optimised for its device.

    The last convolution, which makes samples, stays in float32: eight bits of significand cause audible noise.
    """
    quick = copy.deepcopy(model)
    quick.flow.to(dtype)
    quick.dec.to(dtype)
    quick.dec.conv_post.float()
    can = can_pack() if dtype == torch.float32 else can_pack_bfloat16()
    if next(model.parameters()).device.type == "cpu" and can:
        _pack(quick, dtype)
    return quick


def _pack(model: Vits, dtype: torch.dtype) -> None:
    pack(model.enc_p, torch.float32)
    pack(model.dp, torch.float32)
    pack(model.flow, dtype)
    generator, length = model.dec, TYPICAL_FRAMES
    post = generator.conv_post
    for number, block in enumerate(generator.resblocks):
        stage = number // generator.blocks_per_stage
        pack(block, dtype, length=length * math.prod(generator.strides[: stage + 1]))
    pack(generator, dtype)  # the rest: its first convolution, the speaker's, upsampling
    generator.conv_post = post
