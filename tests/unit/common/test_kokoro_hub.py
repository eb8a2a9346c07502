"""KokoroHub with a real HTTP server on this machine, which can fail on demand."""

import errno
import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from phonoscope.common import kokoro_hub
from phonoscope.common.download import Retries
from phonoscope.common.errors import VoiceDownloadError
from phonoscope.common.kokoro_files import CHECKPOINT_SHA256, CONFIG_SHA256, PACK_SHA256
from phonoscope.common.kokoro_hub import MODEL, KokoroHub, catalogue, is_kokoro, voice_names
from phonoscope.server.engines.kokoro.languages import language_of

_SPEC = importlib.util.spec_from_file_location("scripted_hub", Path(__file__).with_name("scripted_hub.py"))
assert _SPEC
assert _SPEC.loader
scripted_hub = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scripted_hub)
cut_after, status = scripted_hub.cut_after, scripted_hub.status

CHECKPOINT, CONFIG, HEART, XIAOXIAO = "kokoro-v1_0.pth", "config.json", "voices/af_heart.pt", "voices/zf_xiaoxiao.pt"
FILES = {
    CHECKPOINT: os.urandom(300_000),
    CONFIG: b'{"n_token": 178}',
    HEART: os.urandom(50_000),
    XIAOXIAO: os.urandom(50_001),
}
ALL = set(FILES)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server of a model with two voices, whose checksums stand in for those of the published one."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
    monkeypatch.setattr(kokoro_hub, "CHECKPOINT_SHA256", digests[CHECKPOINT])
    monkeypatch.setattr(kokoro_hub, "CHECKPOINT_BYTES", len(FILES[CHECKPOINT]))
    monkeypatch.setattr(kokoro_hub, "CONFIG_SHA256", digests[CONFIG])
    monkeypatch.setattr(kokoro_hub, "CONFIG_BYTES", len(FILES[CONFIG]))
    monkeypatch.setattr(kokoro_hub, "TYPICAL_PACK_BYTES", 50_000)
    packs = {"af_heart": digests[HEART], "zf_xiaoxiao": digests[XIAOXIAO]}
    monkeypatch.setattr(kokoro_hub, "PACK_SHA256", packs)
    with scripted_hub.running() as server:
        server.files |= FILES
        yield server


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as opened:
        yield opened


@pytest.fixture
def hub(web: Any, client: httpx.Client) -> KokoroHub:
    return KokoroHub(web.url, client=client, retries=Retries(sleep=lambda _: None))


@pytest.fixture
def hasty_hub(web: Any, client: httpx.Client) -> KokoroHub:
    """Tries once only, so that one fault ends the pull."""
    return KokoroHub(web.url, client=client, retries=Retries(attempts=1))


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def refusal(pull: Callable[[], object]) -> str:
    with pytest.raises(VoiceDownloadError) as caught:
        pull()
    return str(caught.value)


def test_all_voices_come_with_their_model(hub: KokoroHub, tmp_path: Path) -> None:
    folder = hub.pull([MODEL], tmp_path / "voices")
    assert folder == tmp_path / "voices" / "kokoro-82m"
    assert {path: (folder / path).read_bytes() for path in files_in(folder)} == FILES
    assert {path.name for path in folder.parent.iterdir()} == {"kokoro-82m", ".phonoscope-pull.lock"}


def test_chosen_voices_come_with_their_model(hub: KokoroHub, web: Any, tmp_path: Path) -> None:
    folder = hub.pull(["kokoro-82m/zf_xiaoxiao"], tmp_path)
    assert files_in(folder) == {CHECKPOINT, CONFIG, XIAOXIAO}
    assert HEART not in [path for path, _ in web.seen]


def test_voices_come_without_the_model_on_request(hub: KokoroHub, tmp_path: Path) -> None:
    assert files_in(hub.pull(["kokoro-82m/af_heart"], tmp_path, has_model=False)) == {HEART}


def test_another_voice_joins_those_that_are_there(hub: KokoroHub, web: Any, tmp_path: Path) -> None:
    folder = hub.pull(["kokoro-82m/af_heart"], tmp_path)
    (folder / "voices" / "af_mine.bin").write_bytes(b"own")
    web.seen.clear()
    hub.pull(["kokoro-82m/zf_xiaoxiao"], tmp_path)
    assert files_in(folder) == ALL | {"voices/af_mine.bin"}
    assert [path for path, _ in web.seen] == [XIAOXIAO]
    assert not (tmp_path / ".kokoro-82m.part").exists()


def test_what_is_there_needs_no_hub(hub: KokoroHub, tmp_path: Path) -> None:
    hub.pull([MODEL], tmp_path)
    told: list[tuple[int, int]] = []
    KokoroHub("http://127.0.0.1:9").pull([MODEL], tmp_path, on_progress=lambda *here: told.append(here))
    assert len(told) == 1
    assert told[0][0] == told[0][1] > 0


@pytest.mark.parametrize("path", [HEART, CHECKPOINT, CONFIG])
def test_only_a_damaged_file_is_fetched_again(hub: KokoroHub, web: Any, tmp_path: Path, path: str) -> None:
    folder = hub.pull([MODEL], tmp_path)
    (folder / path).write_bytes(b"\0" * len(FILES[path]))
    web.seen.clear()
    hub.pull([MODEL], tmp_path)
    assert [seen for seen, _ in web.seen] == [path]
    assert (folder / path).read_bytes() == FILES[path]


