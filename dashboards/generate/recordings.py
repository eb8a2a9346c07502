"""The row of the engine's dashboard about recordings that requests bring as voices."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.panels import SERVER, About, Query, graph, quantiles

RECORDINGS: Final = Row(
    "Recordings",
    (
        graph(
            "Recordings of requests",
            "short",
            [
                Query(
                    f"sum by (outcome) (increase(tts_reference_checks_total{{{SERVER}}}[$__rate_interval]))",
                    "{{outcome}}",
                )
            ],
            About(
                "Recordings that requests brought as voices, by the outcome of their check.",
                "accepted; nothing at all where no voice takes recordings.",
                "another outcome: a client records or encodes badly; docs/references.md has each reason.",
            ),
            width=12,
        ),
        graph(
            "Time to check a recording",
            "s",
            quantiles("tts_reference_check_seconds", SERVER),
            About(
                "Time to decode and check a recording. Each dot is a request.",
                "tenths of a second.",
                "seconds: long or large files, or a busy CPU; recordings are checked one after the other.",
            ),
            width=12,
        ),
    ),
)
