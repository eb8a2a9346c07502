"""Loads a checkpoint of Kokoro into a network: the published `.pth`, or an ONNX export. Called by `loading.py`.

The published checkpoint is a dictionary of five state dictionaries (bert, bert_encoder, predictor, text_encoder,
decoder), whose names start with "module." and whose convolutions are weight-normalised.
"""

import io
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.model import Kokoro
from phonoscope.server.engines.kokoro.onnx_weights import read_onnx
from phonoscope.server.engines.voice_files import read_voice_file

PARTS: Final = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")
ONNX_SUFFIX: Final = ".onnx"
_WRAPPER: Final = "module."
# Names of weight normalisation: magnitude and direction, in the older and the newer form.
_NORMALISED: Final = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)
# In checkpoints, and used by nothing.
_UNUSED: Final = ("bert.pooler.", "bert.embeddings.position_ids")
# Scale and shift of instance norms, which are of the style alone: 1 and 0 where a checkpoint has them.
_IDENTITIES: Final = ((".norm.weight", 1.0), (".norm.bias", 0.0))


def load_network(path: Path, content: bytes | None, shape: KokoroShape) -> Kokoro:
    """Returns the network of a checkpoint, in float32 and for inference.

    Args:
        path: the file; its suffix tells its format.
        content: of the file, if it has been read; None reads it.
        shape: of the network.

    Raises:
        VoiceFileError: the file is missing, truncated, foreign, or of another shape.
    """
    content = read_voice_file(path) if content is None else content
    with torch.device("meta"):  # no memory, no random numbers: every parameter is loaded from the file
        network = Kokoro(shape)
    expected = network.state_dict().keys()
    if path.suffix == ONNX_SUFFIX:
        arrays = read_onnx(content, path, expected)
        # One after the other leaves: 82 million parameters need not be in memory twice.
        parameters = {
            name: torch.from_numpy(np.require(arrays.pop(name), requirements=["C", "W"])) for name in list(arrays)
        }
    else:
        parameters = _read_checkpoint(content, path)
    del content
    try:
        network.load_state_dict(_laid_out(parameters, network), assign=True)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise VoiceFileError(
            f"{path}: is not a complete checkpoint of Kokoro-82M: {reason[:300]}; download it again"
        ) from error
    _check_finite(path, network.state_dict())
    return network.eval().requires_grad_(requires_grad=False)


def _read_checkpoint(content: bytes, path: Path) -> dict[str, Tensor]:
    """Returns the parameters of a `.pth`, weight normalisation folded."""
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise VoiceFileError(
            f"{path}: is not a checkpoint of torch, or is truncated ({reason[:100]}); download it again"
        ) from error
    if not isinstance(loaded, dict) or (missing := [part for part in PARTS if not isinstance(loaded.get(part), dict)]):
        lacking = " ".join(missing) if isinstance(loaded, dict) else "everything"
        raise VoiceFileError(f"{path}: is not a checkpoint of Kokoro, it lacks {lacking}; use kokoro-v1_0.pth")
    named = {
        f"{part}.{name.removeprefix(_WRAPPER)}": tensor.float()
        for part in PARTS
        for name, tensor in loaded[part].items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }
    return dict(_folded(named))


def _folded(named: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in named.items():
        if name.startswith(_UNUSED) or any(
            name.endswith(end) and bool((tensor == one).all()) for end, one in _IDENTITIES
        ):
            continue
        for magnitude, direction in _NORMALISED:
            if name.endswith(magnitude):
                break
            if (
                name.endswith(direction)
                and (size := named.get(module := name.removesuffix(direction) + magnitude)) is not None
            ):
                yield module.removesuffix(magnitude) + ".weight", _weight(size, tensor)
                break
        else:
            yield name, tensor


def _weight(magnitude: Tensor, direction: Tensor) -> Tensor:
    """Returns the weight of a weight-normalised layer (Salimans and Kingma 2016, arXiv:1602.07868)."""
    others = tuple(range(1, direction.ndim))
    weight: Tensor = direction * (magnitude / torch.linalg.vector_norm(direction, dim=others, keepdim=True))
    return weight


def _laid_out(parameters: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the parameters in the network's layout: convolutions have a height of 1, and channels last in memory."""
    convolutions = {
        f"{name}.weight"
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    }
    return {
        name: tensor.unsqueeze(2).contiguous(memory_format=torch.channels_last) if name in convolutions else tensor
        for name, tensor in parameters.items()
    }


def _check_finite(path: Path, parameters: Mapping[str, Tensor]) -> None:
    # A sum is several times faster than to look at each number, and is finite only if all are.
    broken = [name for name, tensor in parameters.items() if not tensor.sum().isfinite() and not _is_finite(tensor)]
    if broken:
        raise VoiceFileError(f"{path}: is corrupt: {broken[0]} is not finite; download it again")


def _is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())
