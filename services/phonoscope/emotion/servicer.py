"""The servicer of phonoscope.emotion.v1.EmotionAnalysis: protobuf to domain types and back."""

from google.protobuf.message import Message
from grpc.aio import ServicerContext

from phonoscope.emotion.analyzer import Analysis
from phonoscope.emotion.checks import Limits, checked
from phonoscope.emotion.types import CLASSES, Estimate
from phonoscope.protos.emotion.v1 import emotion_pb2, emotion_pb2_grpc

SERVICE_NAME = emotion_pb2.DESCRIPTOR.services_by_name["EmotionAnalysis"].full_name

Context = ServicerContext[Message, Message]


class EmotionAnalysisServicer(emotion_pb2_grpc.EmotionAnalysisServicer):
    """phonoscope.emotion.v1.EmotionAnalysis.

    Args:
        analysis: refuses calls until the model is loaded.
        limits: of a request.
    """

    def __init__(self, analysis: Analysis, limits: Limits) -> None:
        self._analysis = analysis
        self._limits = limits

    async def Analyze(self, request: emotion_pb2.AnalyzeRequest, context: Context) -> emotion_pb2.AnalyzeResponse:
        """Estimates the emotion of each text."""
        analyzer = self._analysis.analyzer()
        texts = [(one.text, one.language) for one in request.texts]
        sentences = checked(texts, self._limits, analyzer.model.languages)
        estimates = await analyzer.analyze(sentences)
        return emotion_pb2.AnalyzeResponse(
            emotions=[_wire_emotion(estimate) for estimate in estimates], model=analyzer.model.name
        )


def _wire_emotion(estimate: Estimate) -> emotion_pb2.Emotion:
    weights = dict(zip(CLASSES, estimate.weights, strict=True))
    return emotion_pb2.Emotion(confidence=estimate.confidence, **weights)
