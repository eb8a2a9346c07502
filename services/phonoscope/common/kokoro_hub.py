"""Downloads Kokoro-82M, its checkpoint and style packs, into one folder of the voices folder.

Called by the server at startup for configured voices that are missing, and by `phonoscope voices`. Files are received
in a hidden folder beside the model's own and moved there once all are verified: a server never sees half a model, and
the next call resumes what was interrupted. POSIX only: downloads into one directory are serialized by flock.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from phonoscope.common.download import (
    PartFile,
    RemoteFile,
    Retries,
    check_hub_url,
    connection,
    fetch_part,
    ignore_progress,
    locked,
)
from phonoscope.common.errors import VoiceDownloadError
from phonoscope.common.kokoro_files import (
    CHECKPOINT,
    CHECKPOINT_BYTES,
    CHECKPOINT_SHA256,
    CONFIG,
    CONFIG_BYTES,
    CONFIG_SHA256,
    PACK_SHA256,
    REVISION,
    TYPICAL_PACK_BYTES,
)

MODEL: Final = "kokoro-82m"
DEFAULT_KOKORO_HUB_URL: Final = f"https://huggingface.co/hexgrad/Kokoro-82M/resolve/{REVISION}"
_CHECKPOINTS: Final = ("*.pth", "*.onnx")
_PACKS: Final = "voices"
# By the first letter of a voice's name, as the maker states.
_LANGUAGES: Final = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr-FR",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh-CN",
}


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """A published voice: its name for `pull`, its BCP 47 tag, and about the size of its pack."""

    name: str
    language: str
    total_bytes: int


def catalogue() -> list[KokoroVoice]:
    """Returns the published voices, sorted by name."""
    return [KokoroVoice(f"{MODEL}/{voice}", _LANGUAGES[voice[0]], TYPICAL_PACK_BYTES) for voice in sorted(PACK_SHA256)]


def is_kokoro(name: str) -> bool:
    """Whether a name is Kokoro's: "kokoro-82m", which is all voices, or "kokoro-82m/af_heart"."""
    return name.partition("/")[0] == MODEL


def voice_names(names: Sequence[str]) -> list[str]:
    """Returns the voices that names of Kokoro stand for, such as "af_heart", each once.

    Raises:
        VoiceDownloadError: there is no such voice.
    """
    voices: dict[str, None] = {}
    for name in names:
        model, slash, voice = name.partition("/")
        if model != MODEL or (slash and voice not in PACK_SHA256):
            near = difflib.get_close_matches(voice, PACK_SHA256, n=3) or ["af_heart", "zf_xiaoxiao"]
            examples = ", ".join(f"{MODEL}/{one}" for one in near)
            raise VoiceDownloadError(f"Kokoro-82M has no voice {name!r}; use {MODEL} for all, or such as {examples}")
        voices |= dict.fromkeys([voice] if slash else PACK_SHA256)
    return list(voices)


