"""Downloads IndexTTS-2.5 and the models that it needs, each from its publisher, into one folder of the voices folder.

Called by `phonoscope voices pull`. The hub states the files of a repository with their checksums; these are verified,
not pinned here. As with Kokoro, files are received in a hidden folder, and moved once all are there.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
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

MODEL: Final = "indextts-2.5"
LICENCE_NOTE: Final = (
    "IndexTTS-2.5 is under the bilibili Model Use License Agreement, which is not an open source licence: read "
    "docs/indextts.md and the agreement before you use it"
)
DEFAULT_MODEL_HUB_URL: Final = "https://huggingface.co"
MAX_LIST_BYTES: Final = 4 * 2**20
MAX_SMALL_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Repository:
    """One model of the hub: where its files go, and which are wanted; all but `unwanted` if `files` is empty."""

    name: str
    place: str
    files: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        """Whether a file of the repository is needed."""
        return path in self.files if self.files else not path.startswith(self.unwanted)


REPOSITORIES: Final = (
    Repository("IndexTeam/IndexTTS-2.5", "", unwanted=("qwen0.6bemo4-merge/", ".", "assets/")),
    Repository(
        "facebook/w2v-bert-2.0",
        "hf_cache/w2v-bert-2.0/",
        ("config.json", "preprocessor_config.json", "model.safetensors"),
    ),
    Repository("funasr/campplus", "hf_cache/", ("campplus_cn_common.bin",)),
    Repository("nvidia/bigvgan_v2_22khz_80band_256x", "hf_cache/bigvgan/", ("config.json", "bigvgan_generator.pt")),
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository: a large one with its SHA-256, a small one with the name that git gives its content."""

    path: str
    url: str
    size_bytes: int
    sha256: str
    blob: str

    @property
    def remote(self) -> RemoteFile:
        """The file, for a download in parts; only for large ones."""
        return RemoteFile(self.url, self.sha256, "sha256", self.size_bytes)

    def is_at(self, path: Path) -> bool:
        """Whether the file at `path` is this one."""
        if self.sha256:
            return self.remote.is_at(path)
        return path.is_file() and path.stat().st_size == self.size_bytes and _blob(path.read_bytes()) == self.blob


class IndexTtsHub:
    """The hub at `base_url`; each call opens a connection unless there is a `client`."""

    def __init__(
        self,
        base_url: str = DEFAULT_MODEL_HUB_URL,
        *,
        client: httpx.Client | None = None,
        retries: Retries | None = None,
    ) -> None:
        check_hub_url(base_url)
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._retries = retries or Retries()

    def pull(self, directory: Path, *, on_progress: Callable[[int, int], None] = ignore_progress) -> Path:
        """Downloads all files into the folder "indextts-2.5" of `directory`, and returns it.

        Files that are there and intact are kept. `on_progress` gets the received bytes and the total bytes.

        Raises:
            VoiceDownloadError: the hub cannot be reached, a file is missing or not what the hub states, or the
                directory cannot be written.
        """
        folder = directory / MODEL
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with locked(directory), connection(self._client) as client:
                files = [file for repository in REPOSITORIES for file in self._list(client, repository)]
                self._download(client, files, folder, on_progress)
        except OSError as failure:
            raise VoiceDownloadError(f"cannot store {MODEL} in {directory}: {failure.strerror}") from failure
        return folder

    def _list(self, client: httpx.Client, repository: Repository) -> Iterator[HubFile]:
        """Yields the wanted files of a repository's latest revision."""
        url = f"{self._base_url}/api/models/{repository.name}?blobs=true"
        answer = fetch_bytes(client, url, retries=self._retries, max_bytes=MAX_LIST_BYTES)
        try:
            listed = json.loads(answer)
            revision = str(listed["sha"])
            files = {str(one["rfilename"]): one for one in listed["siblings"]}
            wanted = {path: one for path, one in files.items() if repository.wants(path)}
            found = [self._file(repository, revision, path, one) for path, one in wanted.items()]
        except (ValueError, KeyError, TypeError) as error:
            raise VoiceDownloadError(f"{url} is not a list of files; check the hub address") from error
        if missing := [path for path in repository.files if path not in files]:
            raise VoiceDownloadError(f"{url} lists no {', '.join(missing)}; the hub's model has changed")
        yield from found

    def _file(self, repository: Repository, revision: str, path: str, stated: Mapping[str, Any]) -> HubFile:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path!r} leads out of the folder")
        large = stated.get("lfs") or {}
        url = f"{self._base_url}/{repository.name}/resolve/{quote(revision)}/{quote(path)}"
        size, blob = int(large.get("size", stated["size"])), str(stated["blobId"])
        return HubFile(f"{repository.place}{path}", url, size, str(large.get("sha256", "")), blob)

    def _download(
        self, client: httpx.Client, files: list[HubFile], folder: Path, on_progress: Callable[[int, int], None]
    ) -> None:
        arriving = folder.with_name(f".{MODEL}.part")
        total = sum(file.size_bytes for file in files)
        missing = [file for file in files if not file.is_at(folder / file.path)]
        received = total - sum(file.size_bytes for file in missing)
        for file in missing:
            target = arriving / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not file.is_at(target):
                self._fetch(client, file, target, partial(_add, on_progress, received, total))
            received += file.size_bytes
        for file in missing:
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            (arriving / file.path).replace(folder / file.path)
        _remove_empty(arriving)
        on_progress(total, total)

    def _fetch(self, client: httpx.Client, file: HubFile, target: Path, on_progress: Callable[[int], None]) -> None:
        if file.sha256:
            part = PartFile(target)
            fetch_part(client, file.remote, part, retries=self._retries, on_progress=on_progress)
            part.put_in_place()
            return
        content = fetch_bytes(client, file.url, retries=self._retries, max_bytes=MAX_SMALL_BYTES)
        if _blob(content) != file.blob:
            raise VoiceDownloadError(f"{file.url} has a wrong checksum; run the command again later")
        target.write_bytes(content)
        on_progress(len(content))


def _blob(content: bytes) -> str:
    """Returns the name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _remove_empty(folder: Path) -> None:
    """Removes a folder of empty folders; what an earlier call left in it stays, to be resumed."""
    if folder.exists() and not any(path.is_file() for path in folder.rglob("*")):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir()
        folder.rmdir()


def _add(report: Callable[[int, int], None], before_bytes: int, total_bytes: int, file_bytes: int) -> None:
    report(min(before_bytes + file_bytes, total_bytes), total_bytes)
