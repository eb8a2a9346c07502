"""VoiceHub with a real HTTP server on this machine, which can fail on demand."""

import hashlib
import importlib.util
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from phonoscope.common.download import Retries
from phonoscope.common.errors import VoiceDownloadError
from phonoscope.common.voice_hub import HubVoice, VoiceHub, check_voice_name

JOE = "en_US-joe-medium"
MODEL = f"en/en_US/joe/medium/{JOE}.onnx"
CONFIG = f"{MODEL}.json"
MODEL_BYTES = os.urandom(300_000)
CONFIG_BYTES = json.dumps({"audio": {"sample_rate": 22050}}).encode()

_SPEC = importlib.util.spec_from_file_location("scripted_hub", Path(__file__).with_name("scripted_hub.py"))
assert _SPEC
assert _SPEC.loader
scripted_hub = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scripted_hub)
Web, Request = scripted_hub.Web, scripted_hub.Request
honest, cut_after, status, body = (
    scripted_hub.honest,
    scripted_hub.cut_after,
    scripted_hub.status,
    scripted_hub.body,
)


def entry(content: bytes) -> dict[str, object]:
    return {"size_bytes": len(content), "md5_digest": hashlib.md5(content).hexdigest()}


def offer(web: Web, path: str, config: bytes = CONFIG_BYTES, model: bytes = MODEL_BYTES) -> dict[str, object]:
    """Puts a voice's files on the server and returns its entry of the index."""
    web.files |= {f"{path}.json": config, path: model}
    return {
        "quality": "x",
        "language": {"code": "x"},
        "files": {path: entry(model), f"{path}.json": entry(config), "MODEL_CARD": entry(b"card")},
        "aliases": ["en-us-joe"],
    }


def publish(web: Web, index: object) -> None:
    web.files["voices.json"] = json.dumps(index).encode()


@pytest.fixture
def web() -> Iterator[Web]:
    with scripted_hub.running() as server:
        publish(server, {JOE: offer(server, MODEL)})
        yield server


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as opened:
        yield opened


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def hub(web: Web, client: httpx.Client, pauses: list[float]) -> VoiceHub:
    return VoiceHub(web.url, client=client, retries=Retries(sleep=pauses.append, jitter=lambda: 0.0))


@pytest.fixture
def hasty_hub(web: Web, client: httpx.Client) -> VoiceHub:
    """Tries once only, so that one fault ends the pull."""
    return VoiceHub(web.url, client=client, retries=Retries(attempts=1))


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix != ".lock"}


def test_pull_brings_both_files_of_a_voice(hub: VoiceHub, tmp_path: Path) -> None:
    path = hub.pull(JOE, tmp_path / "new" / "voices")
    assert path == tmp_path / "new" / "voices" / f"{JOE}.onnx"
    assert path.read_bytes() == MODEL_BYTES
    assert path.with_name(f"{JOE}.onnx.json").read_bytes() == CONFIG_BYTES
    assert names_in(path.parent) == {f"{JOE}.onnx", f"{JOE}.onnx.json"}


