"""The text of /metrics: its formats, and what becomes of collectors that raise."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from phonoscope.common.exposition import Exposition

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TEXT = "text/plain;version=0.0.4"
TEXT_1 = "text/plain;version=1.0.0"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
# What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


class Fragile(Collector):
    """A collector that raises, or returns values that cannot be formatted, on demand."""

    def __init__(self, error: Exception | None = None, value: object = 1.0) -> None:
        self.error = error
        self.value = value

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("fragile_before", "Half of what it has.", value=1.0)
        if self.error:
            raise self.error
        yield GaugeMetricFamily("fragile_after", "The other half.", value=1.0)
        family = GaugeMetricFamily("fragile_value", "What cannot be written when it is no number.", labels=["secret"])
        family.add_metric(["sample-of-the-family"], self.value)  # type: ignore[arg-type]
        yield family

    def __str__(self) -> str:
        return "the fragile one"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    monkeypatch.setattr("prometheus_client.metrics._use_created", False)  # as the server does, for the process
    registry = CollectorRegistry()
    Counter("calls", "Calls.", ["code"], registry=registry).labels("OK").inc(3)
    seconds = Histogram("call_seconds", "How long.", buckets=[0.1, 1.0], registry=registry)
    seconds.observe(0.05, {"trace_id": TRACE_ID})
    return registry


class Scraped:
    """An exposition of a registry, and what it wrote to the log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.logger = structlog.testing.CapturingLogger()
        self.exposition = Exposition(registry, self.logger)

    def text(self, accept: str = TEXT) -> str:
        return self.exposition.page(accept, "").body.decode()

    def names(self) -> set[str]:
        return {family.name for family in parse_text(self.text())}

    def log(self) -> list[tuple[str, dict[str, Any]]]:
        return [(call.args[0], call.kwargs) for call in self.logger.calls]


@pytest.fixture
def scraped(registry: CollectorRegistry) -> Scraped:
    return Scraped(registry)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        (TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        (TEXT_1, "text/plain; version=1.0.0; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(scraped: Scraped, accept: str, content_type: str) -> None:
    page = scraped.exposition.page(accept, "")
    assert page.content_type.startswith(content_type)
    assert page.body.endswith(b"# EOF\n") == content_type.startswith("application/openmetrics-text")


@pytest.mark.parametrize("version", ["new", "1.0.0-beta", "", "1.x"])
@pytest.mark.parametrize("kind", ["text/plain", "application/openmetrics-text"])
def test_an_accept_header_that_makes_no_sense_gets_a_page(scraped: Scraped, kind: str, version: str) -> None:
    assert b"calls_total" in scraped.exposition.page(f"{kind};version={version}", "").body


@pytest.mark.parametrize(("accept", "parse"), [(TEXT, parse_text), (OPENMETRICS, parse_openmetrics)])
def test_a_page_says_what_the_registry_has(
    registry: CollectorRegistry, scraped: Scraped, accept: str, parse: Any
) -> None:
    expected = [
        sample[:3] for family in registry.collect() for sample in family.samples if "_created" not in sample.name
    ]
    samples = [sample[:3] for family in parse(scraped.text(accept)) for sample in family.samples]
    assert [sample for sample in samples if "_created" not in sample[0]] == expected


@pytest.mark.parametrize(("accept", "parse"), [(TEXT, parse_text), (OPENMETRICS, parse_openmetrics)])
def test_a_histogram_with_negative_buckets_has_neither_sum_nor_count(
    registry: CollectorRegistry, accept: str, parse: Any
) -> None:
    Histogram("slack_seconds", "How early.", ["voice"], buckets=[-1, 0, 1], registry=registry).labels("a").observe(0.5)
    families = {family.name: family for family in parse(Scraped(registry).text(accept))}
    samples = {(sample.name, sample.labels.get("le")): sample.value for sample in families["slack_seconds"].samples}
    buckets = {"-1.0": 0.0, "0.0": 0.0, "1.0": 1.0, "+Inf": 1.0}
    assert samples == {("slack_seconds_bucket", le): value for le, value in buckets.items()}


def test_exemplars_come_in_openmetrics_only(scraped: Scraped) -> None:
    assert f'# {{trace_id="{TRACE_ID}"}} 0.05' in scraped.text(OPENMETRICS)
    assert TRACE_ID not in scraped.text(TEXT)
    assert TRACE_ID not in scraped.text(TEXT_1)


@pytest.mark.parametrize(("accept_encoding", "is_gzip"), [("gzip", True), ("br, gzip;q=0.5", True), ("", False)])
def test_a_page_is_compressed_when_asked(scraped: Scraped, accept_encoding: str, *, is_gzip: bool) -> None:
    page = scraped.exposition.page(TEXT, accept_encoding)
    assert page.is_gzip is is_gzip
    assert (gzip.decompress(page.body) if is_gzip else page.body).decode() == scraped.text()


@pytest.mark.parametrize(
    ("error", "value", "kind"), [(OSError("no such file"), 1.0, OSError), (None, "no number", ValueError)]
)
def test_a_collector_that_raises_costs_its_own_families_and_one_line(
    registry: CollectorRegistry, error: Exception | None, value: object, kind: type[Exception]
) -> None:
    fragile = Fragile(error, value)
    registry.register(fragile)
    Gauge("last", "After the fragile one.", registry=registry)
    scraped = Scraped(registry)
    for accept in (TEXT, OPENMETRICS, TEXT):
        scraped.text(accept)
    assert scraped.names() == {"calls", "call_seconds", "last"}
    ((event, fields),) = scraped.log()
    assert (event, fields["collector"]) == ("metrics_collector_failed", "the fragile one")
    assert isinstance(fields["exc_info"], kind)
    assert "sample-of-the-family" not in str(fields["exc_info"])


def test_a_collector_that_recovers_is_back_with_one_line(registry: CollectorRegistry) -> None:
    fragile = Fragile(OSError("no such file"))
    registry.register(fragile)
    scraped = Scraped(registry)
    scraped.text()
    fragile.error = None
    for _ in range(2):
        assert {"fragile_before", "fragile_after", "fragile_value"} <= scraped.names()
    assert scraped.log()[1:] == [("metrics_collector_recovered", {"collector": "the fragile one"})]
    fragile.error = OSError("gone again")
    scraped.text()
    assert [event for event, _ in scraped.log()[2:]] == ["metrics_collector_failed"]


def test_the_interpreter_is_offered_to_others_after_every_collector(
    registry: CollectorRegistry, scraped: Scraped, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[float] = []
    monkeypatch.setattr("phonoscope.common.exposition.time.sleep", offers.append)
    scraped.text()
    assert offers == [0, 0]


def test_an_empty_registry_is_an_empty_page() -> None:
    scraped = Scraped(CollectorRegistry())
    assert scraped.text() == ""
    assert scraped.text(OPENMETRICS) == "# EOF\n"
