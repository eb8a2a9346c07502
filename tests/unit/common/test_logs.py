"""Log lines on standard error: JSON for machines, a console for people, and no values of variables in either."""

import asyncio
import contextvars
import gc
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import structlog
from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context

from phonoscope.common.logs import LibraryLines, configure_logs

CANARY = "the canary that was spoken"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def fail_while_holding(text: str) -> Exception:
    def speak(words: str) -> None:
        request = {"text": words}
        raise ValueError(f"failed on {len(request)} requests")

    try:
        speak(text)
    except ValueError as error:
        return error
    raise AssertionError


def test_json_lines_have_event_level_time_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info").info("voice_loaded", voice="joe", seconds=1.5)
    told = capsys.readouterr()
    assert told.out == ""
    line = json.loads(told.err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "voice_loaded", "level": "info", "voice": "joe", "seconds": 1.5}


def test_a_traceback_is_part_of_its_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info").error("call_failed", exc_info=fail_while_holding(CANARY))
    (line,) = capsys.readouterr().err.splitlines()
    (exception,) = json.loads(line)["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "failed on 1 requests")
    assert [frame["name"] for frame in exception["frames"]] == ["fail_while_holding", "speak"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_does_not_hold_what_variables_hold(
    form: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(form, "info").error("call_failed", exc_info=fail_while_holding(CANARY))
    told = capsys.readouterr().err
    assert "failed on 1 requests" in told
    assert CANARY not in told


def test_the_console_format_is_not_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("console", "info").info("voice_loaded", voice="joe")
    told = capsys.readouterr().err
    assert "voice_loaded" in told
    assert not told.startswith("{")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_auto_is_console_on_a_terminal_and_json_elsewhere(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    configure_logs("auto", "info").info("voice_loaded")
    assert capsys.readouterr().err.startswith("{") is not is_terminal


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_not_written(
    level: str, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logger = configure_logs("json", level)
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("told")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == written


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_what_a_library_logs_is_a_line_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    logging.getLogger("grpc._cython.cygrpc").warning("%s of %s", "two", "three")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "library_logged",
        "level": "warning",
        "logger": "grpc._cython.cygrpc",
        "message": "two of three",
    }


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["warning", "error"]),
        ("info", ["warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_libraries_are_heard_at_warning_and_above(
    level: str, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("json", level)
    for name in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("asyncio"), name)("told")
    assert [line["level"] for line in lines(capsys)] == written


def test_a_librarys_traceback_is_part_of_its_line_without_what_variables_hold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("json", "info")
    logging.getLogger("grpc").error("failed", exc_info=fail_while_holding(CANARY))
    told = capsys.readouterr().err
    (line,) = told.splitlines()
    (exception,) = json.loads(line)["exception"]
    assert exception["exc_value"] == "failed on 1 requests"
    assert CANARY not in told


def test_a_task_that_failed_unseen_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")

    async def leave_a_task() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    async def fail() -> None:
        raise fail_while_holding(CANARY)

    asyncio.run(leave_a_task())
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("library_logged", "error", "asyncio")
    assert line["message"].startswith("Task exception was never retrieved")
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert CANARY not in json.dumps(line)


def test_a_warning_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)  # what pytest has put in place is put back at the end of this block
        configure_logs("json", "info")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines(capsys)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "DeprecationWarning: old ways" in line["message"]


def test_the_console_form_has_what_libraries_log_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("console", "info")
    logging.getLogger("grpc").warning("told")
    told = capsys.readouterr().err
    assert "library_logged" in told
    assert "told" in told
    assert not told.startswith("{")


def test_a_second_call_takes_the_place_of_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("console", "info")
    configure_logs("json", "info")
    logging.getLogger("grpc").warning("told")
    assert [line["message"] for line in lines(capsys)] == ["told"]
    assert len([handler for handler in logging.getLogger().handlers if isinstance(handler, LibraryLines)]) == 1


def ours() -> None:
    structlog.get_logger().info("told")


def theirs() -> None:
    logging.getLogger("grpc").warning("told")


@pytest.mark.parametrize("write", [ours, theirs])
def test_a_line_that_is_written_in_a_call_has_its_ids(
    write: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("json", "info")
    span = TracerProvider(shutdown_on_exit=False).get_tracer("any").start_span("any", Context())

    def call() -> None:
        attach(set_span_in_context(span))
        structlog.contextvars.bind_contextvars(request_id="id-1")
        write()

    contextvars.copy_context().run(call)
    write()
    within, without = lines(capsys)
    context = span.get_span_context()
    assert within["request_id"] == "id-1"
    assert (within["trace_id"], within["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert not {"request_id", "trace_id", "span_id"} & set(without)
