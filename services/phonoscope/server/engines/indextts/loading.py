"""Loads a checkpoint into the library. Called by `engine.py`."""

from pathlib import Path
from typing import Final

import torch

from phonoscope.common.errors import SettingsError, VoiceFileError
from phonoscope.server.engines.indextts.checkpoint import check_checkpoint, file_of
from phonoscope.server.engines.indextts.library import Library
from phonoscope.server.settings import ServerSettings

GRAMMARS: Final = "indextts"


def load_library(folder: Path, settings: ServerSettings, device: torch.device) -> Library:
    """Returns the library with the checkpoint of a folder.

    Raises:
        VoiceFileError: a file is missing or foreign.
        SettingsError: the library does not have the precision, or the device has too little memory.
    """
    config = check_checkpoint(folder)
    is_half = computes_in_half(settings.precision, device)
    try:
        return Library(folder, str(device), is_half=is_half, grammars=_grammars(settings.cache_dir))
    except torch.OutOfMemoryError as error:
        raise SettingsError(
            f"{folder}: IndexTTS-2.5 needs about 6 GB of free memory on {device}; free some, or remove the folder"
        ) from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise VoiceFileError(
            f"{file_of(error, folder, config)}: does not belong to this checkpoint of IndexTTS-2.5: {reason}; "
            "download it again"
        ) from error


def computes_in_half(precision: str, device: torch.device) -> bool:
    """Whether the autoregressive network computes in bfloat16, which takes less memory on a GPU and is no faster.

    Raises:
        SettingsError: the library does not have this precision.
    """
    if precision == "float16":
        raise SettingsError("precision float16 is not supported by IndexTTS; use auto, float32 or bfloat16")
    return precision == "bfloat16" and device.type == "cuda"


def _grammars(cache_dir: Path) -> Path | None:
    """Returns where compiled grammars are kept; None for the library's own place, where there is no home directory."""
    try:
        return cache_dir.expanduser() / GRAMMARS
    except RuntimeError:
        return None
