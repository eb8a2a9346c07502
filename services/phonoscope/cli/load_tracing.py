"""Flags of `phonoscope bench` for spans of its calls, and the tracer provider that sends them."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

import phonoscope
from phonoscope.cli.error_reporting import fail

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

SERVICE_NAME: Final = "phonoscope-loadgen"
FLUSH_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingOptions:
    """Where the spans go; nowhere without an endpoint."""

    otlp_endpoint: Annotated[
        str, typer.Option(metavar="URL", help="Export spans there by OTLP over gRPC (needs the tracing extra).")
    ] = ""
    trace_sample_ratio: Annotated[
        float,
        typer.Option(metavar="RATIO", min=0.0, max=1.0, help="Ratio of calls with spans; the server follows it."),
    ] = 1.0

    @property
    def is_on(self) -> bool:
        """Whether calls have spans."""
        return bool(self.otlp_endpoint)

    @contextlib.contextmanager
    def provider(self) -> Iterator["TracerProvider | None"]:
        """Yields the tracer provider, None without an endpoint; exports the remaining spans at the end."""
        if not self.is_on:
            yield None
            return
        try:
            from phonoscope.common.tracing import build_tracing  # noqa: PLC0415 - an extra, and slow to load
        except ImportError as error:
            fail(f"--otlp-endpoint needs OpenTelemetry ({error}): pip install 'phonoscope[tracing]'")
        tracing = build_tracing(
            SERVICE_NAME,
            endpoint=self.otlp_endpoint,
            sample_ratio=self.trace_sample_ratio,
            version=phonoscope.__version__,
            on_export=lambda _result, _spans: None,  # the exporter's log reports lost spans
            logger=StderrLogger(),
        )
        try:
            yield tracing.provider
        finally:
            tracing.shutdown(FLUSH_SECONDS)


class StderrLogger:
    """Log of the span exporter: lines on stderr, among those of the figures."""

    def info(self, event: str, **fields: object) -> None:
        """Writes a line."""
        typer.echo("  ".join([event, *(f"{name}={value}" for name, value in fields.items())]), err=True)

    warning = info
