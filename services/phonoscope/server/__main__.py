"""The server's life: settings, startup, serving, drain. `build.py` builds the parts.

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
from typing import Final

import structlog

from phonoscope import __version__
from phonoscope.common.errors import StartupError
from phonoscope.common.grpc_server import bind
from phonoscope.common.health import LIVENESS
from phonoscope.common.logs import configure_logs
from phonoscope.common.loop_lag import LoopLag
from phonoscope.common.metrics_endpoint import serving_metrics
from phonoscope.server import build
from phonoscope.server.engines.loading import LoadedEngine, Loading
from phonoscope.server.engines.registry import load_engines
from phonoscope.server.events import Emit, LoopLagged
from phonoscope.server.rpc.readiness import report_lost_engine, set_ready
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.telemetry.gpu import gpu_telemetry
from phonoscope.server.telemetry.pipeline import Telemetry, build_telemetry

# Maximum time to export the last spans.
FLUSH_SECONDS: Final = 3.0
Logger = structlog.typing.FilteringBoundLogger


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until SIGTERM or SIGINT; returns the exit status."""
    try:
        settings = ServerSettings.from_arguments(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(run(settings))
    except StartupError as error:
        line = " ".join(str(error).split())
        print(f"phonoscope serve: {line}", file=sys.stderr)  # noqa: T201  the one line that a user reads
        return 1
    return 0


async def run(settings: ServerSettings) -> None:
    """Builds everything, serves until a signal arrives, then drains.

    Raises:
        StartupError: the server cannot start.
    """
    began = time.monotonic()
    sys.setswitchinterval(build.SWITCH_SECONDS)
    logger = configure_logs(settings.log_format, settings.log_level)
    _on_signals(lambda number: _leave(number, logger))
    telemetry = build_telemetry(settings, logger, build.served_methods())
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
            scheduler, synthesizer = await _start_engines(settings, telemetry, logger, while_serving)
            stop = asyncio.Event()
            _on_signals(lambda _number: stop.set())
            rpc.speech.begin(synthesizer)
            await set_ready(rpc.health, build.SERVICES, is_serving=True)
            watching = asyncio.create_task(report_lost_engine(rpc.health, build.SERVICES, scheduler))
            voices = [voice.id for voice in synthesizer.voices]
            logger.info("ready", seconds=round(time.monotonic() - began, 3), voices=voices)

            await stop.wait()

            watching.cancel()
            logger.info("draining", drain_seconds=settings.drain_seconds, stop_seconds=settings.stop_seconds)
            await _drain(settings, rpc, scheduler)
            synthesizer.close()
            logger.info("stopped")
    finally:
        await rpc.server.stop(None)
        await asyncio.to_thread(telemetry.tracing.shutdown, FLUSH_SECONDS)


async def _start_engines(
    settings: ServerSettings, telemetry: Telemetry, logger: Logger, while_serving: contextlib.ExitStack
) -> tuple[Scheduler, Synthesizer]:
    """Loads the engines, warms them up, and returns the parts that speak with them."""
    emit: Emit = telemetry.emit
    loaded = await _load(settings, logger, emit)
    engines = [one.engine for one in loaded]
    front_end = build.build_front_end(build.loaded_voices(engines, settings))
    while_serving.enter_context(gpu_telemetry(engines[0].device, telemetry.registry, logger))
    scheduler = build.build_scheduler(engines, emit, settings)
    build.export_engines(loaded, scheduler, telemetry, settings)
    await scheduler.start()
    build.report_build(loaded, telemetry, settings, logger)
    return scheduler, build.build_synthesizer(scheduler, engines, front_end, emit, settings)


async def _load(settings: ServerSettings, logger: Logger, emit: Emit) -> list[LoadedEngine]:
    with ThreadPoolExecutor(1, "loading") as loading:  # a thread that ends: see engines/vits/loader.py
        return await asyncio.get_running_loop().run_in_executor(loading, load_engines, Loading(settings, logger, emit))


async def _drain(settings: ServerSettings, rpc: build.Rpc, scheduler: Scheduler) -> None:
    """Reports not ready, waits for callers to go elsewhere, refuses new requests and finishes accepted ones."""
    await set_ready(rpc.health, build.SERVICES, is_serving=False)
    await asyncio.sleep(settings.drain_seconds)
    await rpc.health.end_watches()
    stopping = asyncio.create_task(rpc.server.stop(settings.stop_seconds))
    await scheduler.drain(settings.stop_seconds)
    await stopping


def _on_signals(act: Callable[[int], None]) -> None:
    """Makes SIGTERM and SIGINT call `act` with their number from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, act, number)


def _leave(number: int, logger: Logger) -> None:
    """Ends a process that is not ready yet, immediately and with the exit status that shells expect.

    No request was accepted, and the thread that loads voices, or downloads them for minutes, cannot be interrupted;
    the next start resumes a partial download.
    """
    logger.info("stopped_before_ready")
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
