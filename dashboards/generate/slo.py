"""How much of the error budgets is left, how fast it burns and on what. deploy/prometheus/rules/slo.yml records it."""

from typing import Final

from dashboards.generate.board import Board, Row
from dashboards.generate.links import BAD_LINES, FAILED_TRACES, SLOW_TRACES
from dashboards.generate.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    About,
    Json,
    Query,
    Steps,
    graph,
    stat,
    table,
)

BAD_CODES: Final = "Unknown|DeadlineExceeded|ResourceExhausted|Internal|Unavailable|DataLoss"
"""The codes with which a caller who did nothing wrong got no speech; as in slo.yml."""

BUDGET_STEPS: Final[Steps] = ((None, RED), (0, ORANGE), (0.25, YELLOW), (0.5, GREEN))
WINDOW_COLOURS: Final = {"5m|2h": BLUE, "1h|1d": RED, "30m|6h": PURPLE, "3d": ORANGE}
SHORT_WINDOWS: Final = ("5m", "30m", "1h", "6h")
LONG_WINDOWS: Final = ("2h", "6h", "1d", "3d")
OBJECTIVES: Final = {
    "availability": ("Availability", "calls that failed although the client did nothing wrong", 0.999),
    "first_audio": ("First audio", "streams whose first audio took longer than 0.25 s", 0.95),
}
RUNBOOK: Final = {"availability": "PhonoscopeErrorBudgetBurn", "first_audio": "PhonoscopeFirstAudioSlow"}


def budget_left(*, width: int) -> Json:
    """Returns what is left of both budgets; the overview shows it too."""
    return stat(
        "Error budget left, 30 days",
        "percentunit",
        [Query(_left("job, slo", 'slo=~".+"'), "{{slo}}")],
        About(
            "Remaining error budget of 30 days, or of the retention of Prometheus if that is shorter.",
            "more than half.",
            "below 0 the objective is missed: stop risky changes, and see Phonoscope / SLO for the cause.",
            "PhonoscopeErrorBudgetBurn",
        ),
        width=width,
        steps=BUDGET_STEPS,
        decimals=1,
    )


def _left(by: str, matchers: str) -> str:
    """Returns the share of a budget that is left: averages over one time, so that each hour weighs by its events."""
    bad, events = (
        f'sum by ({by}) (avg_over_time(job_slo:slo_events{kind}:rate5m{{job="phonoscope", {matchers}}}[30d]))'
        for kind in ("_bad", "")
    )
    return f"1 - {bad} / ({events} > 0) / on (slo) group_left () (1 - slo:slo_objective:ratio)"


def _budget(slo: str) -> Json:
    name, bad, objective = OBJECTIVES[slo]
    return stat(
        f"{name}: budget left",
        "percentunit",
        [Query(_left("job, slo", f'slo="{slo}"'), slo)],
        About(
            f"The objective is {objective:.1%} over 30 days; {bad} spend the rest.",
            "more than half.",
            "below 0 the objective is missed. The graphs below show since when, and the cause.",
            RUNBOOK[slo],
        ),
        width=4,
        height=5,
        steps=BUDGET_STEPS,
        decimals=1,
    )


def _burn_now(slo: str) -> Json:
    """Returns how fast the budget burns; nothing, not NaN, where there were no calls."""
    name, _, _ = OBJECTIVES[slo]
    burn = f'sum by (slo) (job_slo:slo_burn:rate1h{{job="phonoscope", slo="{slo}"}}) >= 0'
    return stat(
        f"{name}: burn rate, 1 h",
        "short",
        [Query(burn, slo)],
        About(
            "How many times too fast the budget was used in the last hour: at 1 it lasts 30 days, at 14.4 two.",
            "below 1.",
            "above 6, act now.",
            RUNBOOK[slo],
        ),
        width=4,
        height=5,
        steps=((None, GREEN), (1, YELLOW), (6, ORANGE), (14.4, RED)),
        decimals=2,
    )


def _objective(slo: str) -> Json:
    name, bad, _ = OBJECTIVES[slo]
    return stat(
        f"{name}: objective",
        "percentunit",
        [Query(f'slo:slo_objective:ratio{{slo="{slo}"}}', slo)],
        About(
            "The objective, as recorded by the rules.",
            f"as agreed; bad are {bad}.",
            "change it in deploy/prometheus/rules/slo.yml.",
        ),
        width=4,
        height=5,
        decimals=1,
    )


