"""Reads the recordings of a checkpoint's folder, each of which is a voice. Called by `loading.py`.

A recording is a pair of files in the folder `voices`: NAME.wav, and NAME.json with its language.
"""

import json
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.indextts.languages import LANGUAGES, Language, language_of
from phonoscope.server.engines.voice_files import read_voice_file
from phonoscope.server.types import Reference, Voice

ENGINE: Final = "indextts"
FOLDER: Final = "voices"
SECONDS: Final = (3.0, 30.0)
_KEYS: Final = ("language", "transcript", "consent")


def find_recordings(folder: Path) -> list[Path]:
    """Returns the recordings of a folder.

    Raises:
        VoiceFileError: there are none.
    """
    if found := sorted((folder / FOLDER).glob("*.wav")):
        return found
    raise VoiceFileError(
        f"{folder}: has no voices; put recordings into {folder / FOLDER}: NAME.wav of 3 to 30 s, and NAME.json "
        'such as {"language": "en-US", "transcript": "what is said", "consent": "who agreed that it is used"}'
    )


def read_recording(path: Path, sample_rate_hz: int) -> Voice:
    """Returns a recording as a voice.

    Args:
        path: of NAME.wav, with NAME.json beside it.
        sample_rate_hz: of the engine.

    Raises:
        VoiceFileError: a file is missing or invalid, or the language is none of the engine's.
    """
    tag, language, transcript = _read_facts(path.with_suffix(".json"))
    return Voice(
        path.stem,
        tag,
        sample_rate_hz,
        language.scheme,
        engine=ENGINE,
        emotion_rendering="native",
        has_timings=False,
        alphabets=(),
        reference=_read_audio(path, transcript),
    )


def _read_facts(path: Path) -> tuple[str, Language, str]:
    """Returns the language's tag, the language, and the transcript."""
    try:
        facts = json.loads(read_voice_file(path))
    except ValueError as error:
        raise VoiceFileError(f"{path}: is not JSON: {error}") from error
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise VoiceFileError(f"{path}: is not an object of strings; write {', '.join(_KEYS)}")
    if unknown := [key for key in facts if key not in _KEYS]:
        raise VoiceFileError(f"{path}: has an unknown key {unknown[0]!r}; use {', '.join(_KEYS)}")
    tag = facts.get("language", "")
    language = language_of(tag)
    if language is None:
        known = ", ".join(f"{code} ({one.name})" for code, one in LANGUAGES.items())
        raise VoiceFileError(f"{path}: language {tag!r} is not one that IndexTTS speaks; use {known}")
    return tag, language, facts.get("transcript", "")


def _read_audio(path: Path, transcript: str) -> Reference:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise VoiceFileError(f"{path}: cannot be read as a WAV file: {' '.join(str(error).split())[:200]}") from error
    seconds = len(samples) / rate
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise VoiceFileError(f"{path}: lasts {seconds:.1f} s; record {SECONDS[0]:g} to {SECONDS[1]:g} s of speech")
    return Reference(np.ascontiguousarray(samples.mean(axis=1)), rate, transcript)
