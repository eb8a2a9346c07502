"""The speech API of OpenAI, which many servers offer: POST /v1/audio/speech; the response body may be streamed.

Source: platform.openai.com/docs/api-reference/audio/createSpeech. `pcm` is 16-bit, one channel, 24 kHz; other
rates are stated in the Content-Type ("audio/pcm; rate=22050"). `wav` states its rate in the header.
"""

from dataclasses import dataclass, field
from typing import Final

import httpx

from phonoscope.loadgen.http_target import AudioStream
from phonoscope.loadgen.plan import PlannedCall
from phonoscope.loadgen.wav_stream import BodyFormat, PcmStream, WavStream

SAMPLE_RATE_HZ: Final = 24_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiApi:
    """Requests and responses of the API.

    Attributes:
        model: name of the model on the server.
        voice: voice of calls without one; the API requires it.
        api_key: bearer token; "" sends none.
    """

    model: str = "tts-1"
    voice: str = "alloy"
    body_format: BodyFormat = BodyFormat.WAV
    api_key: str = field(default="", repr=False)

    @property
    def status_path(self) -> str:
        """The list of models: cheap, and available on every such server."""
        return "/v1/models"

    def request(self, client: httpx.AsyncClient, call: PlannedCall) -> httpx.Request:
        """Returns the request of one call; the API supports its options voice and speed."""
        body: dict[str, object] = {
            "model": self.model,
            "input": call.text,
            "voice": call.options.get("voice") or self.voice,
            "response_format": self.body_format.value,
        }
        if (speed := call.options.get("speed")) is not None:
            body["speed"] = speed
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return client.build_request("POST", "/v1/audio/speech", json=body, headers=headers)

    def audio_of(self, response: httpx.Response) -> AudioStream:
        """Returns the reader for the requested audio format."""
        if self.body_format is BodyFormat.WAV:
            return WavStream()
        return PcmStream(rate_of(response.headers.get("content-type", "")))


def rate_of(content_type: str) -> int:
    """Returns the sample rate stated in a Content-Type, or the default of the API."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() in {"rate", "sample_rate"} and value.strip().isdecimal() and int(value):
            return int(value)
    return SAMPLE_RATE_HZ
