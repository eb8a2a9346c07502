"""Downloads one file of known checksum: resumed, retried, verified, and moved into place atomically.

Called by voice_hub.py and kokoro_hub.py. The received part is in a file beside the target and survives the process;
the next call requests only the rest. Follows RFC 9110: Range (14.2), If-Range with a strong entity tag (13.1.5),
Retry-After (10.2.3).
"""

import contextlib
import fcntl
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, TypeVar

import httpx

from phonoscope.common.errors import VoiceDownloadError

_Result = TypeVar("_Result")
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_TRANSIENT_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_MANUALLY: Final = "or copy the voice's files into the voices directory"
# The largest file that is received where only the server knows its size.
MAX_UNSTATED_BYTES: Final = 16 * 2**20


class Interrupted(VoiceDownloadError):
    """A download failed, and another attempt can succeed; raised by the last attempt."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Retries:
    """The number of attempts, and the pauses between them: exponential backoff with jitter.

    Attributes:
        attempts: maximum number of attempts.
        first_pause_seconds: pause after the first failure; doubles with each failure.
        max_pause_seconds: maximum pause, also with Retry-After.
        sleep: waits for a number of seconds.
        jitter: returns a random number in [0, 1); a pause is scaled to between half and all of its length.
    """

    attempts: int = 5
    first_pause_seconds: float = 0.5
    max_pause_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def run(self, attempt: Callable[[], _Result]) -> _Result:
        """Returns the result of `attempt`; raises the Interrupted of the last one."""
        for failures in range(self.attempts - 1):
            try:
                return attempt()
            except Interrupted as interrupted:
                self.sleep(self._pause_seconds(failures, interrupted.retry_after_seconds))
        return attempt()

    def _pause_seconds(self, failures: int, retry_after_seconds: float) -> float:
        backoff_seconds = self.first_pause_seconds * 2.0**failures * (0.5 + self.jitter() / 2)
        return min(max(backoff_seconds, retry_after_seconds), self.max_pause_seconds)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a web server, with its expected checksum.

    Attributes:
        digest: hexadecimal.
        algorithm: of the digest.
        size_bytes: expected; None if only the server knows it, up to MAX_UNSTATED_BYTES.
    """

    url: str
    digest: str
    algorithm: Literal["md5", "sha256"]
    size_bytes: int | None = None

    @property
    def max_bytes(self) -> int:
        """The size at which receiving stops."""
        return MAX_UNSTATED_BYTES if self.size_bytes is None else self.size_bytes

    def is_at(self, path: Path) -> bool:
        """Returns whether the file at `path` is this one, by size and checksum."""
        if not path.is_file() or self.size_bytes not in {None, path.stat().st_size}:
            return False
        with path.open("rb") as stored:
            found = hashlib.file_digest(stored, partial(hashlib.new, self.algorithm, usedforsecurity=False))
        return found.hexdigest() == self.digest


class PartFile:
    """The received part of a file, in `<target>.part`; its entity tag, if strong, in `<target>.part.etag`."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._target = target
        self._tag_path = target.with_name(f"{target.name}.part.etag")

    @property
    def size_bytes(self) -> int:
        """Received bytes; 0 without a part file."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def range_headers(self) -> dict[str, str]:
        """Returns the headers that request only the rest, if the file has not changed."""
        if not self.size_bytes:
            return {}
        headers = {"Range": f"bytes={self.size_bytes}-"}
        if self._tag_path.is_file():
            headers["If-Range"] = self._tag_path.read_text(encoding="ascii")
        return headers

    def start_over(self, entity_tag: str) -> None:
        """Empties the part. A weak tag ('W/…') is not allowed in If-Range, so it is not stored."""
        self.discard()
        if entity_tag.startswith('"') and entity_tag.isascii():
            self._tag_path.write_text(entity_tag, encoding="ascii")

    def discard(self) -> None:
        """Deletes the part and its tag."""
        self.path.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)

    def put_in_place(self) -> None:
        """Renames the part to the target, after it is flushed to disk."""
        with self.path.open("rb") as stored:
            os.fsync(stored.fileno())
        self.path.replace(self._target)
        self._tag_path.unlink(missing_ok=True)


def fetch_part(
    client: httpx.Client, remote: RemoteFile, part: PartFile, *, retries: Retries, on_progress: Callable[[int], None]
) -> None:
    """Downloads all of `remote` into `part` and verifies it; calls `on_progress` with the received bytes.

    Raises:
        VoiceDownloadError: all attempts failed, the server rejected the request, or its file is not the expected one.
    """
    retries.run(lambda: _fetch_once(client, remote, part, on_progress))


