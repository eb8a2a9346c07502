"""Loads the Kokoro voices of the voices folder into an engine. Listed in `engines/registry.py`.

A model is a folder whose name starts with "kokoro": its checkpoint, and its style packs, each of which is a voice.
docs/kokoro.md shows one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from phonoscope.server.engines.loading import EngineKind, LoadedEngine, Loading


def load_kokoro(paths: Sequence[Path], loading: Loading) -> LoadedEngine | None:
    """Loads the voices of folders onto the device of the settings. Call it on a thread that ends, as `load_vits`.

    Raises:
        VoiceFileError: a file is invalid, and the settings do not allow skipping it.
        SettingsError: the device does not exist.
    """
    # A server without Kokoro does not pay for it.
    from phonoscope.server.engines.kokoro.engine import load_engine  # noqa: PLC0415

    return load_engine(paths, loading)


KOKORO: Final = EngineKind("kokoro*/", load_kokoro)
