"""The body of `/metrics`: the metric families of a registry, in the format that the scraper accepts.

Called by common/metrics_endpoint.py and the gateway, once per scrape. prometheus_client does the encoding. A page of
2000 samples takes about 15 ms of Python, which would block all other threads; so the GIL is released after every
collector. A collector that raises loses its own families only, and is logged.

A histogram with negative buckets has neither `_sum` nor `_count`: OpenMetrics forbids the one, since it is no counter,
and its strict parsers take the other only beside it. The count is the bucket "+Inf".

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/
"""

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

_OPENMETRICS: Final = "application/openmetrics-text"
_END: Final = b"# EOF\n"  # the last line of the OpenMetrics format
_GZIP_LEVEL: Final = 1  # compresses to a tenth; level 9 compresses to a fourteenth and takes seven times as long
Logger = structlog.typing.FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Page:
    """A response body for a scraper."""

    body: bytes
    content_type: str
    is_gzip: bool


class Exposition:
    """Renders a registry. Logs when a collector begins to fail, and when it has recovered."""

    def __init__(self, registry: CollectorRegistry, logger: Logger) -> None:
        self._registry = registry
        self._logger = logger
        self._failing: set[Collector] = set()

    def page(self, accept: str, accept_encoding: str) -> Page:
        """Returns the metrics of all collectors, in the format and encoding that these headers accept."""
        encode, content_type = _encoder(accept)
        parts = []
        for collector in _collectors(self._registry):
            parts.append(self._part(collector, encode))
            time.sleep(0)  # releases the GIL
        if content_type.startswith(_OPENMETRICS):
            parts.append(_END)
        body, is_gzip = b"".join(parts), gzip_accepted(accept_encoding)
        return Page(gzip.compress(body, _GZIP_LEVEL) if is_gzip else body, content_type, is_gzip)

    def _part(self, collector: Collector, encode: Callable[[Collector], bytes]) -> bytes:
        try:
            part = encode(_Strict(collector)).removesuffix(_END)
        except Exception as error:  # noqa: BLE001  one collector must not fail the others
            self._note_failure(collector, error)
            return b""
        if collector in self._failing:
            self._failing.discard(collector)
            self._logger.info("metrics_collector_recovered", collector=str(collector))
        return part

    def _note_failure(self, collector: Collector, error: Exception) -> None:
        if collector not in self._failing:
            self._failing.add(collector)
            # prometheus_client adds the family, with all its samples, to the error's arguments.
            error.args = tuple(argument for argument in error.args if not isinstance(argument, Metric))
            self._logger.error("metrics_collector_failed", collector=str(collector), exc_info=error)


class _Strict(Collector):
    """The families of a collector, without what OpenMetrics forbids."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterator[Metric]:
        for family in self._collector.collect():
            if family.samples and family.samples[0].labels.get("le", "").startswith("-"):  # buckets are in order
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_count")]
            yield family


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """Returns the encoder for an Accept header, and its content type; text 0.0.4 if the header is not valid."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is not a number
        return choose_encoder("")


def _collectors(registry: CollectorRegistry) -> tuple[Collector, ...]:
    """Returns the collectors one by one: the registry's public method stops at the first that raises."""
    return tuple(registry._collector_to_names)  # noqa: SLF001  private; the tests notice a change
