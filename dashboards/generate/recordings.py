"""What engines that speak like recordings keep of these: a row of the dashboard of the engine."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.panels import SERVER, About, Query, graph

_LOOKUPS: Final = "rate(tts_conditioning_lookups_total{%s}[$__rate_interval])"
_ALL: Final = _LOOKUPS % SERVER
_MISSES: Final = _LOOKUPS % f'{SERVER}, result="miss"'

RECORDINGS_ROW: Final = Row(
    "Speaking like recordings",
    (
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
