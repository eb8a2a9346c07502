"""The inputs and outputs of an engine's loader. `registry.py` lists the loaders."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import structlog

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.base import Engine
from phonoscope.server.events import Emit, VoiceLoaded
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import Voice

Logger = structlog.typing.FilteringBoundLogger
VoiceT = TypeVar("VoiceT")


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine with its voices in memory, not warmed up yet.

    Attributes:
        log_state: logs what the engine decided during warm-up.
        libraries: versions of its libraries, for the build metric.
    """

    engine: Engine
    log_state: Callable[[Logger], None]
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loading:
    """What loaders need in addition to the files.

    Attributes:
        settings: the server's.
        logger: receives a line for each skipped voice.
        emit: receives VoiceLoaded for each voice.
        check: raises VoiceFileError for a voice that no text can be read for.
    """

    settings: ServerSettings
    logger: Logger
    emit: Emit
    check: Callable[[Voice], None]

    def each(
        self, paths: Sequence[Path], device: str, load: Callable[[Path], tuple[Voice, VoiceT]]
    ) -> Iterator[VoiceT]:
        """Yields the result of `load` for each file, except invalid ones that the settings allow to skip.

        Args:
            paths: voice files.
            device: the device of the voices.
            load: returns a voice and its loaded form.

        Raises:
            VoiceFileError: a file is invalid, and the settings do not allow skipping it.
        """
        for path in paths:
            began = time.monotonic()
            try:
                voice, loaded = load(path)
                self._check(path, voice)
            except VoiceFileError as error:
                self.skip(path, error)
                continue
            self.emit(VoiceLoaded(voice.id, device, time.monotonic() - began))
            yield loaded

    def skip(self, path: Path, error: VoiceFileError) -> None:
        """Logs that an invalid file is skipped.

        Raises:
            VoiceFileError: the settings do not allow skipping it.
        """
        if not self.settings.skip_bad_voices:
            raise VoiceFileError(f"{error} (--skip-bad-voices starts the server without it)") from None
        self.logger.warning("voice_skipped", path=str(path), error=str(error))

    def _check(self, path: Path, voice: Voice) -> None:
        try:
            self.check(voice)
        except VoiceFileError as error:
            raise VoiceFileError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class EngineKind:
    """One kind of engine, as the registry lists it.

    Attributes:
        pattern: of the names of its voice files, such as "*.onnx".
        load: loads such files; returns None if none of them could be loaded.
    """

    pattern: str
    load: Callable[[Sequence[Path], Loading], LoadedEngine | None]
