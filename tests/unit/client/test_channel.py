"""The channel's retry policy."""

import json

from phonoscope.client.channel import SERVICE_CONFIG
from phonoscope.protos.tts.v1 import tts_pb2


def test_retries_are_for_the_speech_service_and_for_unavailable_alone():
    (method,) = json.loads(SERVICE_CONFIG)["methodConfig"]
    assert method["name"] == [{"service": tts_pb2.DESCRIPTOR.services_by_name["TextToSpeech"].full_name}]
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
