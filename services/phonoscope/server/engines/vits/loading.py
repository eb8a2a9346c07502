"""Loads a Piper voice's two files as a network on a device. Called by `loader.py` for each voice."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.vits.batches import with_height
from phonoscope.server.engines.vits.config import PiperVoice, read_voice
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.weights import read_weights

Device = torch.device


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVoice:
    """A voice and its network."""

    voice: PiperVoice
    model: Vits


def load_voice(onnx_path: Path, device: torch.device) -> LoadedVoice:
    """Loads a Piper voice from NAME.onnx and NAME.onnx.json onto a device.

    Raises:
        VoiceFileError: either file is missing, corrupt, truncated or foreign, or they do not belong together.
    """
    voice = read_voice(onnx_path.with_name(onnx_path.name + ".json"))
    weights = read_weights(onnx_path)
    _check_pair(onnx_path, voice, weights.shape.text_encoder.symbols, weights.shape.speakers)
    try:
        with torch.device("meta"):  # no memory, no random numbers: every parameter is loaded from the file
            model = Vits(weights.shape)
        model.load_state_dict(_laid_out(weights.parameters, model), assign=True)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise VoiceFileError(
            f"{onnx_path}: is not a complete Piper voice: {reason[:300]}; download it again"
        ) from error
    return LoadedVoice(voice, model.eval().requires_grad_(requires_grad=False).to(device))


def _laid_out(parameters: Mapping[str, Tensor], model: Vits) -> dict[str, Tensor]:
    """Returns the parameters in the model's layout: convolutions have a height of 1, and channels last in memory."""
    convolutions = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    }
    return {name: with_height(tensor) if name in convolutions else tensor for name, tensor in parameters.items()}


def _check_pair(path: Path, voice: PiperVoice, symbols: int, speakers: int) -> None:
    highest = max((i for ids in voice.phonemes.ids.values() for i in ids), default=0)
    if highest >= symbols:
        raise VoiceFileError(
            f"{path}: has {symbols} phonemes, but its .json uses id {highest}; they do not belong together, download "
            "both again"
        )
    if (named := max(1, len(voice.speakers))) != speakers:
        raise VoiceFileError(
            f"{path}: has {speakers} speaker(s), but its .json has {named}; they do not belong together, download "
            "both again"
        )
