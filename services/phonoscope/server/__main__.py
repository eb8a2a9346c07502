"""① The composition root: every object of the server is built here, in order; then it serves, then it drains.

Run by `phonoscope serve` and by `python -m phonoscope.server`.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from phonoscope import __version__
from phonoscope.common.errors import StartupError, VoiceFileError
from phonoscope.common.grpc_server import bind, build_server, enable_reflection
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CALL_KINDS, CallObserver, ErrorMapper, Method
from phonoscope.common.logs import configure_logs
from phonoscope.common.loop_lag import LoopLag
from phonoscope.common.metrics_endpoint import serving_metrics
from phonoscope.common.refusals import RefusalPacer
from phonoscope.common.unread import UnreadGuard
from phonoscope.protos.legacy import tts_service_pb2, tts_service_pb2_grpc
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import Device, LoadedVoice, load_voice, resolve_device, torch_build
from phonoscope.server.engines.vits.precision import resolve_precision
from phonoscope.server.engines.voice_files import find_voices, order_voices
from phonoscope.server.events import Emit, HealthChanged, LoopLagged, VoiceLoaded
from phonoscope.server.rpc import legacy, servicer
from phonoscope.server.rpc.legacy import LegacyServicer
from phonoscope.server.rpc.servicer import Speech, TextToSpeechServicer
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.telemetry.gpu import gpu_telemetry
from phonoscope.server.telemetry.metrics import MetricsSink
from phonoscope.server.telemetry.pipeline import build_telemetry
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.lexicon_files import LexiconFiles
from phonoscope.server.types import Voice

# A whole reply, envelope included, stays within the 4 MiB that gRPC clients accept by default.
MOST_REPLY_BYTES = 4 * 2**20 - 4096
SERVICES = ("", servicer.SERVICE_NAME, legacy.SERVICE_NAME)
HEALTH_SERVICE = "grpc.health.v1.Health"
# How long a thread may hold the interpreter while another waits for it. Python's own 5 ms, several times in a row, is
# what a call would wait for while spans are encoded, metrics are scraped or text is read.
SWITCH_SECONDS = 0.0005
# How long the last spans may take to leave.
FLUSH_SECONDS = 3.0
Logger = structlog.typing.FilteringBoundLogger


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until SIGTERM or SIGINT; returns the exit status."""
    try:
        settings = ServerSettings.from_arguments(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(serve(settings))
    except StartupError as error:
        line = " ".join(str(error).split())
        print(f"phonoscope serve: {line}", file=sys.stderr)  # noqa: T201  the one line that a user reads
        return 1
    return 0


async def serve(settings: ServerSettings) -> None:
    """Builds everything, serves until told to stop, drains.

    Raises:
        StartupError: the server cannot start.
    """
    began = time.monotonic()
    sys.setswitchinterval(SWITCH_SECONDS)
    logger = configure_logs(settings.log_format, settings.log_level)
    _on_signals(lambda number: _leave(number, logger))
    telemetry = build_telemetry(settings, logger, served_methods())
    emit, metrics = telemetry.emit, telemetry.metrics
    health = Health((*SERVICES, LIVENESS), lambda name, serving: emit(HealthChanged(name, serving)))
    speech = Speech()
    server = build_server(
        [
            CallObserver(telemetry.observe),
            UnreadGuard(settings.max_unread_seconds),
            ErrorMapper(telemetry.log.unexpected, RefusalPacer()),
        ]
    )
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(speech), server)
    tts_service_pb2_grpc.add_TTSServiceServicer_to_server(LegacyServicer(speech), server)
    add_health(health, server)
    enable_reflection(server, [*SERVICES[1:], HEALTH_SERVICE])
    try:
        port = bind(server, settings.host, settings.port)
        with (
            serving_metrics(telemetry.registry, settings.host, settings.metrics_port, logger) as metrics_port,
            LoopLag(lambda seconds: emit(LoopLagged(seconds))),
            contextlib.ExitStack() as while_serving,
        ):
            await server.start()
            await health.set(LIVENESS, is_serving=True)
            logger.info("listening", host=settings.host, port=port, metrics_port=metrics_port, version=__version__)
            with ThreadPoolExecutor(1, "loading") as loading:  # a thread that ends: see build_engine
                engine = await asyncio.get_running_loop().run_in_executor(
                    loading, build_engine, settings, logger, emit
                )
            voices = order_voices(engine.voices, settings.default_voice)
            metrics.make_voice_series([voice.id for voice in voices])
            metrics.capacity(settings.max_requests)
            while_serving.enter_context(gpu_telemetry(engine.device, telemetry.registry, logger))
            front_end = _front_end(voices)
            lexicons = LexiconFiles(settings.lexicon_paths, emit)
            scheduler = Scheduler(
                engine,
                emit,
                most_requests=settings.max_requests,
                most_audio_seconds=settings.max_audio_seconds_owed,
                max_first_audio_seconds=settings.max_first_audio_seconds,
            )
            synthesizer = Synthesizer(
                scheduler,
                front_end,
                voices,
                emit,
                lexicons=lexicons,
                skips_unsupported_ssml=settings.unsupported_ssml == "skip",
                most_characters=settings.max_text_characters,
                most_reply_bytes=MOST_REPLY_BYTES,
                max_unread_seconds=settings.max_unread_seconds,
                clause_wait_seconds=settings.max_clause_wait_seconds,
            )
            metrics.watch_engine(scheduler.estimates, scheduler.demand_ratio)
            await scheduler.start()
            synthesizer.precision = engine.precision
            _tell_build(settings, engine, metrics, logger)
            stop = asyncio.Event()
            _on_signals(lambda _number: stop.set())
            speech.begin(synthesizer)
            await _set_ready(health, is_serving=True)
            logger.info("ready", seconds=round(time.monotonic() - began, 3), voices=[voice.id for voice in voices])
            await stop.wait()
            logger.info("draining", drain_seconds=settings.drain_seconds, stop_seconds=settings.stop_seconds)
            await _drain(settings, server, health, scheduler)
            synthesizer.close()
            logger.info("stopped")
    finally:
        await server.stop(None)
        await asyncio.to_thread(telemetry.tracing.shutdown, FLUSH_SECONDS)


