"""Makes voices of the recordings in the voices folder. Called by `__main__.py` at start; see docs/references.md.

A recording is an audio file with NAME.json beside it. A loaded voice of its language that takes recordings speaks it;
the engine does not know its name.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.audio.decode import RecordingFault
from phonoscope.server.audio.recordings import recording_of
from phonoscope.server.engines.voice_files import read_voice_file
from phonoscope.server.messages import listed
from phonoscope.server.request.references import MAX_RECORDING_BYTES, MAX_TRANSCRIPT_CHARACTERS
from phonoscope.server.request.voice_choice import speaks
from phonoscope.server.types import Voice

SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg")
REQUIRED: Final = ("language", "consent")
KEYS: Final = (*REQUIRED, "transcript", "voice")
# They have a meaning in a speaker_id or in the settings.
_RESERVED_SIGNS: Final = frozenset(":+(),=")
_EXAMPLE: Final = '{"language": "en-US", "consent": "Ann Example agreed by letter, 2026-11-02", "transcript": "…"}'
Logger = structlog.typing.FilteringBoundLogger
Skip = Callable[[Path, VoiceFileError], None]


def recorded_voices(folder: Path, voices: Sequence[Voice], skip: Skip, logger: Logger) -> list[Voice]:
    """Returns a voice for each recording of a folder. Slow: it decodes them.

    Args:
        folder: of voice files; it need not exist.
        voices: the loaded ones.
        skip: receives invalid recordings; raises where these are not to be skipped.
        logger: receives a line for each recording that is used, and for what looks like one and is not used.

    Raises:
        VoiceFileError: a recording is invalid, and `skip` raised it.
    """
    able = [voice for voice in voices if voice.takes_reference and not voice.reference]
    taken = {voice.id for voice in voices}
    made: list[Voice] = []
    for path in _audio_files(folder):
        if not path.with_suffix(".json").is_file():
            logger.warning("recording_ignored", path=str(path), missing=path.with_suffix(".json").name)
        elif not able:
            logger.warning("recording_ignored", path=str(path), missing="a voice that takes recordings")
        else:
            try:
                voice = _voice(path, able, taken)
            except VoiceFileError as error:
                skip(path, error)
                continue
            logger.info("recording_loaded", voice=voice.id, base=voice.base, language=voice.language)
            made.append(voice)
            taken.add(voice.id)
    return made


def _audio_files(folder: Path) -> list[Path]:
    folder = folder.expanduser()
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _voice(path: Path, able: Sequence[Voice], taken: set[str]) -> Voice:
    name = path.stem
    if not name or name == "default" or not _RESERVED_SIGNS.isdisjoint(name):
        raise VoiceFileError(f"{path}: {name!r} cannot be the name of a voice; use a name without {_signs()}")
    if name in taken:
        raise VoiceFileError(f"{path}: there is another voice {name!r}; rename the recording and its .json file")
    facts = _facts(path.with_suffix(".json"))
    base = _base(path.with_suffix(".json"), facts, able)
    try:
        recording = recording_of(_content(path), base.recording_rate_hz, facts.get("transcript", ""))
    except RecordingFault as fault:
        raise VoiceFileError(f"{path}: {fault}") from None
    return replace(
        base,
        id=name,
        language=facts["language"],
        speakers=(),
        gender="",
        grade="",
        mixing_group="",
        quality="",
        aliases=(),
        reference=recording,
        base=base.loaded_id,
    )


def _signs() -> str:
    return " ".join(sorted(_RESERVED_SIGNS))


def _content(path: Path) -> bytes:
    if (size := path.stat().st_size) > MAX_RECORDING_BYTES:
        raise VoiceFileError(
            f"{path}: has {size / 2**20:.1f} MiB; the maximum is {MAX_RECORDING_BYTES / 2**20:g} MiB; use 30 s at most"
        )
    return read_voice_file(path)


def _facts(path: Path) -> Mapping[str, str]:
    """Returns what the file beside a recording says of it."""
    try:
        facts = json.loads(read_voice_file(path))
    except ValueError as error:  # of JSON, and of its encoding
        raise VoiceFileError(f"{path}: is not JSON: {error}; write {_EXAMPLE}") from None
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise VoiceFileError(f"{path}: is not an object of strings; write {_EXAMPLE}")
    if unknown := [key for key in facts if key not in KEYS]:
        raise VoiceFileError(f"{path}: has an unknown key {unknown[0]!r}; use {', '.join(KEYS)}")
    if missing := [key for key in REQUIRED if not facts.get(key, "").strip()]:
        raise VoiceFileError(f"{path}: has no {missing[0]}; write {_EXAMPLE}")
    if len(facts.get("transcript", "")) > MAX_TRANSCRIPT_CHARACTERS:
        raise VoiceFileError(f"{path}: its transcript has more than {MAX_TRANSCRIPT_CHARACTERS} characters")
    return facts


def _base(path: Path, facts: Mapping[str, str], able: Sequence[Voice]) -> Voice:
    """Returns the loaded voice that speaks a recording: the named one, else the first of its language."""
    language, name = facts["language"], facts.get("voice", "")
    if name and name not in {voice.id for voice in able}:
        raise VoiceFileError(f"{path}: no loaded voice {name!r} takes recordings; use {listed([v.id for v in able])}")
    primary = language.replace("_", "-").partition("-")[0]
    fitting = [voice for tag in (language, primary) for voice in able if speaks(voice, tag)]
    for voice in able if name else fitting:
        if name in ("", voice.id):
            return voice
    spoken = sorted({voice.language for voice in able})
    raise VoiceFileError(
        f"{path}: no loaded voice that takes recordings speaks {language!r}; use one of {listed(spoken)}, or name a "
        "voice with the key voice"
    )
