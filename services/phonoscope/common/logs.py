"""Structured logs on standard error: a constant event name and fields, as JSON or for a console.

Called once, by the services' `__main__`. Logs of libraries (grpc, asyncio, OpenTelemetry) and their warnings have the
same format, from level warning, so that one program can parse every line. Lines that are logged in a call have its
trace id and span id. Text for synthesis is never logged; so tracebacks have no values of variables, which contain it.

There is no OTLP handler: on the root logger it would export logs of its own failures.
"""

import logging
import sys
from typing import Final, Literal

import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # unknown to the stubs of grpc

from phonoscope.common.tracing import add_trace_ids

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LIBRARY_EVENT: Final = "library_logged"


class LibraryLines(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """The handler that formats logs of libraries as ours."""


def configure_logs(
    log_format: Literal["auto", "json", "console"], level: str
) -> structlog.typing.FilteringBoundLogger:
    """Sets up logging for the process and returns its logger."""
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer = [_console_renderer()] if is_console else _json_renderers()
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace_ids,
    ]
    structlog.configure(
        processors=[*common, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        # Writes a line with its line break at once, so that lines of several threads do not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _configure_library_logs(common, renderer, level)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _configure_library_logs(
    common: list[structlog.typing.Processor], renderer: list[structlog.typing.Processor], level: str
) -> None:
    """Replaces the root logger's LibraryLines handler by one with our format."""
    lines = LibraryLines(sys.stderr)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common, _name_event],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    lines.addFilter(_is_unexpected)
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, LibraryLines)]
    root.addHandler(lines)
    root.setLevel(max(logging.WARNING, LEVELS[level]))
    logging.captureWarnings(capture=True)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Drops gRPC's traceback of a write that failed because the call had ended."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, cygrpc.ExecuteBatchError)


def _name_event(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Gives a library's line a constant event name, and moves its text to a field."""
    line["message"] = line["event"]
    line["event"] = LIBRARY_EVENT
    return line


def _json_renderers() -> list[structlog.typing.Processor]:
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]


def _console_renderer() -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
