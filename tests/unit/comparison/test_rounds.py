"""A comparison from end to end, on the tone engine: every way is called, every figure is there."""

import pytest

from phonoscope.comparison import rounds
from phonoscope.comparison.rounds import IN_FLIGHT, compare
from phonoscope.comparison.table import table_of
from phonoscope.comparison.ways import GRPC_STREAM, GRPC_UNARY, JSON_KEPT, JSON_NEW


@pytest.mark.slow
def test_every_way_is_measured_in_turns(monkeypatch):
    monkeypatch.setattr(rounds, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(rounds, "FLOOR_CALLS", 3)
    told: list[str] = []
    [compared] = compare({"tone": 1}, 2, told.append, calls=3)
    assert told == ["tone: starting the servers", "tone: round 1 of 2", "tone: round 2 of 2"]
    assert list(compared.ways) == [JSON_NEW, JSON_KEPT, GRPC_UNARY, GRPC_STREAM]
    for figures in compared.ways.values():
        assert len(figures.latency_ms) == len(figures.first_audio_ms) == 6
        assert all(0 < first <= whole for first, whole in zip(figures.first_audio_ms, figures.latency_ms, strict=True))
        assert all(len(figures.calls_per_second[count]) == 2 for count in IN_FLIGHT)
        assert figures.peak_mebibytes > 10
    assert len(compared.floor.latency_ms) == 3
    assert "gRPC stream" in table_of([compared])
