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
    "decode": ORANGE,
    "measure": ORANGE,
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
                "1 when idle, increasing with load.",
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
                "Number of batches by number of windows.",
                "the dark band rises with load.",
                "all at the maximum and the queue grows: the engine is saturated.",
            ),
            width=6,
        ),
        graph(
            "Padding, mean",
            "percentunit",
            means("tts_batch_padding_ratio", SPEECH, "stage"),
            About(
                "Share of a batch that is padding, which is wasted work.",
                "below 30 %.",
                "higher: the lengths in a batch differ a lot. This takes time, but does not affect the audio.",
            ),
            width=6,
            highest=1,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Batches per second",
            "ops",
            [Query(BATCHES, "{{stage}}")],
            About(
                "Batches that the engine ran.",
                "several renders per prepare.",
                "many with little audio: windows are small, because many streams wait for first audio.",
            ),
            width=6,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Engine time of a batch, mean",
            "s",
            [Query(f"sum by (stage) ({BUSY}) / ({BATCHES} > 0)", "{{stage}}")],
            About(
                "Duration of a batch; other requests wait meanwhile.",
                "well below 0.1 s: a new stream waits for at least one batch.",
                "it grows with batch size; if it grows alone, the machine is slow.",
            ),
            width=12,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Padding, p90",
            "percentunit",
            quantile_by("tts_batch_padding_ratio", SPEECH, 90, "stage"),
            About(
                "Padding of batches, p90.",
                "below 50 %.",
                "a few texts of unusual length cause this; it matters if the mean is high too.",
            ),
            width=12,
            highest=1,
            colours=STAGE_COLOURS,
        ),
    ),
)

STREAMS: Final = Row(
    "Streams: playback underruns",
    (
        heatmap(
            "Slack of chunks",
            "s",
            "tts_playback_slack_seconds",
            SPEECH,
            About(
                "How early a chunk arrives for a player that started at the first one. Below 0 is an underrun.",
                "all above 0, and increasing during a stream.",
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
                "The same as quantiles: p1, p5 and p50.",
                "p1 above the line at 0.",
                "p1 below 0: gaps. Check utilisation and the queue at that time.",
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
                "Time between two chunks of a stream, without the time in which the client did not read.",
                "steady; the chunks of a stream become longer, and so does the time between them.",
                "long with low slack: the engine is too slow. Long with high slack: no problem.",
            ),
        ),
    ),
)
