"""The row of the engine's dashboard about recordings: those that requests bring, and what engines keep of them."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.panels import SERVER, About, Query, graph, quantiles

_LOOKUPS: Final = "rate(tts_conditioning_lookups_total{%s}[$__rate_interval])"
_ALL: Final = _LOOKUPS % SERVER
_MISSES: Final = _LOOKUPS % f'{SERVER}, result="miss"'

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
        graph(
            "Recordings kept",
            "short",
            [Query(f"max by (engine, instance) (tts_conditioning_recordings{{{SERVER}}})", "{{engine}} {{instance}}")],
            About(
                "Recordings whose conditioning an engine keeps on its device.",
                "the recordings in use, up to the engine's limit (8 for IndexTTS).",
                "no data: no loaded engine speaks like recordings.",
            ),
            width=8,
        ),
        graph(
            "Memory of their conditioning",
            "bytes",
            [Query(f"max by (engine, instance) (tts_conditioning_bytes{{{SERVER}}})", "{{engine}} {{instance}}")],
            About(
                "Memory of the conditioning that is kept, on the device.",
                "some megabytes for each recording; constant once as many are kept as the limit allows.",
                "it rises beyond that: report it.",
            ),
            width=8,
        ),
        graph(
            "Sentences whose recording was not kept",
            "percentunit",
            [Query(f"sum by (engine) ({_MISSES}) / sum by (engine) ({_ALL})", "{{engine}}")],
            About(
                "Share of sentences whose recording had to be computed first.",
                "near 0.",
                "near 1: more recordings take turns than are kept, and each sentence waits for its own.",
            ),
            width=8,
        ),
    ),
)
