"""The age of a process is that which the system reports."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from phonoscope.common import process_age
from phonoscope.common.process_age import process_age_seconds

CODE = "from phonoscope.common.process_age import process_age_seconds; print(process_age_seconds())"


def test_a_process_is_no_older_than_since_it_was_started() -> None:
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    tick = 0.02  # the system counts hundredths of a second
    assert 0 < float(ran.stdout) <= time.monotonic() - began + tick


def test_a_process_grows_older() -> None:
    first, second = process_age_seconds(), process_age_seconds()
    assert 0 < first <= second


def test_without_a_proc_file_system_the_age_is_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process_age, "_STAT", tmp_path / "stat")
    assert process_age_seconds() == 0.0