def test_a_hub_makes_its_own_connection_when_given_none(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert VoiceHub(web.url + "/").pull(JOE, tmp_path).read_bytes() == MODEL_BYTES


def test_progress_counts_both_files_and_ends_at_the_total(hub: VoiceHub, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    hub.pull(JOE, tmp_path, on_progress=lambda here, total: told.append((here, total)))
    total_bytes = len(MODEL_BYTES) + len(CONFIG_BYTES)
    assert told == sorted(told)
    assert {total for _, total in told} == {total_bytes}
    assert told[-1] == (total_bytes, total_bytes)


def test_a_voice_that_is_here_is_not_fetched_again(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    first = hub.pull(JOE, tmp_path)
    web.seen.clear()
    told: list[tuple[int, int]] = []
    assert hub.pull(JOE, tmp_path, on_progress=lambda here, total: told.append((here, total))) == first
    assert [path for path, _ in web.seen] == ["voices.json"]
    assert told == [(len(MODEL_BYTES) + len(CONFIG_BYTES),) * 2]


def test_only_the_file_that_is_damaged_is_fetched_again(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    hub.pull(JOE, tmp_path).write_bytes(b"\0" * len(MODEL_BYTES))
    web.seen.clear()
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    assert [path for path, _ in web.seen] == ["voices.json", MODEL]


def test_the_model_is_not_seen_before_the_voice_is_whole(hasty_hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.script[MODEL] = [cut_after(1000)]
    with pytest.raises(VoiceDownloadError):
        hasty_hub.pull(JOE, tmp_path)
    assert not list(tmp_path.glob("*.onnx"))


def test_the_config_is_in_place_before_the_model(
    hub: VoiceHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    replace = Path.replace

    def noted(source: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", noted)
    hub.pull(JOE, tmp_path)
    assert order == [f"{JOE}.onnx.json", f"{JOE}.onnx"]


def test_a_later_pull_asks_only_for_the_rest(hasty_hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.script[MODEL] = [cut_after(100_000)]
    with pytest.raises(VoiceDownloadError):
        hasty_hub.pull(JOE, tmp_path)
    kept_bytes = (tmp_path / f"{JOE}.onnx.part").stat().st_size
    assert 0 < kept_bytes <= 100_000
    web.seen.clear()
    assert hasty_hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    (asked,) = web.requests_for(MODEL)
    assert asked["Accept-Encoding"] == "identity"
    assert (asked["Range"], asked["If-Range"]) == (f"bytes={kept_bytes}-", '"one"')
    assert names_in(tmp_path) == {f"{JOE}.onnx", f"{JOE}.onnx.json"}


def test_a_cut_connection_is_taken_up_again_within_one_pull(
    hub: VoiceHub, web: Web, tmp_path: Path, pauses: list[float]
) -> None:
    web.script[MODEL] = [cut_after(50_000), cut_after(100_000), cut_after(0)]
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    assert pauses == [0.25, 0.5, 1.0]


def test_a_file_that_changed_on_the_server_is_fetched_whole(hasty_hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.files[MODEL] = bytes(len(MODEL_BYTES))
    web.script[MODEL] = [cut_after(100_000)]
    with pytest.raises(VoiceDownloadError):
        hasty_hub.pull(JOE, tmp_path)
    web.files[MODEL], web.tag = MODEL_BYTES, '"two"'
    assert hasty_hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES


def test_a_weak_tag_is_not_sent_as_a_condition(hasty_hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.tag = 'W/"one"'
    web.script[MODEL] = [cut_after(100_000)]
    with pytest.raises(VoiceDownloadError):
        hasty_hub.pull(JOE, tmp_path)
    assert hasty_hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    asked = web.requests_for(MODEL)[-1]
    assert "Range" in asked
    assert "If-Range" not in asked


def test_a_server_that_ignores_ranges_is_read_from_the_start(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.script[MODEL] = [cut_after(100_000), body(MODEL_BYTES)]
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    assert "Range" in web.requests_for(MODEL)[1]


def test_another_range_than_asked_starts_the_file_over(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.script[MODEL] = [
        cut_after(100_000),
        lambda request: request.reply(206, MODEL_BYTES[7:], Content_Range=f"bytes 7-299999/{len(MODEL_BYTES)}"),
    ]
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    assert "Range" not in web.requests_for(MODEL)[2]


def test_a_wrong_checksum_is_refused_and_nothing_is_left(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.files[MODEL] = bytes(len(MODEL_BYTES))
    with pytest.raises(VoiceDownloadError, match=rf"{JOE}\.onnx has a wrong checksum and was discarded"):
        hub.pull(JOE, tmp_path)
    assert len(web.requests_for(MODEL)) == 1
    assert not {f"{JOE}.onnx", f"{JOE}.onnx.part"} & names_in(tmp_path)


@pytest.mark.parametrize("junk_bytes", [1000, len(MODEL_BYTES), len(MODEL_BYTES) + 1])
def test_a_damaged_part_is_discarded_and_the_file_fetched_whole(
    hub: VoiceHub, tmp_path: Path, junk_bytes: int
) -> None:
    (tmp_path / f"{JOE}.onnx.part").write_bytes(b"j" * junk_bytes)
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES


def test_a_part_that_is_whole_is_used_without_fetching(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    (tmp_path / f"{JOE}.onnx.part").write_bytes(MODEL_BYTES)
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    assert web.requests_for(MODEL) == []


def test_a_file_larger_than_promised_is_refused(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.files[MODEL] = MODEL_BYTES + b"more"
    told: list[int] = []
    with pytest.raises(VoiceDownloadError, match="is larger than the expected 300000 bytes"):
        hub.pull(JOE, tmp_path, on_progress=lambda here, _: told.append(here))
    assert max(told) <= len(MODEL_BYTES) + len(CONFIG_BYTES)
    assert f"{JOE}.onnx.part" not in names_in(tmp_path)


def test_a_file_shorter_than_promised_is_refused(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.files[MODEL] = MODEL_BYTES[:-1]
    with pytest.raises(VoiceDownloadError, match="ended after 299999 of 300000 bytes"):
        hub.pull(JOE, tmp_path)
    assert not list(tmp_path.glob("*.onnx"))


def test_a_config_that_is_not_a_json_object_is_refused(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    publish(web, {JOE: offer(web, MODEL, config=b"<html>")})
    with pytest.raises(VoiceDownloadError, match="is not a JSON object and was discarded"):
        hub.pull(JOE, tmp_path)
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize("path", ["voices.json", MODEL])
def test_a_busy_server_is_asked_again(hub: VoiceHub, web: Web, tmp_path: Path, pauses: list[float], path: str) -> None:
    web.script[path] = [status(503), status(429, Retry_After="7"), status(503, Retry_After="3600")]
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES
    assert pauses == [0.25, 7.0, 20.0]


def test_the_attempts_are_bounded(hub: VoiceHub, web: Web, tmp_path: Path, pauses: list[float]) -> None:
    web.script["voices.json"] = [status(503)] * 99
    with pytest.raises(VoiceDownloadError, match=r"voices\.json returned 503 Service Unavailable; run the command"):
        hub.pull(JOE, tmp_path)
    assert len(web.requests_for("voices.json")) == 5
    assert len(pauses) == 4


def test_jitter_stretches_a_pause(client: httpx.Client) -> None:
    pauses: list[float] = []
    retries = Retries(attempts=2, sleep=pauses.append, jitter=lambda: 1.0)
    with pytest.raises(VoiceDownloadError):
        VoiceHub(free_address(), client=client, retries=retries).catalogue()
    assert pauses == [0.5]


@pytest.mark.parametrize("path", ["voices.json", MODEL])
def test_a_missing_file_is_reported_at_once(hub: VoiceHub, web: Web, tmp_path: Path, path: str) -> None:
    del web.files[path]
    with pytest.raises(VoiceDownloadError, match=f"{path} returned 404 Not Found; check the hub address"):
        hub.pull(JOE, tmp_path)
    assert len(web.requests_for(path)) == 1


def test_a_redirect_is_followed(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    web.files["elsewhere"] = MODEL_BYTES
    web.script[MODEL] = [status(302, Location="/hub/elsewhere")]
    assert hub.pull(JOE, tmp_path).read_bytes() == MODEL_BYTES


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_an_unreachable_hub_is_one_line_with_its_address_and_advice(client: httpx.Client, tmp_path: Path) -> None:
    address = free_address()
    with pytest.raises(VoiceDownloadError) as raised:
        VoiceHub(address, client=client, retries=Retries(sleep=lambda _: None)).pull(JOE, tmp_path)
    message = str(raised.value)
    assert address in message
    assert "copy the voice's files into the voices directory" in message
    assert "\n" not in message


@pytest.mark.parametrize("address", ["", "hub.example", "ftp://hub.example", "http://", "http://[::"])
def test_an_address_that_is_not_of_the_web_is_refused(address: str) -> None:
    with pytest.raises(VoiceDownloadError, match="must be http:// or https://"):
        VoiceHub(address)


@pytest.mark.parametrize("index", [b"<html>captive portal</html>", b"[1, 2]", b"\xff\xfe"])
def test_an_index_that_is_none_is_refused(hub: VoiceHub, web: Web, index: bytes) -> None:
    web.files["voices.json"] = index
    with pytest.raises(VoiceDownloadError, match="check the hub address"):
        hub.catalogue()


def test_an_endless_index_is_not_read_to_the_end(hub: VoiceHub, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phonoscope.common.voice_hub.MAX_INDEX_BYTES", 100)
    with pytest.raises(VoiceDownloadError, match="is larger than 100 bytes"):
        hub.catalogue()


def test_an_unknown_voice_is_answered_with_near_ones(hub: VoiceHub, tmp_path: Path) -> None:
    with pytest.raises(VoiceDownloadError, match=f"has no voice 'en_US-jo-medium'; near it: {JOE}"):
        hub.pull("en_US-jo-medium", tmp_path)


def test_an_unknown_voice_is_answered_with_voices_of_its_language(hub: VoiceHub, tmp_path: Path) -> None:
    with pytest.raises(VoiceDownloadError, match=f"near it: {JOE}"):
        hub.pull("en_GB-northern_english_male-x_low", tmp_path)
    with pytest.raises(VoiceDownloadError, match="it has no voice of that language"):
        hub.pull("zu_ZA-thandi-high", tmp_path)


def test_an_old_name_brings_the_voice_under_its_present_name(hub: VoiceHub, tmp_path: Path) -> None:
    assert hub.pull("en-us-joe", tmp_path) == tmp_path / f"{JOE}.onnx"


def test_the_catalogue_tells_each_voice(hub: VoiceHub, web: Web) -> None:
    ryan = "en_GB-ryan-x_low"
    index = {JOE: offer(web, MODEL), ryan: offer(web, f"en/{ryan}.onnx", b"{}", b"model")}
    publish(web, index)
    first, second = hub.catalogue()
    assert isinstance(first, HubVoice)
    assert (first.name, first.language, first.quality, first.total_bytes) == (ryan, "en-GB", "x_low", 7)
    assert [file.path for file in first.files] == [f"en/{ryan}.onnx.json", f"en/{ryan}.onnx"]
    assert second.name == JOE


def test_a_name_of_letters_beyond_ascii_is_pulled_in_either_spelling(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    composed, decomposed = "pt_PT-tug\u00e3o-medium", "pt_PT-tuga\u0303o-medium"
    publish(web, {decomposed: offer(web, f"pt/#1?/{decomposed}.onnx")})
    assert hub.pull(composed, tmp_path) == tmp_path / f"{composed}.onnx"
    assert hub.pull(decomposed, tmp_path) == tmp_path / f"{composed}.onnx"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "en_US-joe-medium/../x",
        "..",
        "",
        "en_US-joe",
        "en_US-joe-medium\n",
        "en_US-j.e-medium",
        "/a",
    ],
)
def test_a_name_that_could_leave_the_directory_is_refused_unasked(
    hub: VoiceHub, web: Web, tmp_path: Path, name: str
) -> None:
    with pytest.raises(VoiceDownloadError, match="is not a voice name"):
        check_voice_name(name)
    if name != "en_US-joe":  # it has the form of an old name, which the hub must know
        with pytest.raises(VoiceDownloadError, match="is not a voice name"):
            hub.pull(name, tmp_path)
        assert web.seen == []


@pytest.mark.parametrize(
    "name", [JOE, "zh_CN-huayan-x_low", "es_419-x-high", "nl_NL-mls_7432-low", "pt_PT-tugão-medium"]
)
def test_names_of_the_hub_are_voice_names(name: str) -> None:
    check_voice_name(name)


@pytest.mark.parametrize(
    "entry_of_joe",
    [
        None,
        {},
        {"files": {}},
        {"files": {f"../../{JOE}.onnx": entry(b"m"), f"../../{JOE}.onnx.json": entry(b"{}")}},
        {"files": {f"/etc/{JOE}.onnx": entry(b"m"), f"/etc/{JOE}.onnx.json": entry(b"{}")}},
        {"files": {"en/other.onnx": entry(b"m"), "en/other.onnx.json": entry(b"{}")}},
        {"files": {MODEL: entry(b"m")}},
        {"files": {MODEL: {"size_bytes": "1", "md5_digest": "0" * 32}, CONFIG: entry(b"{}")}},
        {"files": {MODEL: {"size_bytes": 1, "md5_digest": "no"}, CONFIG: entry(b"{}")}},
    ],
)
def test_a_malformed_entry_is_not_listed_and_not_pulled(
    hub: VoiceHub, web: Web, tmp_path: Path, entry_of_joe: object
) -> None:
    publish(web, {JOE: entry_of_joe, "../../x": offer(web, MODEL)})
    assert hub.catalogue() == []
    with pytest.raises(VoiceDownloadError, match=f"the hub's index has no .* for {JOE}"):
        hub.pull(JOE, tmp_path)
    assert names_in(tmp_path) == set()


def test_an_old_name_cannot_lead_to_a_present_name_that_is_unsafe(hub: VoiceHub, web: Web, tmp_path: Path) -> None:
    publish(web, {"../../x": offer(web, MODEL)})
    with pytest.raises(VoiceDownloadError, match="is not a voice name"):
        hub.pull("en-us-joe", tmp_path)


def test_pulls_at_the_same_time_take_turns(web: Web, tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def index_for_all_at_once(request: Request) -> None:
        together.wait(timeout=10)
        honest(request)

    web.script["voices.json"] = [index_for_all_at_once] * 4
    pulled: list[bytes] = []

    def pull() -> None:
        with httpx.Client(trust_env=False) as client:
            pulled.append(VoiceHub(web.url, client=client).pull(JOE, tmp_path).read_bytes())

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert pulled == [MODEL_BYTES] * 4
    assert len(web.requests_for(MODEL)) == 1


def test_a_directory_that_cannot_be_made_is_reported(hub: VoiceHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VoiceDownloadError, match=f"cannot store {JOE} in .*file/voices: Not a directory"):
        hub.pull(JOE, tmp_path / "file" / "voices")


def test_pulled_files_can_be_read_as_the_umask_says(hub: VoiceHub, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = hub.pull(JOE, tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
