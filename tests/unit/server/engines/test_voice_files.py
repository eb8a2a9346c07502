"""Which voices a server loads: embedded, in its folder, or fetched from a hub that the tests serve."""

import functools
import hashlib
import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from phonoscope.common.errors import SettingsError, VoiceDownloadError, VoiceFileError
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.engines.voice_files import EMBEDDED_PACKAGE, find_voices, order_voices, read_voice_file
from phonoscope.server.settings import ServerSettings

EMBEDDED = "en_US-joe-medium"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a hub that offers de_DE-eva-low."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root = tmp_path / "hub"
    root.mkdir()
    entries = {}
    for name, content in {"de_DE-eva-low.onnx": b"model", "de_DE-eva-low.onnx.json": b"{}"}.items():
        (root / name).write_bytes(content)
        entries[name] = {"size_bytes": len(content), "md5_digest": hashlib.md5(content).hexdigest()}
    (root / "voices.json").write_text(json.dumps({"de_DE-eva-low": {"files": entries}}))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "voices"
    path.mkdir()
    return path


Find = Callable[..., list[Path]]


@pytest.fixture
def find(folder: Path) -> Find:
    def find(**settings: Any) -> list[Path]:
        return find_voices(ServerSettings(voices_dir=folder, **settings), ["*.onnx"], CapturingLogger())

    return find


@pytest.fixture
def no_embedded_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phonoscope.server.engines.voice_files.find_spec", lambda name: None)


def test_the_embedded_voice_is_found(find: Find) -> None:
    (path,) = find()
    assert path.name == f"{EMBEDDED}.onnx"
    assert path.parts[-3] == EMBEDDED_PACKAGE
    assert path.with_name(f"{path.name}.json").is_file()


def test_voices_of_the_folder_come_after_the_embedded_one(find: Find, folder: Path) -> None:
    for name in ("b.onnx", "a.onnx", "a.onnx.json", "README.md"):
        (folder / name).touch()
    assert [path.name for path in find()] == [f"{EMBEDDED}.onnx", "a.onnx", "b.onnx"]


def test_a_voice_of_the_folder_replaces_the_embedded_one_of_its_name(find: Find, folder: Path) -> None:
    (folder / f"{EMBEDDED}.onnx").touch()
    assert find() == [folder / f"{EMBEDDED}.onnx"]


def test_a_folder_of_the_home_directory_may_be_written_with_a_tilde(
    find: Find, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.onnx").touch()
    monkeypatch.setenv("HOME", str(folder.parent))
    assert folder / "a.onnx" in find_voices(ServerSettings(voices_dir=Path("~/voices")), ["*.onnx"], CapturingLogger())


def test_a_folder_that_is_not_there_has_no_voices(find: Find, folder: Path) -> None:
    folder.rmdir()
    assert [path.stem for path in find()] == [EMBEDDED]


def test_a_named_voice_that_is_missing_is_fetched_and_the_log_says_so(folder: Path, hub: str) -> None:
    logger = CapturingLogger()
    settings = ServerSettings(voices_dir=folder, voices=" de_DE-eva-low , ", hub_url=hub)
    assert find_voices(settings, ["*.onnx"], logger)[1:] == [folder / "de_DE-eva-low.onnx"]
    assert (folder / "de_DE-eva-low.onnx").read_bytes() == b"model"
    assert [call.args for call in logger.calls] == [("voice_pull_started",), ("voice_pulled",)]


def test_a_named_voice_that_is_there_needs_no_hub(find: Find, folder: Path) -> None:
    (folder / "my_own_voice.onnx").touch()
    found = find(voices=f"my_own_voice,{EMBEDDED}", hub_url="http://127.0.0.1:9")
    assert [path.stem for path in found] == [EMBEDDED, "my_own_voice"]


def test_a_folder_of_a_model_goes_by_its_whole_name(folder: Path) -> None:
    for name in ("indextts-2.0", "indextts-2.5"):
        (folder / name).mkdir()
    settings = ServerSettings(voices_dir=folder, voices="indextts-2.5", hub_url="http://127.0.0.1:1")
    found = find_voices(settings, ["indextts*/"], CapturingLogger())
    assert [path.name for path in found if path.is_dir()] == ["indextts-2.0", "indextts-2.5"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "joe", "en-us-joe", "en_US-joe-medium.onnx"])
def test_an_invalid_voice_name_is_refused_before_any_download(find: Find, name: str) -> None:
    with pytest.raises(VoiceDownloadError, match="is not a voice name"):
        find(voices=name, hub_url="http://127.0.0.1:9")


def test_a_name_that_the_hub_does_not_have_is_refused(find: Find, hub: str) -> None:
    with pytest.raises(VoiceDownloadError, match="has no voice 'de_DE-adam-low'; near it: de_DE-eva-low"):
        find(voices="de_DE-adam-low", hub_url=hub)


