"""A tone engine's server for the benchmark of telemetry: `python -m benchmarks.tone_server none|all …`.

With `none` it has no interceptor and no sink; with `all` it has those of the real server, built by the same functions,
and exports spans to the endpoint that is the next argument: of all calls, or of the share that comes after it. Prints
its ports, gRPC's and that of the metrics (0 for none), and serves until its standard input closes.
"""

import asyncio
import contextlib
import sys

from grpc.aio import ServerInterceptor

from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.logs import configure_logs
from phonoscope.common.loop_lag import LoopLag
from phonoscope.common.metrics_endpoint import serving_metrics
from phonoscope.comparison.bare import build_tones, nobody
from phonoscope.protos.tts.v1 import tts_pb2_grpc
from phonoscope.server.build import SWITCH_SECONDS, served_methods
from phonoscope.server.engines.tone import ToneEngine
from phonoscope.server.events import Emit, LoopLagged
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.rpc.servicer import TextToSpeechServicer
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.pipeline import build_telemetry


async def main(telemetry: str, endpoint: str = "", sample_ratio: str = "1") -> None:
    """Serves until standard input closes."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with contextlib.ExitStack() as stack:
        interceptors: list[ServerInterceptor] = []  # type: ignore[type-arg]  # generic in the stubs only
        emit: Emit = nobody
        metrics_port = 0
        if telemetry == "all":
            settings = ServerSettings(otlp_endpoint=endpoint, trace_sample_ratio=float(sample_ratio))
            logger = configure_logs("json", "info")
            watching = build_telemetry(settings, logger, served_methods())
            watching.metrics.make_voice_series({"tone": ToneEngine.step_kinds})
            interceptors = [CallObserver(watching.observe), ErrorMapper(watching.log.unexpected)]
            emit = watching.emit
            metrics_port = stack.enter_context(serving_metrics(watching.registry, "127.0.0.1", 0, logger))
            stack.enter_context(LoopLag(lambda seconds: emit(LoopLagged(seconds))))
            stack.callback(watching.tracing.shutdown, 1.0)
        await _serve(interceptors, emit, metrics_port)


async def _serve(interceptors: list[ServerInterceptor], emit: Emit, metrics_port: int) -> None:  # type: ignore[type-arg]
    scheduler, synthesizer = build_tones(emit)
    speech = Speech()
    server = build_server(interceptors)
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(speech), server)
    port = bind(server, "127.0.0.1", 0)
    await scheduler.start()
    speech.begin(synthesizer)
    await server.start()
    print(port, metrics_port, flush=True)  # noqa: T201  for the benchmark
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)
    await scheduler.drain(0)
    synthesizer.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
