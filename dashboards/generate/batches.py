"""Rows of the engine's dashboard about batches, and about the streams that they feed."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SPEECH,
    YELLOW,
    About,
    Query,
    graph,
    heatmap,
    means,
    quantile_by,
    quantiles,
)

STAGE_COLOURS: Final = {
    "split": GREY,
    "phonemize": PURPLE,
    "queue": RED,
    "prepare": YELLOW,
    "render": BLUE,
    "encode": GREEN,
}
BATCHES: Final = f"sum by (stage) (rate(tts_batch_size_count{{{SPEECH}}}[$__rate_interval]))"
BUSY: Final = f"rate(tts_engine_busy_seconds_total{{{SPEECH}}}[$__rate_interval])"

BATCHES_ROW: Final = Row(
    "Batches",
    (
        graph(
            "Batch size, mean",
            "short",
            means("tts_batch_size", SPEECH, "stage"),
            About(
                "Utterances in a prepare, windows in a render.",
                "1 when idle, growing with load: that is how the engine keeps up.",
                "stays at 1 under load: requests of many voices, or of very different lengths, do not batch.",
            ),
            width=6,
            colours=STAGE_COLOURS,
        ),
        heatmap(
            "Batch size, render",
            "short",
            "tts_batch_size",
            f'{SPEECH}, stage="render"',
            About(
                "How many batches had so many windows.",
                "the dark band rises when load does.",
                "all at the top and the queue still grows: the engine can do no more.",
            ),
            width=6,
        ),
        graph(
            "Padding, mean",
            "percentunit",
            means("tts_batch_padding_ratio", SPEECH, "stage"),
            About(
                "Share of a batch that is padding: work for nothing.",
                "below 30 %.",
                "higher: lengths in a batch differ much. It costs time, never quality.",
            ),
            width=6,
            highest=1,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Batches each second",
            "ops",
            [Query(BATCHES, "{{stage}}")],
            About(
                "Turns of the engine.",
                "some renders for each prepare.",
                "many with little audio made: windows are small, since many streams wait for their first sound.",
            ),
            width=6,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Engine time of a batch, mean",
            "s",
            [Query(f"sum by (stage) ({BUSY}) / ({BATCHES} > 0)", "{{stage}}")],
            About(
                "How long one turn of the engine takes; nobody else is served meanwhile.",
                "well below 0.1 s: a new stream waits for one turn at least.",
                "grows with batch size; by itself, it is the machine.",
            ),
            width=12,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Padding, p90",
            "percentunit",
            quantile_by("tts_batch_padding_ratio", SPEECH, 90, "stage"),
            About(
                "9 of 10 batches have at most so much padding.",
                "below 50 %.",
                "a few odd texts among many alike do this; it matters when the mean is high too.",
            ),
            width=12,
            highest=1,
            colours=STAGE_COLOURS,
        ),
    ),
)

STREAMS: Final = Row(
    "Streams: does playback run dry?",
    (
        heatmap(
            "Slack of chunks",
            "s",
            "tts_playback_slack_seconds",
            SPEECH,
            About(
                "How early a chunk came before a player that started at the first one needed it. Below 0 it ran dry.",
                "everything above 0, more as a stream goes on.",
                "cells below 0 are gaps that listeners hear.",
                "PhonoscopePlaybackUnderruns",
            ),
            width=8,
        ),
        graph(
            "Slack, the worst chunks",
            "s",
            quantiles("tts_playback_slack_seconds", SPEECH, (1, 5, 50)),
            About(
                "1 and 5 of 100 chunks, and half of them, came at most so early.",
                "p1 above the line at 0.",
                "p1 below 0: gaps. See utilisation and the queue at that time.",
                "PhonoscopePlaybackUnderruns",
            ),
            lowest=None,
            lines=((0, RED),),
            colours={"p1": RED, "p5": ORANGE, "p50": BLUE},
        ),
        graph(
            "Time between chunks",
            "s",
            quantiles("tts_inter_chunk_seconds", SPEECH),
            About(
                "From one chunk of a stream to the next; time in which the reader would take none is left out.",
                "steady; chunks grow as a stream goes on, and so does the time between them.",
                "long and slack is low: the engine is late. Long and slack is high: no harm is done.",
            ),
        ),
    ),
)