def _tell_build(settings: ServerSettings, engine: VitsEngine, metrics: MetricsSink, logger: Logger) -> None:
    """States what runs here, once the engine is warm and has settled for a precision."""
    metrics.build(
        version=__version__,
        revision=settings.revision,
        device=engine.device,
        precision=engine.precision,
        **torch_build(),
    )
    if engine.distances_db and engine.precision == "float32":
        logger.warning("precision_refused", asked=settings.precision, log_mel_distances_db=_rounded(engine))
    else:
        logger.info("precision", precision=engine.precision, log_mel_distances_db=_rounded(engine))
    if engine.graphs_refused:
        logger.warning("cuda_graphs_refused", recorded=engine.graphs, reason=engine.graphs_refused)
    elif engine.graphs:
        logger.info("cuda_graphs", recorded=engine.graphs)


def _rounded(engine: VitsEngine) -> dict[str, float]:
    return {voice: round(distance, 3) for voice, distance in engine.distances_db.items()}


async def _drain(settings: ServerSettings, server: grpc.aio.Server, health: Health, scheduler: Scheduler) -> None:
    """Tells the world, waits for it to look elsewhere, refuses what is new and finishes what was accepted."""
    await _set_ready(health, is_serving=False)
    await asyncio.sleep(settings.drain_seconds)
    await health.end_watches()
    stopping = asyncio.create_task(server.stop(settings.stop_seconds))
    await scheduler.drain(settings.stop_seconds)
    await stopping


async def _set_ready(health: Health, *, is_serving: bool) -> None:
    for service in SERVICES:
        await health.set(service, is_serving=is_serving)


def _front_end(voices: Sequence[Voice]) -> TextFrontEnd:
    """Returns the text front end, once it has said that it can read for every voice."""
    front_end = TextFrontEnd(Espeak())
    for voice in voices:
        front_end.check(voice.phonemes)
    return front_end


def _on_signals(act: Callable[[int], None]) -> None:
    """Has SIGTERM and SIGINT call `act` with their number from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, act, number)


def _leave(number: int, logger: Logger) -> None:
    """Ends a process that is not ready yet, at once and as a shell counts signals.

    Nothing was accepted, and the thread that loads voices, or downloads them for minutes, cannot be interrupted; what
    is downloaded half is resumed by the next start.
    """
    logger.info("stopped_before_ready")
    os._exit(128 + number)


def served_methods() -> list[Method]:
    """Returns every method that is served, as metrics name them."""
    return [
        Method(service.full_name, method.name, CALL_KINDS[method.client_streaming, method.server_streaming])
        for file in (tts_pb2.DESCRIPTOR, tts_service_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    ]


def build_engine(settings: ServerSettings, logger: Logger, emit: Emit) -> VitsEngine:
    """Finds and loads the voices, and returns the engine that speaks with them.

    OpenMP gives every thread that calls torch a pool of its own, and makes all pools wait in the slow way once their
    threads outnumber the cores: the engine thread then takes twice as long. So this runs on a thread that ends.
    """
    device = resolve_device(settings.device)
    attempts = (_load(path, device, settings, logger, emit) for path in find_voices(settings, logger))
    loaded = [voice for voice in attempts if voice is not None]
    if not loaded:
        raise VoiceFileError("every voice file was bad, and --skip-bad-voices left none; see the log")
    precision = resolve_precision(settings.precision, device)
    return VitsEngine(
        loaded,
        device,
        threads=settings.threads or usable_cores(),
        precision=precision,
        uses_graphs=settings.cuda_graphs == "auto",
    )


def _load(path: Path, device: Device, settings: ServerSettings, logger: Logger, emit: Emit) -> LoadedVoice | None:
    """Loads one voice; returns None for a bad one that the settings let us do without."""
    began = time.monotonic()
    try:
        loaded = load_voice(path, device)
    except VoiceFileError as error:
        if not settings.skip_bad_voices:
            raise VoiceFileError(f"{error} (--skip-bad-voices starts without it)") from None
        logger.warning("voice_skipped", path=str(path), error=str(error))
        return None
    emit(VoiceLoaded(loaded.voice.id, str(device), time.monotonic() - began))
    return loaded


if __name__ == "__main__":
    sys.exit(main())
