"""Loads a checkpoint of IndexTTS from the voices folder into an engine. Listed in `engines/registry.py`.

A checkpoint is a folder whose name starts with "indextts": the published files of IndexTTS-2.5. docs/indextts.md shows
one.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.loading import EngineKind, LoadedEngine, Loading

PACKAGE: Final = "indextts25"


def load_indextts(paths: Sequence[Path], loading: Loading) -> LoadedEngine | None:
    """Loads the checkpoint of a folder onto the device of the settings. Call it on a thread that ends, as `load_vits`.

    Raises:
        VoiceFileError: a file is invalid, the library is not installed, or there are several folders; and the settings
            do not allow skipping it.
        SettingsError: the device or the precision does not exist.
    """
    folder = paths[0]
    try:
        _check_loadable(paths)
        # A server without IndexTTS does not pay for it.
        from phonoscope.server.engines.indextts.engine import load_engine  # noqa: PLC0415

        return load_engine(folder, loading)
    except VoiceFileError as error:
        loading.skip(folder, error)
        return None


def _check_loadable(paths: Sequence[Path]) -> None:
    """Raises VoiceFileError if there are several folders, or the library is not installed."""
    folder, *others = paths
    if others:
        raise VoiceFileError(f"{others[0]}: is a second checkpoint of IndexTTS, beside {folder.name}; keep one")
    if find_spec(PACKAGE) is None:
        raise VoiceFileError(
            f"{folder}: needs the library indextts25-inference: run pip install 'phonoscope[indextts]' (see "
            "docs/indextts.md for its licence), or remove the folder"
        )


INDEXTTS: Final = EngineKind("indextts*/", load_indextts)
