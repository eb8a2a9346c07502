"""Downloads Piper voices from a voice hub: a web server with `voices.json` and the files that it lists.

Called by the server at startup for configured voices that are missing, and by `phonoscope voices`. A voice is two
files, NAME.onnx and NAME.onnx.json; NAME.onnx is written last, so a visible voice is complete. POSIX only: downloads
into one directory are serialized by flock.
"""

import contextlib
import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from phonoscope.common.download import (
    PartFile,
    RemoteFile,
    Retries,
    check_hub_url,
    connection,
    fetch_bytes,
    fetch_part,
    ignore_progress,
    locked,
)
from phonoscope.common.errors import VoiceDownloadError

DEFAULT_HUB_URL: Final = "https://huggingface.co/rhasspy/piper-voices/resolve/main"
MAX_INDEX_BYTES: Final = 16 * 2**20

_VOICE_NAME: Final = re.compile(r"(?P<language>[a-z]{2,3}_(?:[A-Z]{2}|[0-9]{3}))-\w+-(?P<quality>[a-z]+(?:_[a-z]+)*)")
_OLD_NAME: Final = re.compile(r"\w+(?:-\w+)+")
_MD5: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a voice: its path below the hub's address, and its expected size and checksum."""

    path: str
    size_bytes: int
    md5_digest: str


@dataclass(frozen=True, slots=True)
class HubVoice:
    """A voice that the hub offers.

    Attributes:
        name: such as "en_US-joe-medium".
        language: BCP 47 tag, such as "en-US".
        quality: "x_low", "low", "medium" or "high".
        files: the config (.onnx.json), then the model (.onnx).
    """

    name: str
    language: str
    quality: str
    files: tuple[HubFile, ...]

    @property
    def total_bytes(self) -> int:
        """Bytes of both files."""
        return sum(file.size_bytes for file in self.files)


def check_voice_name(name: str) -> None:
    """Raises VoiceDownloadError unless `name` is a valid Piper voice name, which is safe as a file name."""
    if not _VOICE_NAME.fullmatch(unicodedata.normalize("NFC", name)):
        raise VoiceDownloadError(
            f"{name!r} is not a voice name; the format is language_REGION-name-quality, such as en_US-joe-medium"
        )


