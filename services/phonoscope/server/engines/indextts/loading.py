"""Loads a folder with a checkpoint and recordings: the library, and its voices. Called by `engine.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from phonoscope.common.errors import SettingsError, VoiceFileError
from phonoscope.server.engines.indextts.checkpoint import check_checkpoint, file_of
from phonoscope.server.engines.indextts.library import SAMPLE_RATE_HZ, Library
from phonoscope.server.engines.indextts.recordings import find_recordings, read_recording
from phonoscope.server.engines.loading import Loading
from phonoscope.server.types import Voice

GRAMMARS: Final = "indextts"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedCheckpoint:
    """A checkpoint in memory, and the voices of its folder, at least one."""

    library: Library
    voices: Sequence[Voice]


def load_checkpoint(folder: Path, loading: Loading, device: torch.device, *, is_half: bool) -> LoadedCheckpoint | None:
    """Returns the checkpoint of a folder with its voices; None if all of these are invalid and are to be skipped.

    Raises:
        VoiceFileError: a file is missing or foreign.
    """
    config = check_checkpoint(folder)

    def load(path: Path) -> tuple[Voice, Voice]:
        voice = read_recording(path, SAMPLE_RATE_HZ)
        return voice, voice

    voices = list(loading.each(find_recordings(folder), str(device), load))
    if not voices:
        return None
    grammars = _grammars(loading.settings.cache_dir)
    try:
        return LoadedCheckpoint(Library(folder, str(device), is_half=is_half, grammars=grammars), voices)
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