def _burns(slo: str, windows: tuple[str, ...], pages: str, lines: Steps) -> Json:
    name, _, _ = OBJECTIVES[slo]
    queries = [
        Query(f'sum by (slo) (job_slo:slo_burn:rate{window}{{job="phonoscope", slo="{slo}"}})', window)
        for window in windows
    ]
    return graph(
        f"{name}: burn rate, {windows[0]} to {windows[-1]}",
        "short",
        queries,
        About(
            f"How many times too fast the budget is used, over several windows. {pages}",
            "below 1 in every window.",
            "if only the short window is high, it is a short peak; if the long one is high too, act.",
            RUNBOOK[slo],
        ),
        width=12,
        lines=lines,
        colours=WINDOW_COLOURS,
        links=(FAILED_TRACES,),
    )


def _events(slo: str, name: str, about: About) -> Json:
    bad, events = (f'job_slo:slo_events{kind}:rate5m{{job="phonoscope", slo="{slo}"}}' for kind in ("_bad", ""))
    return graph(
        name,
        "reqps",
        [Query(f"sum by (slo) ({events})", "all"), Query(f"sum by (slo) ({bad})", "bad")],
        about,
        colours={"all": GREY, "bad": RED},
    )


CRITICAL: Final[Steps] = ((6, ORANGE), (14.4, RED))
WARNING: Final[Steps] = ((1, YELLOW), (3, ORANGE))
PAGES: Final = "1h and 5m above 14.4, or 6h and 30m above 6, are critical."
WARNS: Final = "1d and 2h above 3, or 3d and 6h above 1, are a warning."

BUDGETS: Final = Row(
    "Budgets",
    (
        _budget("availability"),
        _burn_now("availability"),
        _objective("availability"),
        _budget("first_audio"),
        _burn_now("first_audio"),
        _objective("first_audio"),
    ),
)
BURNS: Final = Row(
    "Burn rates",
    (
        _burns("availability", SHORT_WINDOWS, PAGES, CRITICAL),
        _burns("first_audio", SHORT_WINDOWS, PAGES, CRITICAL),
        _burns("availability", LONG_WINDOWS, WARNS, WARNING),
        _burns("first_audio", LONG_WINDOWS, WARNS, WARNING),
    ),
)
EVENTS: Final = Row(
    "What uses them",
    (
        _events(
            "availability",
            "Calls, and failed calls",
            About(
                "Calls per second that count for availability, and the bad ones, over 5 minutes.",
                "no red.",
                "see the next graph for methods and codes.",
            ),
        ),
        graph(
            "Bad calls by method and code",
            "reqps",
            [
                Query(
                    "sum by (grpc_method, grpc_code) (job_grpc_method_grpc_code:grpc_server_handled:rate5m"
                    f'{{job="phonoscope", grpc_code=~"{BAD_CODES}"}}) > 0',
                    "{{grpc_method}} {{grpc_code}}",
                )
            ],
            About(
                "Calls that use the budget, by method and code.",
                "nothing.",
                "ResourceExhausted: add replicas. Unavailable: check health and restarts. DeadlineExceeded: check "
                "the queue. Internal, Unknown: check the log.",
                "PhonoscopeErrorBudgetBurn",
            ),
            stacked=True,
            links=(
                FAILED_TRACES,
                BAD_LINES,
            ),
        ),
        table(
            "Alerts, pending and firing",
            "short",
            Query('ALERTS{alertname=~"Phonoscope.*"}', "{{alertname}}"),
            About(
                "Phonoscope's pending and firing alerts.",
                "an empty table.",
                "pending alerts wait for their duration; firing ones are sent. Each has a page in docs/runbooks.",
            ),
            columns={"alertname": "Alert", "alertstate": "State", "severity": "Severity", "slo": "SLO"},
        ),
        _events(
            "first_audio",
            "Streams, and those with late first audio",
            About(
                "Streams per second with audio, and those later than 0.25 s, over 5 minutes.",
                "little red: 1 of 20 may be late.",
                "see the next graph for the slow voice or replica.",
            ),
        ),
        graph(
            "First audio, p95 by voice and server",
            "s",
            [
                Query(
                    'instance_voice_model:tts_time_to_first_audio_seconds:p95_rate5m{job="phonoscope"}',
                    "{{voice_model}} {{instance}}",
                )
            ],
            About(
                "Time to first audio of streams, p95 over 5 minutes.",
                "below the line at 0.25 s.",
                "one line above: that replica or voice is slow. All above: overload; see Phonoscope / Engine.",
                "PhonoscopeFirstAudioSlow",
            ),
            width=16,
            lines=((0.25, RED),),
            links=(SLOW_TRACES,),
        ),
    ),
)

BOARD: Final = Board(
    "slo",
    "SLO",
    "How much of the error budget is left, how fast it is used, and by what.",
    (BUDGETS, BURNS, EVENTS),
    variables=(),
    hours=24,
)
