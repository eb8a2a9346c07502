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
    "Speech: is it fast enough?",
    (
        heatmap(
            "First audio of streams",
            "s",
            FIRST_AUDIO,
            STREAMS,
            About(
                "Time from the call to its first audio. Each cell counts the streams in that range of "
                "time; each dot is one stream, with its trace.",
                "one dark band well below 0.25 s.",
                "a second band above: one voice, one replica or long sentences; select a voice above, or open a dot.",
            ),
        ),
        graph(
            "First audio of streams, quantiles",
            "s",
            quantiles(FIRST_AUDIO, STREAMS),
            About(
                "The same as quantiles: p50, p95 and p99.",
                "p95 below the dashed line at 0.25 s.",
                "check the engine's queue first: waiting is the usual cause. Then check the stages.",
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
                "Engine time divided by audio time of completed requests, without waiting.",
                "a dark band far below 1; at 0.1, ten seconds of audio take one second.",
                "near 1, streams cannot keep up: the machine is too slow or too busy.",
            ),
        ),
        graph(
            "Real-time factor, quantiles",
            "short",
            quantiles("tts_real_time_factor", SPEECH),
            About(
                "The same as quantiles; above the dashed line at 1 the engine is slower than real time.",
                "p99 well below 1.",
                "check for other work on the machine, for throttling of the GPU, and batch sizes in Phonoscope / "
                "Engine.",
                "PhonoscopeSlowerThanRealTime",
            ),
            width=12,
            lines=((1, RED),),
        ),
        graph(
            "Audio seconds rendered per second",
            "short",
            [
                Query(
                    f"sum by (voice_model) (rate(tts_audio_seconds_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "Average number of utterances spoken at the same time.",
                "follows your traffic.",
                "constant while calls increase: the engine is saturated; see utilisation.",
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
                "Speech requests that ended, per second.",
                "green; blue is cancelled by clients.",
                "orange: rejected requests, see the reasons below. Red: the engine or the server failed.",
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
                "Underruns of a player that starts at the first chunk.",
                "0.",
                "listeners hear gaps: see inter-chunk time and slack in Phonoscope / Engine.",
                "PhonoscopePlaybackUnderruns",
            ),
            colours={".*": RED},
        ),
    ),
)
