"""IndexTtsHub with a real HTTP server on this machine, which can fail on demand."""

import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from phonoscope.common.download import Retries
from phonoscope.common.errors import VoiceDownloadError
from phonoscope.common.indextts_hub import MODEL, REPOSITORIES, IndexTtsHub

_SPEC = importlib.util.spec_from_file_location("scripted_hub", Path(__file__).with_name("scripted_hub.py"))
assert _SPEC
assert _SPEC.loader
scripted_hub = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scripted_hub)

INDEX, W2V_BERT, CAMPPLUS, BIGVGAN = (repository.name for repository in REPOSITORIES)
CONTENT: dict[str, dict[str, bytes]] = {
    INDEX: {
        ".gitattributes": b"*.pth filter=lfs",
        "config.yaml": b"gpt_checkpoint: gpt.pth",
        "gpt.pth": os.urandom(300_000),
        "qwen0.6bemo4-merge/model.safetensors": os.urandom(1_000),
    },
    W2V_BERT: {
        "README.md": b"w2v",
        "config.json": b"{}",
        "preprocessor_config.json": b'{"a": 1}',
        "model.safetensors": os.urandom(50_000),
    },
    CAMPPLUS: {"campplus_cn_common.bin": os.urandom(20_000)},
    BIGVGAN: {"config.json": b'{"b": 2}', "bigvgan_generator.pt": os.urandom(10_000)},
}
PULLED = {
    "config.yaml": CONTENT[INDEX]["config.yaml"],
    "gpt.pth": CONTENT[INDEX]["gpt.pth"],
    "hf_cache/w2v-bert-2.0/config.json": b"{}",
    "hf_cache/w2v-bert-2.0/preprocessor_config.json": b'{"a": 1}',
    "hf_cache/w2v-bert-2.0/model.safetensors": CONTENT[W2V_BERT]["model.safetensors"],
    "hf_cache/campplus_cn_common.bin": CONTENT[CAMPPLUS]["campplus_cn_common.bin"],
    "hf_cache/bigvgan/config.json": b'{"b": 2}',
    "hf_cache/bigvgan/bigvgan_generator.pt": CONTENT[BIGVGAN]["bigvgan_generator.pt"],
}


def listing(files: dict[str, bytes]) -> bytes:
    """The hub's list of a repository: small files by git's names, large ones by their SHA-256, too."""
    siblings: list[dict[str, Any]] = []
    for path, content in files.items():
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        one: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": blob}
        if len(content) > 100:
            one["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        siblings.append(one)
    return json.dumps({"sha": "abc123", "siblings": siblings}).encode()


@pytest.fixture
def web() -> Iterator[Any]:
    with scripted_hub.running() as server:
        for name, files in CONTENT.items():
            server.files[f"api/models/{name}?blobs=true"] = listing(files)
            server.files |= {f"{name}/resolve/abc123/{path}": content for path, content in files.items()}
        yield server


@pytest.fixture
def hub(web: Any) -> Iterator[IndexTtsHub]:
    with httpx.Client(trust_env=False) as client:
        yield IndexTtsHub(web.url, client=client, retries=Retries(attempts=2, sleep=lambda _: None))


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_pulls_what_the_server_loads_and_no_more(hub: IndexTtsHub, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    folder = hub.pull(tmp_path, on_progress=lambda *bytes_: progress.append(bytes_))
    assert folder == tmp_path / MODEL
    assert files_below(folder) == PULLED
    total = sum(map(len, PULLED.values()))
    assert progress[-1] == (total, total)
    assert [received for received, _ in progress] == sorted(received for received, _ in progress)
    assert not list(tmp_path.glob(".indextts*"))


def test_what_is_there_is_kept_and_what_is_damaged_is_fetched_again(
    web: Any, hub: IndexTtsHub, tmp_path: Path
) -> None:
    folder = hub.pull(tmp_path)
    (folder / "config.yaml").write_bytes(b"gpt_checkpoint: my.pth.")
    (folder / "voices.txt").write_text("mine")
    web.seen.clear()
    assert files_below(hub.pull(tmp_path)) == PULLED | {"voices.txt": b"mine"}
    assert [path for path, _ in web.seen if "/resolve/" in path] == [f"{INDEX}/resolve/abc123/config.yaml"]


def test_an_interrupted_pull_leaves_no_half_model_and_is_resumed(web: Any, hub: IndexTtsHub, tmp_path: Path) -> None:
    gpt = f"{INDEX}/resolve/abc123/gpt.pth"
    web.script[gpt] = [scripted_hub.cut_after(100_000), scripted_hub.status(503)]
    with pytest.raises(VoiceDownloadError):
        hub.pull(tmp_path)
    assert not (tmp_path / MODEL).exists()
    web.seen.clear()
    assert files_below(hub.pull(tmp_path)) == PULLED
    assert web.requests_for(gpt)[0]["Range"] == "bytes=100000-"
    assert not web.requests_for(f"{INDEX}/resolve/abc123/config.yaml"), "received before"


@pytest.mark.parametrize("path", ["gpt.pth", "config.yaml"])
def test_a_file_that_is_not_what_the_hub_states_is_refused(
    web: Any, hub: IndexTtsHub, tmp_path: Path, path: str
) -> None:
    url = f"{INDEX}/resolve/abc123/{path}"
    web.files[url] = bytes(len(web.files[url]))
    with pytest.raises(VoiceDownloadError, match="wrong checksum"):
        hub.pull(tmp_path)
    assert not (tmp_path / MODEL).exists()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"<html>", "is not a list of files"),
        (b'{"sha": "x"}', "is not a list of files"),
        (json.dumps({"sha": "x", "siblings": []}).encode(), "lists no campplus_cn_common.bin"),
    ],
)
def test_an_answer_that_is_no_list_is_refused(
    web: Any, hub: IndexTtsHub, tmp_path: Path, answer: bytes, told: str
) -> None:
    web.files[f"api/models/{CAMPPLUS}?blobs=true"] = answer
    with pytest.raises(VoiceDownloadError, match=told):
        hub.pull(tmp_path)


def test_a_path_that_leads_out_of_the_folder_is_refused(web: Any, hub: IndexTtsHub, tmp_path: Path) -> None:
    web.files[f"api/models/{INDEX}?blobs=true"] = listing({"a/../../../evil.pth": b"x"})
    with pytest.raises(VoiceDownloadError, match="is not a list of files"):
        hub.pull(tmp_path / "voices")
    assert files_below(tmp_path) == {"voices/.phonoscope-pull.lock": b""}


def test_a_model_that_is_not_there_is_told(hub: IndexTtsHub, web: Any, tmp_path: Path) -> None:
    del web.files[f"api/models/{INDEX}?blobs=true"]
    with pytest.raises(VoiceDownloadError, match="returned 404"):
        hub.pull(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(hub: IndexTtsHub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VoiceDownloadError, match=r"cannot store indextts-2\.5 in .*file/voices"):
        hub.pull(tmp_path / "file" / "voices")
