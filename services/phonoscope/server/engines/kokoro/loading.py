"""Loads the voices of Kokoro's folders: the network of each once, and its style packs. Called by `engine.py`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.config import (
    CONFIG_NAME,
    SAMPLE_RATE_HZ,
    KokoroConfig,
    read_config,
)
from phonoscope.server.engines.kokoro.languages import LANGUAGES, Language, language_of
from phonoscope.server.engines.kokoro.model import Kokoro
from phonoscope.server.engines.kokoro.packages import packaged_parts, read_parts
from phonoscope.server.engines.kokoro.packs import FOLDER, find_packs, read_pack
from phonoscope.server.engines.kokoro.published_voices import GRADES, gender_of
from phonoscope.server.engines.kokoro.weights import ONNX_SUFFIX, load_network
from phonoscope.server.engines.loading import Loading
from phonoscope.server.types import Voice

ENGINE: Final = "kokoro"
_ADVICE: Final = "run: pip install 'phonoscope[kokoro]'"  # brings what the front ends import
_CHECKPOINTS: Final = ("*.pth", f"*{ONNX_SUFFIX}")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVoice:
    """A voice: a network, which voices of one folder share, and a pack of styles (lengths, 2 x style channels)."""

    voice: Voice
    network: Kokoro
    pack: Tensor


def load_folders(folders: Sequence[Path], loading: Loading, device: torch.device) -> list[LoadedVoice]:
    """Returns the voices of all folders, except bad ones that the settings allow to skip.

    Raises:
        VoiceFileError: a file is invalid, and the settings do not allow skipping it.
    """
    voices: dict[str, LoadedVoice] = {}
    for folder in folders:
        try:
            packs = _speakable(find_packs(folder), folder, loading)
            config, network = _load_model(folder, device)
        except VoiceFileError as error:
            loading.skip(folder, error)
            continue
        for loaded in _load_voices(packs, config, network, loading, device):
            voice = replace(loaded.voice, mixing_group=folder.name)
            voices.setdefault(voice.id, replace(loaded, voice=voice))
    return list(voices.values())


def _speakable(packs: dict[str, Path], folder: Path, loading: Loading) -> list[Path]:
    """Returns the packs of languages that can be read, and logs the others with what would help.

    Raises:
        VoiceFileError: there are none.
    """
    if not packs:
        raise VoiceFileError(
            f"{folder}: has no style packs; put NAME.pt, NAME.bin or NAME.npz into {folder / FOLDER}, such as "
            "af_heart.bin, or remove the folder"
        )
    unread: dict[Language, list[str]] = {}
    for name in packs:
        if (language := language_of(name)) is not None and not language.is_readable:
            unread.setdefault(language, []).append(name)
    for language, names in unread.items():
        loading.logger.warning(
            "voices_without_front_end",
            engine=ENGINE,
            language=language.name,
            voices=names,
            folder=str(folder),
            advice=_ADVICE,
        )
    _report_dictionaries(packs, loading)
    skipped = {name for names in unread.values() for name in names}
    if skipped == set(packs):
        languages = " and ".join(language.name for language in unread)
        raise VoiceFileError(f"{folder}: has voices of {languages} only, which this server cannot read; {_ADVICE}")
    return [path for name, path in packs.items() if name not in skipped]


def _report_dictionaries(packs: Iterable[str], loading: Loading) -> None:
    """Logs the languages that are read without their dictionary."""
    spoken = {language for name in packs if (language := language_of(name)) is not None}
    for language in spoken:
        if language.lacks_dictionary:
            loading.logger.warning(
                "voices_without_dictionary",
                engine=ENGINE,
                language=language.name,
                dictionary=language.dictionary,
                advice="run: pip install 'phonoscope[kokoro]', with Python 3.12 or older",
            )


def _load_model(folder: Path, device: torch.device) -> tuple[KokoroConfig, Kokoro]:
    """Returns the configuration and the network of a folder: its checkpoint's, or the installed one's.

    Raises:
        VoiceFileError: there is no checkpoint, or several; or it cannot be loaded.
    """
    path = folder / CONFIG_NAME
    config = read_config(path) if path.exists() else KokoroConfig()
    checkpoints = [path for pattern in _CHECKPOINTS for path in sorted(folder.glob(pattern))]
    if len(checkpoints) > 1:
        names = ", ".join(path.name for path in checkpoints)
        raise VoiceFileError(f"{folder}: has several checkpoints ({names}); keep one")
    if checkpoints:
        network = load_network(checkpoints[0], None, config.shape)
    elif parts := packaged_parts():
        network = load_network(parts[0].with_suffix(ONNX_SUFFIX), read_parts(parts), config.shape)
    else:
        raise VoiceFileError(
            f"{folder}: has style packs but no checkpoint; put kokoro-v1_0.pth or an ONNX export of Kokoro-82M into "
            "it, or install the 8-bit one: pip install 'phonoscope[kokoro]'"
        )
    return config, network.to(device)


def _load_voices(
    packs: Sequence[Path], config: KokoroConfig, network: Kokoro, loading: Loading, device: torch.device
) -> Iterator[LoadedVoice]:
    def load(path: Path) -> tuple[Voice, LoadedVoice]:
        voice = _voice(path, config)
        loaded = LoadedVoice(voice, network, read_pack(path, config.shape).to(device))
        return voice, loaded

    yield from loading.each(packs, str(device), load)


def _voice(path: Path, config: KokoroConfig) -> Voice:
    """Returns the voice of a pack.

    Raises:
        VoiceFileError: its name does not say its language, or the vocabulary does not fit.
    """
    name = path.name if path.parent.is_file() else path.stem
    language = language_of(name)
    if language is None:
        letters = ", ".join(f"{letter} {one.name}" for letter, one in LANGUAGES.items())
        raise VoiceFileError(
            f"{path}: a style pack's name starts with a letter for its language, f or m, and an underscore, as "
            f"af_heart does ({letters}); rename it"
        )
    try:
        scheme = language.scheme(config.vocabulary)
    except KeyError as error:
        raise VoiceFileError(
            f"{path}: the vocabulary of {CONFIG_NAME} has no {error}; use the one of Kokoro-82M"
        ) from error
    return Voice(
        name,
        language.tag,
        SAMPLE_RATE_HZ,
        scheme,
        engine=ENGINE,
        gender=gender_of(name),
        grade=GRADES.get(name, ""),
    )
