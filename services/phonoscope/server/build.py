"""The composition root: builds every object of the server, in order of their dependencies.

`__main__.py` uses it; so do the benchmarks and `phonoscope.comparison`, for parts of a server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from phonoscope import __version__
from phonoscope.common.call_events import CALL_KINDS, Method
from phonoscope.common.grpc_server import MEBIBYTE, build_server, enable_reflection
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.reflection import v1_descriptor
from phonoscope.common.refusals import RefusalPacer
from phonoscope.common.unread import UnreadGuard
from phonoscope.protos.legacy import tts_service_pb2, tts_service_pb2_grpc
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.loading import LoadedEngine
from phonoscope.server.engines.voice_files import order_voices
from phonoscope.server.events import Emit, HealthChanged
from phonoscope.server.request.references import MAX_RECORDING_BYTES
from phonoscope.server.request.voice_aliases import with_aliases
from phonoscope.server.rpc import legacy, servicer
from phonoscope.server.rpc.legacy import LegacyServicer
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.rpc.servicer import TextToSpeechServicer
from phonoscope.server.scheduling.admission import Admission
from phonoscope.server.scheduling.policy import EarliestDeadlineFirst
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Limits, Synthesizer
from phonoscope.server.telemetry.pipeline import Telemetry
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.lexicon_files import LexiconFiles
from phonoscope.server.text.phonemizers import build_phonemizers
from phonoscope.server.types import Voice

# A whole reply, envelope included, stays within the 4 MiB that gRPC clients accept by default.
MAX_REPLY_BYTES: Final = 4 * 2**20 - 4096
# The recordings of a request, and its text: a hundred times the maximum length.
MAX_REQUEST_BYTES: Final = MAX_RECORDING_BYTES + MEBIBYTE
# The services whose health is the readiness of this server.
SERVICES: Final = ("", servicer.SERVICE_NAME, legacy.SERVICE_NAME)
HEALTH_SERVICE: Final = "grpc.health.v1.Health"
# How long a thread may hold the interpreter while another waits for it. With Python's default of 5 ms, a call waits
# for several such periods while spans are encoded, metrics are scraped or text is read.
SWITCH_SECONDS: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Rpc:
    """The gRPC side of a server.

    Attributes:
        server: not started yet, and not bound to a port.
        speech: refuses calls until it receives a synthesizer.
    """

    server: grpc.aio.Server
    health: Health
    speech: Speech


def build_rpc(settings: ServerSettings, telemetry: Telemetry) -> Rpc:
    """Returns a gRPC server with every service; none can speak yet."""
    health = Health(
        (*SERVICES, LIVENESS), lambda name, serving: telemetry.emit(HealthChanged(name, is_serving=serving))
    )
    speech = Speech()
    server = build_server(
        [
            CallObserver(telemetry.observe),
            UnreadGuard(settings.max_unread_seconds),
            ErrorMapper(telemetry.log.unexpected, RefusalPacer()),
        ],
        MAX_REQUEST_BYTES,
    )
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(speech), server)
    tts_service_pb2_grpc.add_TTSServiceServicer_to_server(LegacyServicer(speech), server)
    add_health(health, server)
    enable_reflection(server, [*SERVICES[1:], HEALTH_SERVICE])
    return Rpc(server, health, speech)


def build_scheduler(engines: Sequence[Engine], emit: Emit, settings: ServerSettings) -> Scheduler:
    """Returns the scheduler of one device's engines, with this server's policy."""
    admission = Admission(
        max_requests=settings.max_requests,
        max_audio_seconds=settings.max_audio_seconds_owed,
        max_first_audio_seconds=settings.max_first_audio_seconds,
    )
    return Scheduler(engines, emit, admission=admission, policy=EarliestDeadlineFirst())


def build_synthesizer(
    scheduler: Scheduler,
    engines: Sequence[Engine],
    front_end: TextFrontEnd,
    emit: Emit,
    settings: ServerSettings,
    recorded: Sequence[Voice] = (),
) -> Synthesizer:
    """Returns the synthesizer for the voices of warmed-up engines, and the recorded ones."""
    limits = Limits(
        max_characters=settings.max_text_characters,
        max_reply_bytes=MAX_REPLY_BYTES,
        max_unread_seconds=settings.max_unread_seconds,
        clause_wait_seconds=settings.max_clause_wait_seconds,
        skips_unsupported_ssml=settings.unsupported_ssml == "skip",
    )
    lexicons = LexiconFiles(settings.lexicon_paths, emit)
    voices = loaded_voices(engines, settings, recorded)
    return Synthesizer(scheduler, front_end, voices, emit, limits=limits, lexicons=lexicons)


def loaded_voices(
    engines: Sequence[Engine], settings: ServerSettings, recorded: Sequence[Voice] = ()
) -> Sequence[Voice]:
    """Returns the voices of all engines and the recorded ones, the default first.

    Raises:
        SettingsError: the default voice of the settings, or one that has an alias, is not loaded.
    """
    loaded = [*(voice for engine in engines for voice in engine.voices), *recorded]
    voices = order_voices(loaded, settings.default_voice)
    return with_aliases(voices, settings.voice_alias_names)


def build_front_end(settings: ServerSettings) -> TextFrontEnd:
    """Returns the text front end of every voice.

    Raises:
        StartupError: espeak-ng cannot be loaded.
    """
    return TextFrontEnd(build_phonemizers(), verbalizes=settings.text_normalization == "full")


def export_engines(
    loaded: Sequence[LoadedEngine], scheduler: Scheduler, telemetry: Telemetry, settings: ServerSettings
) -> None:
    """Creates the metric series of the loaded engines and their voices."""
    engines = [one.engine for one in loaded]
    metrics = telemetry.metrics
    metrics.make_voice_series({voice.id: engine.step_kinds for engine in engines for voice in engine.voices})
    metrics.capacity(settings.max_requests)
    metrics.watch_engines([engine.name for engine in engines], scheduler.estimates, scheduler.demand_ratio)


def report_build(
    loaded: Sequence[LoadedEngine],
    telemetry: Telemetry,
    settings: ServerSettings,
    logger: structlog.typing.FilteringBoundLogger,
) -> None:
    """Exports and logs the build information, once the engines are warm."""
    libraries: Mapping[str, str] = {name: version for one in loaded for name, version in one.libraries.items()}
    first = loaded[0].engine
    telemetry.metrics.build(
        version=__version__,
        revision=settings.revision,
        device=first.device,
        precision=first.precision,
        **libraries,
    )
    for one in loaded:
        one.log_state(logger)


def served_methods() -> list[Method]:
    """Returns every method that is served, as metrics name them."""
    own = (tts_pb2.DESCRIPTOR, tts_service_pb2.DESCRIPTOR)
    return [
        Method(service.full_name, method.name, CALL_KINDS[method.client_streaming, method.server_streaming])
        for file in (*own, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR, v1_descriptor())
        for service in file.services_by_name.values()
        for method in service.methods
    ]
