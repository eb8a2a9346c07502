"""The emotion service's life: settings, startup, serving, drain. `build.py` builds the parts.

Run by `phonoscope emotion` and by `python -m phonoscope.emotion`.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from phonoscope import __version__
from phonoscope.common.errors import StartupError
from phonoscope.common.grpc_server import bind
from phonoscope.common.health import LIVENESS, set_ready
from phonoscope.common.logs import configure_logs
from phonoscope.common.loop_lag import LoopLag
from phonoscope.common.metrics_endpoint import serving_metrics
from phonoscope.common.process_age import process_age_seconds
from phonoscope.common.signals import leave, on_signals
from phonoscope.emotion import build
from phonoscope.emotion.events import LoopLagged, StartupPhaseEnded
from phonoscope.emotion.models.base import EmotionModel
from phonoscope.emotion.settings import EmotionSettings
from phonoscope.emotion.telemetry.pipeline import Telemetry, build_telemetry

# Maximum time to export the last spans.
FLUSH_SECONDS: Final = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the service until SIGTERM or SIGINT; returns the exit status."""
    try:
        settings = EmotionSettings.from_arguments(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(run(settings))
    except StartupError as error:
        line = " ".join(str(error).split())
        print(f"phonoscope emotion: {line}", file=sys.stderr)  # noqa: T201  the one line that a user reads
        return 1
    return 0


async def run(settings: EmotionSettings) -> None:
    """Builds everything, serves until a signal arrives, then drains.

    Raises:
        StartupError: the service cannot start.
    """
    logger = configure_logs(settings.log_format, settings.log_level)
    on_signals(lambda number: leave(number, logger))
    telemetry = build_telemetry(settings, logger, build.served_methods())
    telemetry.emit(StartupPhaseEnded("import", process_age_seconds()))
    rpc = build.build_rpc(settings, telemetry)
    try:
        port = bind(rpc.server, settings.host, settings.port)
        with (
            serving_metrics(telemetry.registry, settings.host, settings.metrics_port, logger) as metrics_port,
            LoopLag(lambda seconds: telemetry.emit(LoopLagged(seconds))),
        ):
            await rpc.server.start()
            await rpc.health.set(LIVENESS, is_serving=True)
            logger.info("listening", host=settings.host, port=port, metrics_port=metrics_port, version=__version__)
            analyzer = build.build_analyzer(await _load(settings, telemetry), settings, telemetry)
            stop = asyncio.Event()
            on_signals(lambda _number: stop.set())
            rpc.analysis.begin(analyzer)
            await set_ready(rpc.health, build.SERVICES, is_serving=True)
            logger.info("ready", seconds=round(process_age_seconds(), 3), model=analyzer.model.name)

            await stop.wait()

            logger.info("draining", drain_seconds=settings.drain_seconds, stop_seconds=settings.stop_seconds)
            await _drain(settings, rpc)
            analyzer.close()
            logger.info("stopped")
    finally:
        await rpc.server.stop(None)
        await asyncio.to_thread(telemetry.tracing.shutdown, FLUSH_SECONDS)


async def _load(settings: EmotionSettings, telemetry: Telemetry) -> EmotionModel:
    """Loads the model on a thread: the service answers probes and scrapes meanwhile."""

    def load() -> EmotionModel:
        from phonoscope.emotion.models.loading import load_model  # noqa: PLC0415  torch takes a second to import

        return load_model(settings)

    began = time.monotonic()
    with ThreadPoolExecutor(1, "loading") as thread:
        model = await asyncio.get_running_loop().run_in_executor(thread, load)
    telemetry.emit(StartupPhaseEnded("load_model", time.monotonic() - began))
    return model


async def _drain(settings: EmotionSettings, rpc: build.Rpc) -> None:
    """Reports not ready, waits for callers to go elsewhere, refuses new calls and finishes accepted ones."""
    await set_ready(rpc.health, build.SERVICES, is_serving=False)
    await asyncio.sleep(settings.drain_seconds)
    await rpc.health.end_watches()
    await rpc.server.stop(settings.stop_seconds)


if __name__ == "__main__":
    sys.exit(main())
