"""What a comparison says of what was measured: medians, ratios, verdicts."""

import pytest

from phonoscope.comparison.rounds import IN_FLIGHT, Compared, Figures, Floor
from phonoscope.comparison.table import json_of, lines, table_of
from phonoscope.comparison.ways import GRPC_STREAM, GRPC_UNARY, JSON_KEPT, JSON_NEW

ONE, MANY = IN_FLIGHT


def figures(latency: float, rate: float, cpu: float) -> Figures:
    return Figures(
        latency_ms=[latency, latency + 100, latency],
        first_audio_ms=[latency / 2],
        calls_per_second={ONE: [rate / 2], MANY: [rate]},
        cpu_ms={ONE: [cpu * 2], MANY: [cpu]},
        peak_mebibytes=250.0,
    )


def tone(unary: Figures) -> Compared:
    ways = {
        JSON_NEW: figures(5, 90, 2),
        JSON_KEPT: figures(3, 100, 2),
        GRPC_UNARY: unary,
        GRPC_STREAM: figures(2, 50, 3),
    }
    return Compared("tone", ways, Floor([1.0, 1.0, 9.0], 1.0))


def said(compared: Compared) -> dict[str, tuple[float, str]]:
    return {line.what: (line.ratio, line.verdict) for line in lines(compared)}


def test_transport_is_what_is_above_the_engine():
    told = said(tone(figures(1.6, 500, 0.7)))
    assert told["latency"] == (pytest.approx(1.6 / 3), "")
    assert told["latency less the engine's 1.00"] == (pytest.approx(0.6 / 2), "at most 0.4: met")
    assert told["calls, 8 in flight"] == (5.0, "at least 4: met")
    assert told["calls, 1 in flight"] == (5.0, "")
    assert told["server's CPU a call, 8 in flight"] == (0.35, "at most 0.4: met")


def test_what_is_missed_is_said():
    verdicts = {verdict for _, verdict in said(tone(figures(2.5, 120, 1.9))).values() if verdict}
    assert verdicts == {"at most 0.4: missed", "at least 4: missed"}


def test_a_voice_has_no_floor_and_no_requirement():
    told = said(Compared("voice", tone(figures(2, 100, 2)).ways))
    assert not any(verdict for _, verdict in told.values())
    assert not any("less the engine" in what for what in told)


def test_the_table_has_every_way_and_its_columns_line_up():
    table = table_of([tone(figures(2, 100, 2))])
    rows = [row for row in table.splitlines() if row.startswith("|")]
    assert all(way in rows[0] for way in (JSON_NEW, JSON_KEPT, GRPC_UNARY, GRPC_STREAM))
    assert len({len(row) for row in rows}) == 1
    assert "382 to 197 ms" in table


def test_programs_get_samples_and_medians():
    whole = json_of([tone(figures(2, 100, 2))])["tone"]
    assert whole["ways"][GRPC_UNARY]["latency_ms"] == [2, 102, 2]
    assert whole["figures"][0]["medians"][GRPC_UNARY] == 2
    assert whole["floor"]["cpu_ms"] == 1.0
