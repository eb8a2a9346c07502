"""The composition root of the emotion service: builds its objects, in order of their dependencies."""

from dataclasses import dataclass
from typing import Final

import grpc

from phonoscope import __version__
from phonoscope.common.call_events import Method
from phonoscope.common.grpc_server import HEALTH_SERVICE, build_server, enable_reflection, methods_of
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.refusals import RefusalPacer
from phonoscope.emotion.analyzer import Analysis, Analyzer
from phonoscope.emotion.checks import Limits
from phonoscope.emotion.events import HealthChanged
from phonoscope.emotion.models.base import EmotionModel
from phonoscope.emotion.servicer import SERVICE_NAME, EmotionAnalysisServicer
from phonoscope.emotion.settings import EmotionSettings
from phonoscope.emotion.telemetry.pipeline import Telemetry
from phonoscope.protos.emotion.v1 import emotion_pb2, emotion_pb2_grpc

# The services whose health is the readiness of this process.
SERVICES: Final = ("", SERVICE_NAME)


@dataclass(frozen=True, slots=True)
class Rpc:
    """The gRPC side of the service: not started yet, and not bound to a port."""

    server: grpc.aio.Server
    health: Health
    analysis: Analysis


def build_rpc(settings: EmotionSettings, telemetry: Telemetry) -> Rpc:
    """Returns a gRPC server with every service; it cannot analyze yet."""
    health = Health(
        (*SERVICES, LIVENESS), lambda name, serving: telemetry.emit(HealthChanged(name, is_serving=serving))
    )
    analysis = Analysis()
    limits = Limits(settings.max_texts, settings.max_text_characters)
    server = build_server([CallObserver(telemetry.observe), ErrorMapper(telemetry.log.unexpected, RefusalPacer())])
    servicer = EmotionAnalysisServicer(analysis, limits)
    emotion_pb2_grpc.add_EmotionAnalysisServicer_to_server(servicer, server)
    add_health(health, server)
    enable_reflection(server, [SERVICE_NAME, HEALTH_SERVICE])
    return Rpc(server, health, analysis)


def build_analyzer(model: EmotionModel, settings: EmotionSettings, telemetry: Telemetry) -> Analyzer:
    """Returns the analyzer of a loaded model, and creates the metric series of its languages."""
    telemetry.metrics.make_series(model.languages)
    telemetry.metrics.capacity(settings.max_calls)
    telemetry.metrics.build(version=__version__, revision=settings.revision, model=model.name)
    return Analyzer(model, telemetry.emit, max_calls=settings.max_calls)


def served_methods() -> list[Method]:
    """Returns every method that is served, as metrics name them."""
    return methods_of(emotion_pb2.DESCRIPTOR)