def fetch_bytes(client: httpx.Client, url: str, *, retries: Retries, max_bytes: int) -> bytes:
    """Returns the whole body at `url`.

    Raises:
        VoiceDownloadError: all attempts failed, the server rejected the request, or the body exceeds `max_bytes`.
    """

    def fetch_once() -> bytes:
        body = bytearray()
        with _open(client, url, {}) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise VoiceDownloadError(f"{url} is larger than {max_bytes} bytes; check the hub address")
        return bytes(body)

    return retries.run(fetch_once)


def _fetch_once(client: httpx.Client, remote: RemoteFile, part: PartFile, on_progress: Callable[[int], None]) -> None:
    kept_bytes = part.size_bytes
    if kept_bytes != remote.size_bytes:
        kept_bytes = _receive(client, remote, part, on_progress)
    if remote.is_at(part.path):
        on_progress(part.size_bytes)
        return
    part.discard()
    message = f"{remote.url} has a wrong checksum and was discarded; the hub's file or its index is damaged"
    # Bytes of an earlier response can be the wrong ones: retrying is useless only for a file received in one response.
    raise Interrupted(message) if kept_bytes else VoiceDownloadError(message)


def _receive(client: httpx.Client, remote: RemoteFile, part: PartFile, on_progress: Callable[[int], None]) -> int:
    """Appends the response to the part; returns how many bytes of the part were kept."""
    # "identity": a range of a compressed body cannot be appended to uncompressed bytes.
    with _open(client, remote.url, {"Accept-Encoding": "identity", **part.range_headers()}) as response:
        kept_bytes = _bytes_to_keep(response, remote, part)
        received_bytes = kept_bytes
        with part.path.open("ab") as sink:
            for chunk in response.iter_raw():
                received_bytes += len(chunk)
                if received_bytes > remote.max_bytes:
                    break
                sink.write(chunk)
                on_progress(received_bytes)
    if received_bytes > remote.max_bytes:
        part.discard()
        raise VoiceDownloadError(f"{remote.url} is larger than the expected {remote.max_bytes} bytes")
    if received_bytes < (remote.size_bytes or 0):
        raise Interrupted(
            f"{remote.url} ended after {received_bytes} of {remote.size_bytes} bytes; run the command again to resume"
        )
    return kept_bytes


def _bytes_to_keep(response: httpx.Response, remote: RemoteFile, part: PartFile) -> int:
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        if response.headers.get("Content-Range", "").startswith(f"bytes {part.size_bytes}-"):
            return part.size_bytes
        part.discard()
        raise Interrupted(f"{remote.url} returned another range than requested")
    if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.discard()
        raise Interrupted(f"{remote.url} is shorter than the part that was received before")
    part.start_over(response.headers.get("ETag", ""))
    return 0


@contextlib.contextmanager
def _open(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    try:
        with client.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as response:
            _check_status(response, url)
            yield response
    except httpx.HTTPError as failure:
        cause = " ".join(str(failure).split()) or type(failure).__name__
        raise Interrupted(
            f"cannot fetch {url} ({cause}); check the network and run the command again, {_MANUALLY}"
        ) from failure


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if response.is_success or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return
    answer = f"{url} returned {status} {response.reason_phrase}".rstrip()
    if status in _TRANSIENT_STATUS:
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdigit() else 0.0
        raise Interrupted(f"{answer}; run the command again later, {_MANUALLY}", retry_after_seconds=seconds)
    raise VoiceDownloadError(f"{answer}; check the hub address, {_MANUALLY}")


@contextlib.contextmanager
def connection(client: httpx.Client | None) -> Iterator[httpx.Client]:
    """Yields `client`, or without one a client of its own, which it closes."""
    if client is not None:
        yield client
        return
    with httpx.Client() as own:
        yield own


def check_hub_url(url: str) -> None:
    """Raises VoiceDownloadError unless `url` is an address of the web."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise VoiceDownloadError(f"the hub address {url!r} must be http:// or https:// with a host")


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Waits until no other process downloads into `directory`. The kernel releases the lock of a process that dies."""
    with (directory / ".phonoscope-pull.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ignore_progress(_received_bytes: int, _total_bytes: int) -> None:
    """Does nothing with the received bytes and the total bytes."""