class KokoroHub:
    """The published files of Kokoro-82M below `base_url`; each call opens a connection unless there is a `client`."""

    def __init__(
        self,
        base_url: str = DEFAULT_KOKORO_HUB_URL,
        *,
        client: httpx.Client | None = None,
        retries: Retries | None = None,
    ) -> None:
        check_hub_url(base_url)
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._retries = retries or Retries()

    def pull(
        self,
        names: Sequence[str],
        directory: Path,
        *,
        has_model: bool = True,
        on_progress: Callable[[int, int], None] = ignore_progress,
    ) -> Path:
        """Downloads voices, and the model that speaks them, into the folder "kokoro-82m" of `directory`; returns it.

        Files that are there and intact are kept, without a request. `on_progress` gets the received bytes and the
        total bytes, in which packs count with their typical size.

        Args:
            names: "kokoro-82m" for all voices, or such as "kokoro-82m/af_heart".
            directory: the voices folder.
            has_model: False leaves out checkpoint and configuration, for the 8-bit model of `phonoscope[kokoro]`.
            on_progress: see above.

        Raises:
            VoiceDownloadError: a name is unknown, the folder has another checkpoint, the hub cannot be reached, its
                files are not the published ones, or the directory cannot be written.
        """
        folder = directory / MODEL
        wanted = self._wanted(voice_names(names), has_model=has_model)
        try:
            if has_model:
                _check_alone(folder)
            if _missing(wanted, folder):  # first without a lock, so that a read-only directory works too
                directory.mkdir(parents=True, exist_ok=True)
                with locked(directory):
                    self._download(wanted, folder, on_progress)
        except OSError as failure:
            raise VoiceDownloadError(f"cannot store {MODEL} in {directory}: {failure.strerror}") from failure
        total_bytes = _total_bytes(wanted)
        on_progress(total_bytes, total_bytes)
        return folder

    def _wanted(self, voices: Sequence[str], *, has_model: bool) -> dict[str, RemoteFile]:
        """Returns the files by their paths below the folder, which are those below the hub's address."""

        def remote(path: str, digest: str, size_bytes: int | None = None) -> RemoteFile:
            return RemoteFile(f"{self._base_url}/{path}", digest, "sha256", size_bytes)

        files = {f"{_PACKS}/{voice}.pt": PACK_SHA256[voice] for voice in voices}
        packs = {path: remote(path, digest) for path, digest in files.items()}
        if not has_model:
            return packs
        return {
            CONFIG: remote(CONFIG, CONFIG_SHA256, CONFIG_BYTES),
            CHECKPOINT: remote(CHECKPOINT, CHECKPOINT_SHA256, CHECKPOINT_BYTES),
            **packs,
        }

    def _download(
        self, wanted: Mapping[str, RemoteFile], folder: Path, on_progress: Callable[[int, int], None]
    ) -> None:
        arriving = folder.with_name(f".{MODEL}.part")
        (arriving / _PACKS).mkdir(parents=True, exist_ok=True)
        missing = _missing(wanted, folder)
        total_bytes = _total_bytes(wanted)
        received_bytes = total_bytes - _total_bytes(missing)
        with connection(self._client) as client:
            for path, remote in missing.items():
                if not remote.is_at(arriving / path):
                    part = PartFile(arriving / path)
                    report = partial(_add, on_progress, received_bytes, total_bytes)
                    fetch_part(client, remote, part, retries=self._retries, on_progress=report)
                    part.put_in_place()
                received_bytes += _bytes(remote)
        _move(arriving, folder, list(missing))


def _check_alone(folder: Path) -> None:
    """Raises VoiceDownloadError if a folder has another checkpoint: a server refuses a folder with two."""
    others = [path.name for one in _CHECKPOINTS for path in sorted(folder.glob(one)) if path.name != CHECKPOINT]
    if others:
        raise VoiceDownloadError(
            f"{folder} has another checkpoint, {others[0]}; remove it, or pull the voices alone with --without-model"
        )


def _missing(wanted: Mapping[str, RemoteFile], folder: Path) -> dict[str, RemoteFile]:
    return {path: remote for path, remote in wanted.items() if not remote.is_at(folder / path)}


def _move(arriving: Path, folder: Path, paths: Sequence[str]) -> None:
    """Moves received files into the model's folder; at once, if there is none yet."""
    if not folder.exists():
        for stray in [path for path in arriving.rglob("*") if path.is_file()]:
            if stray.relative_to(arriving).as_posix() not in paths:  # of an earlier call, which wanted more
                stray.unlink()
        arriving.rename(folder)
        return
    (folder / _PACKS).mkdir(exist_ok=True)
    for path in paths:
        (arriving / path).replace(folder / path)
    if not any(path.is_file() for path in arriving.rglob("*")):
        (arriving / _PACKS).rmdir()
        arriving.rmdir()


def _total_bytes(files: Mapping[str, RemoteFile]) -> int:
    return sum(map(_bytes, files.values()))


def _bytes(remote: RemoteFile) -> int:
    return TYPICAL_PACK_BYTES if remote.size_bytes is None else remote.size_bytes


def _add(report: Callable[[int, int], None], before_bytes: int, total_bytes: int, file_bytes: int) -> None:
    report(min(before_bytes + file_bytes, total_bytes), total_bytes)
