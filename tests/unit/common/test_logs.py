"""Log lines on standard error: JSON for machines, a console for people, and no values of variables in either."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from phonoscope.common.logs import configure_logs

CANARY = "the canary that was spoken"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


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


def test_the_console_form_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
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
