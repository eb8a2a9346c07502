"""Recordings are counted by the outcome of their check, and what engines keep of them is shown."""

import pytest
from prometheus_client import CollectorRegistry

from phonoscope.server.events import ACCEPTED, ConditioningKept, RecordingChecked, RecordingUsed
from phonoscope.server.telemetry.recording_metrics import RecordingMetrics


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def sink(registry):
    return RecordingMetrics(registry, lambda: "")


def test_outcomes_exist_before_the_first_recording(sink, registry):
    for outcome in (ACCEPTED, "REFERENCE_TOO_SHORT"):
        assert registry.get_sample_value("tts_reference_checks_total", {"outcome": outcome}) == 0


def test_checks_are_counted_with_their_time(sink, registry):
    sink(RecordingChecked(1, ACCEPTED, 0.2, audio_seconds=4.0))
    sink(RecordingChecked(2, "REFERENCE_TOO_SHORT", 0.1, audio_seconds=0.0))
    for outcome in (ACCEPTED, "REFERENCE_TOO_SHORT"):
        assert registry.get_sample_value("tts_reference_checks_total", {"outcome": outcome}) == 1
    assert registry.get_sample_value("tts_reference_check_seconds_sum") == pytest.approx(0.3)


def test_sentences_are_counted_by_whether_their_recording_was_kept(sink, registry):
    sink(ConditioningKept("indextts", 0, 0))
    results = {"engine": "indextts", "result": "hit"}, {"engine": "indextts", "result": "miss"}
    assert [registry.get_sample_value("tts_conditioning_lookups_total", one) for one in results] == [0, 0]
    sink(RecordingUsed("indextts", is_known=True))
    sink(RecordingUsed("indextts", is_known=False))
    sink(RecordingUsed("indextts", is_known=False))
    assert [registry.get_sample_value("tts_conditioning_lookups_total", one) for one in results] == [1, 2]


def test_what_an_engine_keeps_is_its_latest_state(sink, registry):
    sink(ConditioningKept("indextts", 3, 17))
    sink(ConditioningKept("indextts", 2, 11))
    assert registry.get_sample_value("tts_conditioning_recordings", {"engine": "indextts"}) == 2
    assert registry.get_sample_value("tts_conditioning_bytes", {"engine": "indextts"}) == 11