@pytest.fixture
def kokoro(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hub with a Kokoro model of one voice, whose checksums stand in for the published ones."""
    contents = {"config.json": b"{}", "kokoro-v1_0.pth": b"weights", "voices/af_heart.pt": b"style"}
    (tmp_path / "hub" / "voices").mkdir()
    for path, content in contents.items():
        (tmp_path / "hub" / path).write_bytes(content)
    config, checkpoint, pack = (hashlib.sha256(content).hexdigest() for content in contents.values())
    pins = {"CONFIG_SHA256": config, "CONFIG_BYTES": 2, "CHECKPOINT_SHA256": checkpoint, "CHECKPOINT_BYTES": 7}
    for name, value in {**pins, "PACK_SHA256": {"af_heart": pack}}.items():
        monkeypatch.setattr(f"phonoscope.common.kokoro_hub.{name}", value)
    return hub


@pytest.mark.parametrize("name", ["kokoro-82m", "kokoro-82m/af_heart"])
def test_a_named_voice_of_kokoro_is_fetched_with_its_model(folder: Path, kokoro: str, name: str) -> None:
    settings = ServerSettings(voices_dir=folder, voices=name, kokoro_hub_url=kokoro)
    assert find_voices(settings, ["*.onnx", "kokoro*/"], CapturingLogger())[1:] == [folder / "kokoro-82m"]
    assert (folder / "kokoro-82m" / "kokoro-v1_0.pth").read_bytes() == b"weights"
    assert (folder / "kokoro-82m" / "voices" / "af_heart.pt").read_bytes() == b"style"


@pytest.mark.parametrize("name", ["kokoro-82m", "kokoro-82m/af_mine"])
def test_a_named_voice_of_kokoro_that_is_there_needs_no_hub(folder: Path, name: str) -> None:
    (folder / "kokoro-82m").mkdir()
    (folder / "kokoro-82m" / "af_mine.bin").touch()
    settings = ServerSettings(voices_dir=folder, voices=name, kokoro_hub_url="http://127.0.0.1:9")
    assert find_voices(settings, ["kokoro*/"], CapturingLogger())[1:] == [folder / "kokoro-82m"]


def test_an_unknown_voice_of_kokoro_is_refused_before_any_download(find: Find) -> None:
    with pytest.raises(VoiceDownloadError, match="has no voice 'kokoro-82m/af_hart'"):
        find(voices="kokoro-82m/af_hart", kokoro_hub_url="http://127.0.0.1:9")


def test_a_folder_that_may_not_be_read_is_reported(find: Find, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999_999)
    with pytest.raises(VoiceFileError, match=f"{folder}: permission denied for uid 3999999999, who runs the server"):
        find()


@pytest.mark.usefixtures("no_embedded_voice")
def test_no_voice_at_all_is_reported_with_advice(find: Find, folder: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        find()
    assert str(folder) in str(caught.value)
    assert "phonoscope voices pull en_US-joe-medium" in str(caught.value)


@pytest.mark.usefixtures("no_embedded_voice")
def test_the_folder_alone_is_enough(find: Find, folder: Path) -> None:
    (folder / "a.onnx").touch()
    assert find() == [folder / "a.onnx"]


def test_the_first_loaded_voice_is_the_default_and_the_others_follow_by_name() -> None:
    b, c, a = (tone_voice(name) for name in "bca")
    assert order_voices([b, c, a], "") == [b, a, c]
    assert order_voices([b, c, a], "c") == [c, a, b]


def test_a_default_voice_that_is_not_loaded_is_refused_with_the_loaded_ones() -> None:
    with pytest.raises(SettingsError) as caught:
        order_voices([tone_voice("b"), tone_voice("a")], "c")
    assert str(caught.value) == "default_voice 'c' is not loaded; use one of a, b"


class TestReadVoiceFile:
    def refusal(self, path: Path) -> str:
        with pytest.raises(VoiceFileError) as caught:
            read_voice_file(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        return message

    def test_a_file_is_read_whole(self, tmp_path: Path) -> None:
        (tmp_path / "a.onnx").write_bytes(b"voice")
        assert read_voice_file(tmp_path / "a.onnx") == b"voice"

    def test_a_missing_file_names_the_pair(self, tmp_path: Path) -> None:
        assert "no such file; a Piper voice is a pair of files" in self.refusal(tmp_path / "a.onnx.json")

    def test_an_empty_file_is_called_empty(self, tmp_path: Path) -> None:
        (tmp_path / "a.onnx").touch()
        assert "is empty; download it again" in self.refusal(tmp_path / "a.onnx")

    def test_a_directory_is_called_one(self, tmp_path: Path) -> None:
        (tmp_path / "a.onnx").mkdir()
        assert "is a directory" in self.refusal(tmp_path / "a.onnx")

    @pytest.mark.parametrize(("uid", "user"), [(0, "user root (uid 0)"), (3_999_999_999, "uid 3999999999")])
    def test_a_file_of_another_user_names_the_user_who_is_denied(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, user: str
    ) -> None:
        def deny(_path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        (tmp_path / "a.onnx").touch()
        monkeypatch.setattr(Path, "read_bytes", deny)
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        assert f"permission denied for {user}, who runs the server" in self.refusal(tmp_path / "a.onnx")

    def test_another_error_of_the_system_is_passed_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_path: Path) -> bytes:
            raise OSError(5, "Input/output error")

        (tmp_path / "a.onnx").touch()
        monkeypatch.setattr(Path, "read_bytes", fail)
        assert "cannot be read: Input/output error" in self.refusal(tmp_path / "a.onnx")
