"""docs/metrics.md tells of every metric that the registry has, and of no other."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from phonoscope.common.interceptors import Method
from phonoscope.server.events import HealthChanged, VoiceLoaded
from phonoscope.server.metrics import MetricsSink

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*)\|(?P<tells>[^|]+)\|(?P<good>[^|]+)\|")
SUFFIX = {"counter": "_total", "info": "_info"}

Metric = tuple[str, str, frozenset[str]]


def of_page() -> list[Metric]:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    found = [ROW.fullmatch(line) for line in rows]
    assert all(found), "a row has no five cells"
    return [(row["name"], row["type"], frozenset(re.findall(r"`(\w+)`", row["labels"]))) for row in found if row]


def of_registry() -> set[Metric]:
    registry = CollectorRegistry()
    sink = MetricsSink(registry, [Method("a.B", "C", "unary")])
    sink.make_voice_series(["joe"])
    sink.build(version="1", torch="2", cuda="", device="cpu")
    sink(VoiceLoaded("joe", "cpu", 1.0))
    sink(HealthChanged("", is_serving=True))
    return {
        (
            family.name + SUFFIX.get(family.type, ""),
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in registry.collect()
    }


def test_the_page_and_the_registry_name_the_same_metrics() -> None:
    assert set(of_page()) == of_registry()
    assert len(of_page()) == len(of_registry()), "a metric has two rows"