class VoiceHub:
    """A voice hub at `base_url`; each call downloads the index.

    Without `client`, each call opens its own connection and closes it.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_HUB_URL,
        *,
        client: httpx.Client | None = None,
        retries: Retries | None = None,
    ) -> None:
        check_hub_url(base_url)
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._retries = retries or Retries()

    def catalogue(self) -> list[HubVoice]:
        """Returns the voices of the hub, sorted by name, without malformed entries of the index.

        Raises:
            VoiceDownloadError: the index cannot be fetched or read.
        """
        voices = []
        with connection(self._client) as client:
            index = self._index(client)
        for name in sorted(index):
            with contextlib.suppress(VoiceDownloadError):
                voices.append(_voice(name, index[name]))
        return voices

    def pull(self, name: str, directory: Path, *, on_progress: Callable[[int, int], None] = ignore_progress) -> Path:
        """Downloads a voice into `directory` and returns the path of its .onnx file; skips files that exist.

        `name` can be an old name of the voice; the files have the current one. A file with the same name and other
        contents is replaced. `on_progress` gets the received bytes and the total bytes. An interrupted download
        is resumed, in this process or a later one.

        Raises:
            VoiceDownloadError: the name is unknown, the hub cannot be reached, its files are not as its index says, or
                the directory cannot be written.
        """
        if not _OLD_NAME.fullmatch(unicodedata.normalize("NFC", name)):
            check_voice_name(name)
        with connection(self._client) as client:
            voice = self._find(self._index(client), name)
            try:
                self._download(client, voice, directory, on_progress)
            except OSError as failure:
                raise VoiceDownloadError(f"cannot store {voice.name} in {directory}: {failure.strerror}") from failure
        return directory / f"{voice.name}.onnx"

    def _download(
        self, client: httpx.Client, voice: HubVoice, directory: Path, on_progress: Callable[[int, int], None]
    ) -> None:
        if not self._missing(voice, directory):  # without a lock, so that a read-only directory works too
            on_progress(voice.total_bytes, voice.total_bytes)
            return
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory):
            missing = self._missing(voice, directory)
            received_bytes = voice.total_bytes - sum(remote.max_bytes for remote in missing.values())
            for target, remote in missing.items():
                part = PartFile(target)
                report = partial(_add, on_progress, received_bytes, voice.total_bytes)
                fetch_part(client, remote, part, retries=self._retries, on_progress=report)
                _check_config(part, remote)
                received_bytes += remote.max_bytes
            for target in missing:  # the model is last
                PartFile(target).put_in_place()

    def _missing(self, voice: HubVoice, directory: Path) -> dict[Path, RemoteFile]:
        """Returns the files that are missing in `directory`, the config before the model."""
        wanted = {
            directory / f"{voice.name}{suffix}": RemoteFile(
                f"{self._base_url}/{quote(file.path)}", file.md5_digest, "md5", file.size_bytes
            )
            for suffix, file in zip((".onnx.json", ".onnx"), voice.files, strict=True)
        }
        return {target: remote for target, remote in wanted.items() if not remote.is_at(target)}

    def _find(self, index: Mapping[str, object], name: str) -> HubVoice:
        wanted = unicodedata.normalize("NFC", name)
        if wanted in index:
            return _voice(wanted, index[wanted])
        for present_name, entry in index.items():
            aliases = entry.get("aliases") if isinstance(entry, dict) else None
            if isinstance(aliases, list) and wanted in aliases:
                return _voice(present_name, entry)
        near = difflib.get_close_matches(wanted, index, n=3) or [v for v in index if v[:2] == wanted[:2].lower()][:3]
        hint = f"near it: {', '.join(near)}" if near else "it has no voice of that language"
        raise VoiceDownloadError(f"the hub {self._base_url} has no voice {name!r}; {hint}")

    def _index(self, client: httpx.Client) -> dict[str, object]:
        url = f"{self._base_url}/voices.json"
        body = fetch_bytes(client, url, retries=self._retries, max_bytes=MAX_INDEX_BYTES)
        try:
            index = json.loads(body)
        except ValueError as failure:
            raise VoiceDownloadError(f"{url} is not valid JSON ({failure}); check the hub address") from failure
        if not isinstance(index, dict):
            raise VoiceDownloadError(f"{url} is not a JSON object of voices by name; check the hub address")
        return {unicodedata.normalize("NFC", name): entry for name, entry in index.items()}


def _add(report: Callable[[int, int], None], before_bytes: int, total_bytes: int, file_bytes: int) -> None:
    report(before_bytes + file_bytes, total_bytes)


def _voice(name: str, entry: object) -> HubVoice:
    check_voice_name(name)
    form = _VOICE_NAME.fullmatch(name)
    files = entry.get("files") if isinstance(entry, dict) else None
    if form is None or not isinstance(files, dict):
        raise VoiceDownloadError(f"the hub's index has no files for {name}")
    return HubVoice(
        name=name,
        language=form["language"].replace("_", "-"),
        quality=form["quality"],
        files=(_file(f"{name}.onnx.json", files), _file(f"{name}.onnx", files)),
    )


def _file(basename: str, files: Mapping[str, object]) -> HubFile:
    """Returns the entry of the file `basename`, in any folder of the hub."""
    for path, entry in files.items():
        folders = path.split("/")
        if unicodedata.normalize("NFC", folders[-1]) != basename or not isinstance(entry, dict):
            continue
        size_bytes, digest = entry.get("size_bytes"), entry.get("md5_digest")
        if not isinstance(size_bytes, int) or not isinstance(digest, str):
            continue
        if size_bytes > 0 and _MD5.fullmatch(digest) and not {"", ".", ".."} & set(folders):
            return HubFile(path, size_bytes, digest)
    raise VoiceDownloadError(f"the hub's index has no valid entry for {basename}: path, size_bytes and md5_digest")


def _check_config(part: PartFile, remote: RemoteFile) -> None:
    if not remote.url.endswith(".json"):
        return
    try:
        config = json.loads(part.path.read_bytes())
    except ValueError:
        config = None
    if not isinstance(config, dict):
        part.discard()
        raise VoiceDownloadError(f"{remote.url} is not a JSON object and was discarded; the hub's file is damaged")
