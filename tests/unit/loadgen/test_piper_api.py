"""What Piper's own server is asked; tests/integration/test_piper_target.py calls the real one."""

import asyncio

import pytest

from phonoscope.loadgen.http_target import HttpSpeechServer
from phonoscope.loadgen.piper_api import PiperApi
from phonoscope.loadgen.plan import PlannedCall


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"voice": "", "seed": 7}, {"text": "Hello."}),
        ({"voice": "en_US-joe-medium"}, {"text": "Hello.", "voice": "en_US-joe-medium"}),
        ({"voice": "de_DE-mls-medium:anna"}, {"text": "Hello.", "voice": "de_DE-mls-medium", "speaker": "anna"}),
        ({"speed": 2.0}, {"text": "Hello.", "length_scale": 0.5}),
    ],
)
async def test_a_request_says_text_voice_speaker_and_pace(http_server, options, body):
    async with HttpSpeechServer(http_server.url, PiperApi(), calls_at_once=1, deadline_seconds=10.0) as target:
        await target.make(PlannedCall("Hello.", options, is_stream=True), asyncio.get_running_loop().time())
    assert [(path, asked) for path, _, asked in http_server.asked] == [("/synthesize", body)]
