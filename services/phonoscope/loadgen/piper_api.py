"""Piper's own server, `python -m piper.http_server`: POST /synthesize returns a WAV file.

Source: piper-tts 1.8, piper/http_server.py.
"""

from dataclasses import dataclass

import httpx

from phonoscope.loadgen.http_target import AudioStream
from phonoscope.loadgen.plan import PlannedCall
from phonoscope.loadgen.wav_stream import WavStream


@dataclass(frozen=True, slots=True)
class PiperApi:
    """Requests and responses of the server, which uses its default voice in place of an unknown one."""

    @property
    def status_path(self) -> str:
        """Information about the voice."""
        return "/info"

    def request(self, client: httpx.AsyncClient, call: PlannedCall) -> httpx.Request:
        """Returns the request of one call; the API supports its options voice and speed."""
        voice, _, speaker = call.options.get("voice", "").partition(":")
        body: dict[str, object] = {"text": call.text}
        if voice:
            body["voice"] = voice
        if speaker:
            body["speaker"] = speaker
        if speed := call.options.get("speed"):
            body["length_scale"] = 1 / speed
        return client.build_request("POST", "/synthesize", json=body)

    def audio_of(self, response: httpx.Response) -> AudioStream:
        """Returns the reader for a WAV file."""
        del response
        return WavStream()
