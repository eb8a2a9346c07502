"""The text of `/metrics`: the families of a registry, in the format that the scraper asks for.

Called by common/metrics_endpoint.py, once a scrape. The formats are prometheus_client's. A page of two thousand
samples takes some 15 ms of Python, during which nothing else in the process could run; so the interpreter's lock is
offered to the others after every collector. A collector that raises costs its own families and a line in the log.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/
"""

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

_OPENMETRICS: Final = "application/openmetrics-text"
_END: Final = b"# EOF\n"  # of a page in the OpenMetrics format
_GZIP_LEVEL: Final = 1  # a tenth of the text remains; level 9 takes seven times as long for a fourteenth
Logger = structlog.typing.FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Page:
    """A body for a scraper."""

    body: bytes
    content_type: str
    is_gzip: bool


class Exposition:
    """Renders a registry. A failing collector is told in the log when it begins to fail and when it has recovered."""

    def __init__(self, registry: CollectorRegistry, logger: Logger) -> None:
        self._registry = registry
        self._logger = logger
        self._failing: set[Collector] = set()

    def page(self, accept: str, accept_encoding: str) -> Page:
        """Returns all that the collectors give, in the format and encoding that these headers ask for."""
        encode, content_type = _encoder(accept)
        parts = []
        for collector in _collectors(self._registry):
            parts.append(self._part(collector, encode))
            time.sleep(0)  # lets a thread that waits for the interpreter have it
        if content_type.startswith(_OPENMETRICS):
            parts.append(_END)
        body, is_gzip = b"".join(parts), gzip_accepted(accept_encoding)
        return Page(gzip.compress(body, _GZIP_LEVEL) if is_gzip else body, content_type, is_gzip)

    def _part(self, collector: Collector, encode: Callable[[Collector], bytes]) -> bytes:
        try:
            part = encode(collector).removesuffix(_END)
        except Exception as error:  # noqa: BLE001  whatever one collector does, the others are still wanted
            self._note_failure(collector, error)
            return b""
        if collector in self._failing:
            self._failing.discard(collector)
            self._logger.info("metrics_collector_recovered", collector=str(collector))
        return part

    def _note_failure(self, collector: Collector, error: Exception) -> None:
        if collector not in self._failing:
            self._failing.add(collector)
            # prometheus_client adds the family, with all its samples, to what the error says.
            error.args = tuple(argument for argument in error.args if not isinstance(argument, Metric))
            self._logger.error("metrics_collector_failed", collector=str(collector), exc_info=error)


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """Returns what encodes in the format that is asked for, and its content type; text 0.0.4 where Accept is odd."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        return choose_encoder("")


def _collectors(registry: CollectorRegistry) -> tuple[Collector, ...]:
    """Returns the collectors one by one: what the registry tells in public ends at the first that raises."""
    return tuple(registry._collector_to_names)  # noqa: SLF001  private, so the tests would notice a change
