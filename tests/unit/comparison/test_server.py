"""The contenders, as processes: both speak the same samples, and a start that fails says so."""

import base64

import httpx
import pytest

from phonoscope.client import Client
from phonoscope.common.errors import StartupError
from phonoscope.comparison import server
from phonoscope.comparison.server import serving

TEXT = "The bell rang."


@pytest.mark.slow
def test_both_transports_carry_the_same_audio():
    with serving("json", "tone") as by_json, serving("grpc", "tone") as by_grpc:
        url = f"http://127.0.0.1:{by_json.port}/api/tts"
        reply = httpx.post(url, json={"text": TEXT}, trust_env=False).raise_for_status().json()
        with Client(f"127.0.0.1:{by_grpc.port}") as client:
            speech = client.synthesize(TEXT, seed=0)
        assert base64.b64decode(reply["audio_data"]) == speech.audio
        assert (reply["sample_rate"], reply["status"]) == (22_050, "success")
        assert 2**20 < by_json.memory_bytes("VmRSS") <= by_json.memory_bytes("VmHWM")


def test_a_server_that_does_not_start_is_an_error(monkeypatch, capfd):
    monkeypatch.setattr(server, "MODULE", "phonoscope.comparison.nowhere")
    with pytest.raises(StartupError, match="grpc server with the tone engine"), serving("grpc", "tone"):
        pass
    assert "nowhere" in capfd.readouterr().err
