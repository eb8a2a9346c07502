"""The registry of engines, and of the voice files that each loads.

Called by `build.py` at start, on a thread that ends. To add an engine, write its package and add it to ENGINES.
"""

from pathlib import Path
from typing import Final

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.indextts.loader import INDEXTTS
from phonoscope.server.engines.kokoro.loader import KOKORO
from phonoscope.server.engines.loading import EngineKind, LoadedEngine, Loading
from phonoscope.server.engines.vits.loader import VITS
from phonoscope.server.engines.voice_files import find_voices

ENGINES: Final[tuple[EngineKind, ...]] = (VITS, KOKORO, INDEXTTS)


def load_engines(loading: Loading, kinds: tuple[EngineKind, ...] = ENGINES) -> list[LoadedEngine]:
    """Finds the voice files, and loads each with its kind of engine.

    Raises:
        StartupError: a voice cannot be fetched or loaded, or there is none.
    """
    paths = find_voices(loading.settings, [kind.pattern for kind in kinds], loading.logger)
    loaded = []
    for kind in kinds:
        own = [path for path in paths if _is_own(path, kind, kinds)]
        if own and (engine := kind.load(own, loading)):
            loaded.append(engine)
    if not loaded:
        raise VoiceFileError("no voice file could be loaded, and --skip-bad-voices skipped them all; see the log")
    return loaded


def _is_own(path: Path, kind: EngineKind, kinds: tuple[EngineKind, ...]) -> bool:
    """Whether a file is of this kind: the first whose pattern it matches."""
    return next(one for one in kinds if path.match(one.pattern)) is kind
