"""Structured logs on standard error: a constant event name and fields, as JSON or for a console.

Called once, by the services' `__main__`. Never log the text that is spoken; so tracebacks come without the values of
variables, which hold it.
"""

import logging
import sys
from typing import Literal

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(
    log_format: Literal["auto", "json", "console"], level: str
) -> structlog.typing.FilteringBoundLogger:
    """Sets up logging for the process and returns its logger."""
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer = [_console_renderer()] if is_console else _json_renderers()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _json_renderers() -> list[structlog.typing.Processor]:
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]


def _console_renderer() -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
