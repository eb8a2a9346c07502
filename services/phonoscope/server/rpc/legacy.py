"""The older contract, /TTSService/Synthesize: a small adapter in front of the same synthesizer.

It follows protos/legacy/tts_service.proto exactly. Audio is raw 16-bit PCM at the voice's own rate; it refuses the
same requests as the newer contract.
"""

from phonoscope.protos.legacy import tts_service_pb2, tts_service_pb2_grpc
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.rpc.servicer import Context
from phonoscope.server.rpc.wire import STATUS
from phonoscope.server.types import SpeechRequest

SERVICE_NAME = tts_service_pb2.DESCRIPTOR.services_by_name["TTSService"].full_name


class LegacyServicer(tts_service_pb2_grpc.TTSServiceServicer):
    """TTSService."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    async def Synthesize(
        self, request: tts_service_pb2.SynthesisRequest, context: Context
    ) -> tts_service_pb2.SynthesisResponse:
        """Speaks a whole text and replies once, with raw PCM."""
        asked = SpeechRequest(
            text=request.text,
            speaker_id=request.speaker_id,
            speed=request.speed,
            pitch=request.pitch,
            emotion=request.emotion,
        )
        spoken = await self._speech.synthesizer().speak(asked, context.time_remaining())
        return tts_service_pb2.SynthesisResponse(
            audio_data=spoken.audio, sample_rate=spoken.request.sample_rate_hz, status=STATUS
        )
