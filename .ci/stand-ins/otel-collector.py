"""A stand-in for the OpenTelemetry Collector, for machines that can have no image of it: see docs/compose.md.

Takes the same command line and configuration as the real one: `--config` may come more than once, and is merged as the
real one does: maps merge, everything else is replaced. It receives traces by OTLP over gRPC on the configured address,
writes them as the `file` exporter does (one ExportTraceServiceRequest in OTLP's JSON form a line), and serves
`otelcol_receiver_accepted_spans_total` where the configuration wants its own metrics. It refuses what it does not
know, so that a mistake in the configuration is seen here too. Runs in the image that .ci/base-images makes.
"""

import argparse
import base64
import json
import signal
import threading
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
import yaml
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from prometheus_client import CollectorRegistry, Counter, start_http_server

KNOWN: Final = {
    "receivers": {"otlp"},
    "processors": {"memory_limiter", "batch"},
    "exporters": {"otlp", "file", "debug"},
    "extensions": {"health_check"},
}
BINARY_FIELDS: Final = ("traceId", "spanId", "parentSpanId")


def merged(base: object, other: object) -> Any:  # noqa: ANN401  what YAML holds
    """Returns `other` laid over `base`, as the collector does with its --config files."""
    if not (isinstance(base, dict) and isinstance(other, dict)):
        return other
    return {**base, **{key: merged(base.get(key), value) for key, value in other.items()}}


def check(config: dict[str, Any]) -> None:
    """Refuses unknown components, and pipelines with components that are not configured."""
    service = config["service"]
    for kind, known in KNOWN.items():
        for name in config.get(kind) or {}:
            if name.split("/")[0] not in known:
                raise SystemExit(f"{kind}::{name}: unknown to this stand-in; known: {', '.join(sorted(known))}")
    used = [("extensions", service.get("extensions", []))]
    used += [(kind, names) for pipeline in service["pipelines"].values() for kind, names in pipeline.items()]
    for kind, names in used:
        for name in names:
            if name not in (config.get(kind) or {}):
                raise SystemExit(f"service refers to {kind}::{name}, which is not configured")


def hexadecimal(message: object) -> object:
    """Turns the base64 of protobuf's JSON into the hexadecimal ids of OTLP's."""
    if isinstance(message, dict):
        return {
            key: base64.b64decode(value).hex() if key in BINARY_FIELDS else hexadecimal(value)
            for key, value in message.items()
        }
    return [hexadecimal(item) for item in message] if isinstance(message, list) else message


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans and writes them to the files of the traces pipeline's exporters, a batch a line, at once."""

    def __init__(self, files: list[Path], accepted: Counter) -> None:
        self._files = files
        self._accepted = accepted
        self._lock = threading.Lock()

    def Export(  # noqa: N802  gRPC's name for it
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002  gRPC's signature
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """One batch of spans of one sender."""
        line = json.dumps(hexadecimal(json_format.MessageToDict(request, use_integers_for_enums=True))) + "\n"
        with self._lock:
            for file in self._files:
                with file.open("a") as opened:
                    opened.write(line)
        spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        self._accepted.labels("otlp", "grpc").inc(spans)
        return trace_service_pb2.ExportTraceServiceResponse()


def serve_own_metrics(config: dict[str, Any]) -> Counter:
    """Serves the collector's own metrics where service.telemetry.metrics.readers says; returns the one there is."""
    registry = CollectorRegistry()
    accepted = Counter(
        "otelcol_receiver_accepted_spans", "Spans taken in.", ["receiver", "transport"], registry=registry
    )
    for reader in config["service"].get("telemetry", {}).get("metrics", {}).get("readers", []):
        prometheus = reader["pull"]["exporter"]["prometheus"]
        start_http_server(int(prometheus["port"]), str(prometheus["host"]), registry=registry)
    return accepted


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config", action="append", type=Path, required=True)
    config: dict[str, Any] = {}
    for path in arguments.parse_args().config:
        config = merged(config, yaml.safe_load(path.read_text()))
    check(config)
    exporters = config["service"]["pipelines"]["traces"]["exporters"]
    files = [Path(config["exporters"][name]["path"]) for name in exporters if name.split("/")[0] == "file"]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = grpc.server(futures.ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(files, serve_own_metrics(config)), server)
    endpoint = config["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
    server.add_insecure_port(endpoint)
    server.start()
    print(f"stand-in collector: OTLP over gRPC on {endpoint}, spans to {[str(file) for file in files]}", flush=True)
    stop.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
