"""The composition root: builds every object of the server, in order of their dependencies.

`__main__.py` uses it; so do the benchmarks and `phonoscope.comparison`, for parts of a server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import structlog

from phonoscope import __version__
from phonoscope.common.call_events import Method
from phonoscope.common.grpc_server import HEALTH_SERVICE, MEBIBYTE, build_server, enable_reflection, methods_of
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.refusals import RefusalPacer
from phonoscope.common.unread import UnreadGuard
from phonoscope.protos.legacy import tts_service_pb2, tts_service_pb2_grpc
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.emotion_analysis.base import EmotionAnalysis
from phonoscope.server.emotion_analysis.client import EmotionClient
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.loading import LoadedEngine
from phonoscope.server.engines.voice_files import order_voices
from phonoscope.server.events import Emit, HealthChanged
from phonoscope.server.request.mixtures import is_mixture
from phonoscope.server.request.references import MAX_RECORDING_BYTES
from phonoscope.server.request.voice_aliases import with_aliases, with_default_mixture
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


def build_emotion_client(settings: ServerSettings, telemetry: Telemetry) -> EmotionClient | None:
    """Returns the client of the emotion service; None without an address. Call it on the event loop."""
    if not settings.emotion_address:
        return None
    telemetry.metrics.make_emotion_series()
    provider = telemetry.tracing.provider if telemetry.tracing.is_on else None
    return EmotionClient(settings.emotion_address, telemetry.emit, provider)


def build_synthesizer(
    scheduler: Scheduler,
    engines: Sequence[Engine],
    front_end: TextFrontEnd,
    emit: Emit,
    settings: ServerSettings,
    *,
    emotions: EmotionAnalysis | None = None,
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
    return Synthesizer(scheduler, front_end, voices, emit, limits=limits, lexicons=lexicons, emotions=emotions)


def loaded_voices(
    engines: Sequence[Engine], settings: ServerSettings, recorded: Sequence[Voice] = ()
) -> Sequence[Voice]:
    """Returns the voices of all engines, the recorded ones and the mixtures of the settings, the default first.

    Raises:
        SettingsError: the default voice of the settings, or one that has an alias, is not loaded.
    """
    loaded = [*(voice for engine in engines for voice in engine.voices), *recorded]
    default, names = settings.default_voice, {voice.id for voice in loaded}
    if not is_mixture(default) or default in names:
        return with_aliases(order_voices(loaded, default), settings.voice_alias_names)
    return with_default_mixture(with_aliases(order_voices(loaded, ""), settings.voice_alias_names), default)


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
    return methods_of(tts_pb2.DESCRIPTOR, tts_service_pb2.DESCRIPTOR)