def test_progress_rises_to_the_total(hub: KokoroHub, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    hub.pull([MODEL], tmp_path, on_progress=lambda *here: told.append(here))
    assert told == sorted(told)
    assert len({total for _, total in told}) == 1
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("path", [CHECKPOINT, XIAOXIAO])
def test_no_folder_is_seen_before_all_is_there(hasty_hub: KokoroHub, web: Any, tmp_path: Path, path: str) -> None:
    web.script[path] = [cut_after(1000)]
    refusal(lambda: hasty_hub.pull([MODEL], tmp_path))
    assert not list(tmp_path.glob("kokoro*/"))


@pytest.mark.parametrize("path", [CHECKPOINT, XIAOXIAO])
def test_an_interrupted_pull_is_resumed(hasty_hub: KokoroHub, web: Any, tmp_path: Path, path: str) -> None:
    web.script[path] = [cut_after(1000)]
    assert "run the command again" in refusal(lambda: hasty_hub.pull([MODEL], tmp_path))
    before = len(web.seen)
    assert files_in(hasty_hub.pull([MODEL], tmp_path)) == ALL
    again = [headers["Range"] for seen, headers in web.seen[before:] if seen == path]
    assert again == ["bytes=1000-"]
    assert [seen for seen, _ in web.seen].count(CONFIG) == 1


def test_less_than_what_was_interrupted_leaves_nothing_else(hasty_hub: KokoroHub, web: Any, tmp_path: Path) -> None:
    web.script[XIAOXIAO] = [cut_after(1000)]
    refusal(lambda: hasty_hub.pull([MODEL], tmp_path))
    assert files_in(hasty_hub.pull(["kokoro-82m/af_heart"], tmp_path)) == {CHECKPOINT, CONFIG, HEART}


@pytest.mark.parametrize("path", [HEART, CHECKPOINT])
def test_a_wrong_checksum_is_refused_and_discarded(hub: KokoroHub, web: Any, tmp_path: Path, path: str) -> None:
    web.files[path] = os.urandom(len(FILES[path]))
    assert f"{web.url}/{path} has a wrong checksum and was discarded" in refusal(lambda: hub.pull([MODEL], tmp_path))
    assert f"{path}.part" not in files_in(tmp_path / ".kokoro-82m.part")


def test_a_pack_that_does_not_end_is_refused(
    hub: KokoroHub, web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonoscope.common.download.MAX_UNSTATED_BYTES", 40_000)
    message = refusal(lambda: hub.pull(["kokoro-82m/af_heart"], tmp_path, has_model=False))
    assert "is larger than the expected 40000 bytes" in message


def test_a_file_that_the_hub_lacks_names_its_address(hub: KokoroHub, web: Any, tmp_path: Path) -> None:
    web.script[HEART] = [status(404)]
    message = refusal(lambda: hub.pull([MODEL], tmp_path))
    assert message.startswith(f"{web.url}/{HEART} returned 404 Not Found; check the hub address")


def test_a_busy_hub_is_asked_again(hub: KokoroHub, web: Any, tmp_path: Path) -> None:
    web.script[CHECKPOINT] = [status(503), status(429)]
    assert files_in(hub.pull([MODEL], tmp_path)) == ALL


def test_an_unreachable_hub_is_one_line_with_advice(client: httpx.Client, tmp_path: Path) -> None:
    hub = KokoroHub("http://127.0.0.1:9", client=client, retries=Retries(attempts=1))
    message = refusal(lambda: hub.pull([MODEL], tmp_path))
    assert message.startswith("cannot fetch http://127.0.0.1:9/config.json")
    assert "check the network and run the command again" in message
    assert "\n" not in message


def test_a_full_disk_is_reported(hub: KokoroHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("phonoscope.common.download._receive", fail)
    message = refusal(lambda: hub.pull([MODEL], tmp_path))
    assert message == f"cannot store kokoro-82m in {tmp_path}: No space left on device"


def test_a_second_checkpoint_is_not_put_beside_another(hub: KokoroHub, tmp_path: Path) -> None:
    folder = tmp_path / "kokoro-82m"
    folder.mkdir()
    (folder / "model_quantized.onnx").write_bytes(b"8-bit")
    message = refusal(lambda: hub.pull([MODEL], tmp_path))
    assert f"{folder} has another checkpoint, model_quantized.onnx; remove it" in message
    assert files_in(hub.pull([MODEL], tmp_path, has_model=False)) == {"model_quantized.onnx", HEART, XIAOXIAO}


@pytest.mark.parametrize(
    "name", ["kokoro-82m/af_hart", "kokoro-82m/", "kokoro-82m/../x", "kokoro-82m/voices/af_heart", "kokoro-83m"]
)
def test_an_unknown_voice_is_refused_unasked(hub: KokoroHub, web: Any, tmp_path: Path, name: str) -> None:
    message = refusal(lambda: hub.pull([name], tmp_path))
    assert f"has no voice {name!r}; use kokoro-82m for all, or such as kokoro-82m/af_heart" in message
    assert web.seen == []


def test_a_hub_that_is_no_address_is_refused() -> None:
    assert "must be http:// or https://" in refusal(lambda: KokoroHub("ftp://example.org"))


def test_names_stand_for_voices_once() -> None:
    assert voice_names(["kokoro-82m/af_sky", "kokoro-82m/af_heart", "kokoro-82m/af_sky"]) == ["af_sky", "af_heart"]
    assert len(voice_names([MODEL])) == 54
    assert is_kokoro("kokoro-82m/af_sky")
    assert not is_kokoro("en_US-joe-medium")


def test_the_catalogue_has_the_languages_of_the_engine() -> None:
    voices = catalogue()
    assert len(voices) == 54
    for voice in voices:
        language = language_of(voice.name.removeprefix("kokoro-82m/"))
        assert language is not None
        assert voice.language == language.tag


def test_checksums_are_of_sha_256() -> None:
    digests = [CONFIG_SHA256, CHECKPOINT_SHA256, *PACK_SHA256.values()]
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in digests)
    assert len(set(digests)) == 56
