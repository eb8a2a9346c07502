"""The row of the telemetry dashboard about Prometheus: its rules, and what becomes of its alerts."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.panels import ORANGE, RED, About, Query, graph, renamed

SELDOM: Final = "15s"
"""How often everything but the server is scraped."""
FILE_OF_GROUP: Final = "^.*;(.*)$"
"""What Prometheus puts before the name of a group of rules."""

RULES: Final = Row(
    "Prometheus and its rules",
    (
        renamed(
            graph(
                "Rules that failed",
                "short",
                [
                    Query(
                        "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[$__rate_interval]))",
                        "{{rule_group}}",
                        scraped=SELDOM,
                    )
                ],
                About(
                    "Recording and alerting rules that could not be evaluated.",
                    "0.",
                    "alerts of that group may be silent: Prometheus' page /rules has the error.",
                ),
                colours={".*": RED},
            ),
            FILE_OF_GROUP,
            "$1",
        ),
        renamed(
            graph(
                "Evaluation time of rules",
                "s",
                [Query("max by (rule_group) (prometheus_rule_group_last_duration_seconds)", "{{rule_group}}")],
                About(
                    "Evaluation time of each group of rules.",
                    "far below its interval, 15 s.",
                    "near it: evaluations are missed and alerts are late.",
                ),
            ),
            FILE_OF_GROUP,
            "$1",
        ),
        graph(
            "Alerts that were not delivered",
            "short",
            [
                Query(
                    "sum(increase(prometheus_notifications_dropped_total[$__rate_interval]))",
                    "dropped",
                    scraped=SELDOM,
                ),
                Query("sum(prometheus_notifications_queue_length)", "waiting"),
            ],
            About(
                "Alerts for Alertmanager that wait or were dropped.",
                "0.",
                "Alertmanager is down, or does not run (compose profile alerting): no alerts are sent.",
            ),
            colours={"dropped": RED, "waiting": ORANGE},
        ),
    ),
)
