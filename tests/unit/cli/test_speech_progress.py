"""The closing line and the progress bar."""

import io
import sys

import pytest

from phonoscope.cli.speech_progress import SpeechStats, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_closing_line_holds_all_figures():
    stats = SpeechStats(first_audio_seconds=0.0841, wall_seconds=0.5, audio_seconds=4.0)
    assert stats.closing_line("out.wav") == (
        "out.wav: 4.00 s of audio, first audio after 0.084 s, real-time factor 0.125"
    )


def test_the_first_audio_is_timed_once_and_the_last_audio_ends_the_clock():
    stats = SpeechStats()
    stats.add(1.0)
    first = stats.first_audio_seconds
    stats.add(2.0)
    assert 0 < stats.first_audio_seconds == first < stats.wall_seconds
    assert stats.audio_seconds == 3.0


@pytest.mark.parametrize(("stderr", "is_shown"), [(io.StringIO(), True), (Terminal(), False)])
def test_no_bar_without_a_terminal_or_without_need(monkeypatch, stderr, is_shown):
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bar("Hello.", 1.0, is_shown=is_shown) as on_progress:
        on_progress(1.0)
    assert stderr.getvalue() == ""


def test_the_bar_tells_how_much_audio_there_is_and_about_how_much_will_be(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress_bar("a" * 1400, 2.0, is_shown=True) as on_progress:
        on_progress(20.0)
    assert "20.0 s of audio, about 50 s in total" in sys.stderr.getvalue()
