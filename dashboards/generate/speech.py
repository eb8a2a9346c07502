"""The row of the overview about speech: first audio, real-time factor, underruns."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.links import BAD_LINES, SLOW_TRACES
from dashboards.generate.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SPEECH,
    About,
    Query,
    graph,
    heatmap,
    quantiles,
)

OUTCOME_COLOURS: Final = {"completed.*": GREEN, "cancelled.*": BLUE, "rejected.*": ORANGE, "failed.*": RED}
FIRST_AUDIO: Final = "tts_time_to_first_audio_seconds"
STREAMS: Final = f'{SPEECH}, delivery="stream"'

SPEECH_ROW: Final = Row(
    "Speech: do listeners hear it in time?",
    (
        heatmap(
            "First audio of streams",
            "s",
            FIRST_AUDIO,
            STREAMS,
            About(
                "From the call to its first audio: what a listener waits. Each cell counts the streams that waited so "
                "long; each dot is one, with its trace.",
                "one dark band well below 0.25 s.",
                "a second band above: one voice, one replica or long sentences; choose a voice above, or open a dot.",
            ),
        ),
        graph(
            "First audio of streams, quantiles",
            "s",
            quantiles(FIRST_AUDIO, STREAMS),
            About(
                "The same as lines: half, 95 and 99 of 100 streams hear something within this time.",
                "p95 below the dashed line at 0.25 s.",
                "see the engine's queue first: waiting is the usual reason. Then the stages.",
                "PhonoscopeFirstAudioSlow",
            ),
            width=12,
            lines=((0.25, RED),),
            links=(SLOW_TRACES,),
        ),
        heatmap(
            "Real-time factor",
            "short",
            "tts_real_time_factor",
            SPEECH,
            About(
                "The engine's time over the audio's, for each completed request, waiting left out.",
                "a dark band far below 1: 0.1 speaks ten seconds in one.",
                "near 1 a stream cannot keep up: the machine is too small or too busy.",
            ),
        ),
        graph(
            "Real-time factor, quantiles",
            "short",
            quantiles("tts_real_time_factor", SPEECH),
            About(
                "The same as lines; above the dashed line at 1 the engine is slower than speech.",
                "p99 well below 1.",
                "look for other work on the machine, for throttling of the GPU, and at batch sizes in Phonoscope / "
                "Engine.",
                "PhonoscopeSlowerThanRealTime",
            ),
            width=12,
            lines=((1, RED),),
        ),
        graph(
            "Audio seconds made each second",
            "short",
            [
                Query(
                    f"sum by (voice_model) (rate(tts_audio_seconds_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "How many voices speak at once, on average.",
                "follows your traffic.",
                "flat while calls grow: the engine is at its limit; see utilisation.",
            ),
            stacked=True,
        ),
        graph(
            "Requests by outcome",
            "reqps",
            [
                Query(
                    f"sum by (outcome) (rate(tts_requests_total{{{SPEECH}}}[$__rate_interval])) > 0",
                    "{{outcome}}",
                )
            ],
            About(
                "Requests for speech that ended, each second.",
                "green; blue is callers who hang up.",
                "orange: callers ask for what is refused, see the reasons below. Red: the engine or the server.",
            ),
            stacked=True,
            bars=True,
            colours=OUTCOME_COLOURS,
            links=(BAD_LINES,),
        ),
        graph(
            "Playback underruns",
            "short",
            [
                Query(
                    f"sum by (voice_model) (increase(tts_playback_underruns_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "How often a player that starts at the first chunk would have run dry.",
                "0.",
                "listeners hear gaps: see inter-chunk time and slack in Phonoscope / Engine.",
                "PhonoscopePlaybackUnderruns",
            ),
            colours={".*": RED},
        ),
    ),
)
