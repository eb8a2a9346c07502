"""Failures as a user sees them; the commands' own tests show the rest."""

import threading

import pytest
import typer

from phonoscope.cli.error_reporting import report_errors


def test_ctrl_c_within_a_lock_is_still_ctrl_c():
    """As threading.Condition does when an interrupt comes between its release and its return."""

    def wait() -> None:
        condition = threading.Condition()
        with report_errors(), condition:
            condition.release()
            raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        wait()
    assert ended.value.exit_code == 130


def test_any_other_runtime_error_is_a_defect():
    with pytest.raises(RuntimeError, match="a defect"), report_errors():
        raise RuntimeError("a defect")
