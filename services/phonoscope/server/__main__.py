"""The server's life: settings, startup, serving, drain. `build.py` builds the parts.

Run by `phonoscope serve` and by `python -m phonoscope.server`.
"""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from phonoscope import __version__
from phonoscope.common.errors import StartupError
from phonoscope.common.grpc_server import bind
from phonoscope.common.health import LIVENESS, set_ready
from phonoscope.common.logs import configure_logs
from phonoscope.common.loop_lag import LoopLag
from phonoscope.common.metrics_endpoint import serving_metrics
from phonoscope.common.signals import leave, on_signals
from phonoscope.server import build
from phonoscope.server.emotion_analysis.client import EmotionClient
from phonoscope.server.engines.loading import LoadedEngine, Loading
from phonoscope.server.events import Emit, LoopLagged
from phonoscope.server.request.recorded_voices import recorded_voices
from phonoscope.server.rpc.readiness import report_lost_engine
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.startup import StartupTimer
from phonoscope.server.telemetry.gpu import gpu_telemetry
from phonoscope.server.telemetry.pipeline import Telemetry, build_telemetry

# Maximum time to export the last spans.
FLUSH_SECONDS: Final = 3.0
Logger = structlog.typing.FilteringBoundLogger


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until SIGTERM or SIGINT; returns the exit status."""
    timer = StartupTimer()
    gc.disable()  # what a start allocates stays, and need not be looked through again and again
    try:
        settings = ServerSettings.from_arguments(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(run(settings, timer))
    except StartupError as error:
        line = " ".join(str(error).split())
        print(f"phonoscope serve: {line}", file=sys.stderr)  # noqa: T201  the one line that a user reads
        return 1
    finally:
        gc.enable()
    return 0


async def run(settings: ServerSettings, timer: StartupTimer) -> None:
    """Builds everything, serves until a signal arrives, then drains.

    Raises:
        StartupError: the server cannot start.
    """
    sys.setswitchinterval(build.SWITCH_SECONDS)
    logger = configure_logs(settings.log_format, settings.log_level)
    on_signals(lambda number: leave(number, logger))
    telemetry = build_telemetry(settings, logger, build.served_methods())
    timer.end_imports(telemetry.emit)
    rpc = build.build_rpc(settings, telemetry)
    try:
        port = bind(rpc.server, settings.host, settings.port)
        with (
            serving_metrics(telemetry.registry, settings.host, settings.metrics_port, logger) as metrics_port,
            LoopLag(lambda seconds: telemetry.emit(LoopLagged(seconds))),
            contextlib.ExitStack() as while_serving,
        ):
            await rpc.server.start()
            await rpc.health.set(LIVENESS, is_serving=True)
            logger.info("listening", host=settings.host, port=port, metrics_port=metrics_port, version=__version__)
            timer.end("listen", telemetry.emit)
            scheduler, synthesizer, emotions = await _start_engines(settings, telemetry, logger, timer, while_serving)
            stop = asyncio.Event()
            on_signals(lambda _number: stop.set())
            rpc.speech.begin(synthesizer)
            await set_ready(rpc.health, build.SERVICES, is_serving=True)
            watching = asyncio.create_task(report_lost_engine(rpc.health, build.SERVICES, scheduler))
            _log_ready(logger, timer, [voice.id for voice in synthesizer.voices])
            gc.freeze()
            gc.enable()
            scheduler.begin_idle_work()
            synthesizer.prepare_languages()

            await stop.wait()

            watching.cancel()
            logger.info("draining", drain_seconds=settings.drain_seconds, stop_seconds=settings.stop_seconds)
            await _drain(settings, rpc, scheduler)
            synthesizer.close()
            if emotions is not None:
                await emotions.close()
            logger.info("stopped")
    finally:
        await rpc.server.stop(None)
        await asyncio.to_thread(telemetry.tracing.shutdown, FLUSH_SECONDS)


async def _start_engines(
    settings: ServerSettings,
    telemetry: Telemetry,
    logger: Logger,
    timer: StartupTimer,
    while_serving: contextlib.ExitStack,
) -> tuple[Scheduler, Synthesizer, EmotionClient | None]:
    """Loads the engines, warms them up, and returns the parts that speak with them."""
    emit: Emit = telemetry.emit
    front_end = build.build_front_end(settings)
    loading = Loading(settings, logger, emit, lambda voice: front_end.check(voice.phonemes))
    loaded = await _load(loading, timer)
    timer.end("load_voices", emit)
    engines = [one.engine for one in loaded]
    front_end.prepare(build.loaded_voices(engines, settings)[0].phonemes)  # of other languages later: it takes seconds
    while_serving.enter_context(gpu_telemetry(engines[0].device, telemetry.registry, logger))
    emotions = build.build_emotion_client(settings, telemetry)
    scheduler = build.build_scheduler(engines, emit, settings)
    build.export_engines(loaded, scheduler, telemetry, settings)
    await scheduler.start()
    voices = [voice for engine in engines for voice in engine.voices]
    recorded = await asyncio.to_thread(recorded_voices, settings.voices_dir, voices, loading.skip, logger)
    timer.end("warm_up", emit)
    build.report_build(loaded, telemetry, settings, logger)
    synthesizer = build.build_synthesizer(
        scheduler, engines, front_end, emit, settings, emotions=emotions, recorded=recorded
    )
    return scheduler, synthesizer, emotions


async def _load(loading: Loading, timer: StartupTimer) -> list[LoadedEngine]:
    """Imports the engines and loads their voices, on a thread that ends: see engines/vits/loader.py."""

    def load() -> list[LoadedEngine]:
        # torch takes longer to import than everything else: the server answers probes and scrapes meanwhile.
        from phonoscope.server.engines.registry import load_engines  # noqa: PLC0415

        timer.end("import_engines", loading.emit)
        return load_engines(loading)

    with ThreadPoolExecutor(1, "loading") as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, load)


def _log_ready(logger: Logger, timer: StartupTimer, voices: Sequence[str]) -> None:
    phases = {phase: round(seconds, 3) for phase, seconds in timer.phases.items()}
    logger.info("ready", seconds=round(timer.total_seconds(), 3), phases=phases, voices=voices)


async def _drain(settings: ServerSettings, rpc: build.Rpc, scheduler: Scheduler) -> None:
    """Reports not ready, waits for callers to go elsewhere, refuses new requests and finishes accepted ones."""
    await set_ready(rpc.health, build.SERVICES, is_serving=False)
    await asyncio.sleep(settings.drain_seconds)
    await rpc.health.end_watches()
    stopping = asyncio.create_task(rpc.server.stop(settings.stop_seconds))
    await scheduler.drain(settings.stop_seconds)
    await stopping


if __name__ == "__main__":
    sys.exit(main())
