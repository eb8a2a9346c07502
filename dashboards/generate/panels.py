"""The vocabulary of the dashboards: queries, panels, words. Used by the module of each dashboard.

A panel is Grafana's JSON, but for its id and place, which board.py adds. Every panel says what it shows, what good
looks like and what to do otherwise: there is no way to make one without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]
"""Colours from a value on; the first value is None, for all below the second."""

RUNBOOKS: Final = "/public/runbooks"
"""Where Grafana serves docs/runbooks: the compose file mounts them there."""
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

SERVER: Final = 'job="phonoscope", instance=~"$instance"'
SPEECH: Final = f'{SERVER}, voice_model=~"$voice_model"'
CALLS: Final = rf'{SERVER}, grpc_service!~"grpc\\..*", grpc_method=~"$method"'
"""Matchers of the server, of its speech family, and of its calls without probes."""

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "#8e8e8e"
TRACED: Final = {
    "grpc_server_handling_seconds",
    "tts_time_to_first_audio_seconds",
    "tts_real_time_factor",
    "tts_stage_seconds",
    "tts_encode_seconds",
    "tts_reference_check_seconds",
    "tts_queue_wait_seconds",
    "tts_inter_chunk_seconds",
    "tts_playback_slack_seconds",
    "tts_emotion_seconds",
    "http_server_request_duration_seconds",
    "gateway_time_to_first_audio_seconds",
}
"""The histograms whose buckets keep the trace of a request as their exemplar."""
NEUTRAL: Final[Steps] = ((None, BLUE),)
QUANTILE_COLOURS: Final = {"p50": BLUE, "p95": ORANGE, "p99": RED}


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the name of its series; `exemplars` asks for trace ids beside it.

    `scraped` is how often its target is scraped, where that is more seldom than the server, 5 s: a rate over less
    than four scrapes has gaps.
    """

    expr: str
    legend: str
    exemplars: bool = False
    scraped: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A way out of a panel or a dashboard; opens in a new tab."""

    title: str
    url: str

    def json(self) -> Json:
        """Returns it as a panel has it."""
        return {"title": self.title, "url": self.url, "targetBlank": True}


@dataclass(frozen=True, slots=True)
class About:
    """The words of a panel, for whoever is on call."""

    shows: str
    good: str
    otherwise: str
    runbook: str = ""
    """The alert that watches over it, if there is one."""

    def __str__(self) -> str:
        told = f"{self.shows}\n\n**Good:** {self.good}\n\n**Otherwise:** {self.otherwise}"
        return f"{told}\n\n**Runbook:** docs/runbooks/{self.runbook}.md" if self.runbook else told


def quantiles(metric: str, matchers: str, at: Sequence[int] = (50, 95, 99)) -> list[Query]:
    """Returns quantiles of a histogram over all its series, in percent; the first asks for the exemplars of all."""
    buckets = f"sum by (le) (rate({metric}_bucket{{{matchers}}}[$__rate_interval]))"
    return [
        Query(
            f"histogram_quantile({percent / 100:g}, {buckets})", f"p{percent}", metric in TRACED and percent == at[0]
        )
        for percent in at
    ]


def quantile_by(metric: str, matchers: str, percent: int, *labels: str) -> list[Query]:
    """Returns one quantile of a histogram for each value of `labels`."""
    buckets = f"sum by (le, {', '.join(labels)}) (rate({metric}_bucket{{{matchers}}}[$__rate_interval]))"
    legend = "/".join(f"{{{{{label}}}}}" for label in labels)
    return [Query(f"histogram_quantile({percent / 100:g}, {buckets})", legend, metric in TRACED)]


def means(metric: str, matchers: str, *labels: str) -> list[Query]:
    """Returns the mean of a histogram, for each value of `labels`: a rate over a rate, never lifetimes."""
    by = f"sum by ({', '.join(labels)}) " if labels else "sum"
    total, count = (f"{by}(rate({metric}_{part}{{{matchers}}}[$__rate_interval]))" for part in ("sum", "count"))
    return [Query(f"{total} / ({count} > 0)", " ".join(f"{{{{{label}}}}}" for label in labels) or "mean")]


def graph(
    title: str,
    unit: str,
    queries: Sequence[Query],
    about: About,
    *,
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    bars: bool = False,
    lowest: float | None = 0,
    highest: float | None = None,
    lines: Steps = (),
    colours: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> Json:
    """Returns a time series; `lines` are drawn dashed at their values, `colours` go to series by a regexp of names."""
    is_quantile = {query.legend for query in queries} & QUANTILE_COLOURS.keys()
    colours = QUANTILE_COLOURS if is_quantile and colours is None else colours or {}
    defaults = _defaults(unit, lines or NEUTRAL, lowest, highest, links) | {
        "color": {"mode": "palette-classic"},
        "custom": {
            "drawStyle": "bars" if bars else "line",
            "fillOpacity": 60 if bars else 25 if stacked else 8,
            "lineWidth": 1,
            "showPoints": "never" if bars else "auto",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if lines else "off"},
        },
    }
    overrides = [_colour(pattern, colour) for pattern, colour in colours.items()]
    options = {
        "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    place = {"w": width, "h": height}
    return _panel("timeseries", title, queries, about, place, defaults=defaults, options=options, overrides=overrides)


def stat(
    title: str,
    unit: str,
    queries: Sequence[Query],
    about: About,
    *,
    width: int = 3,
    height: int = 4,
    steps: Steps = NEUTRAL,
    values: Mapping[str, tuple[str, str]] | None = None,
    by_name: bool = False,
    decimals: int | None = None,
    links: Sequence[Link] = (),
) -> Json:
    """Returns one number of now; `values` gives words and colours to some, `by_name` shows the series' name."""
    mapped = {value: {"text": text, "color": colour} for value, (text, colour) in (values or {}).items()}
    defaults = _defaults(unit, steps, links=links) | {
        "color": {"mode": "thresholds"},
        "mappings": [{"type": "value", "options": mapped}] if mapped else [],
        "noValue": "no data",
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "value" if by_name else "background" if mapped or len(steps) > 1 else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "name" if by_name else "value_and_name" if len(queries) > 1 else "value",
        "wideLayout": True,
    }
    place = {"w": width, "h": height}
    return _now(_panel("stat", title, queries, about, place, defaults=defaults, options=options))


def heatmap(
    title: str, unit: str, metric: str, matchers: str, about: About, *, width: int = 12, height: int = 8
) -> Json:
    """Returns the buckets of a histogram over time: each cell is how many fell into it, each dot one of them."""
    query = Query(
        f"sum by (le) (increase({metric}_bucket{{{matchers}}}[$__rate_interval]))", "{{le}}", metric in TRACED
    )
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short", "decimals": 1},
        "color": {"mode": "scheme", "scheme": "Oranges", "scale": "exponential", "exponent": 0.5, "steps": 64},
        "exemplars": {"color": "rgba(80,160,255,0.9)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "le"},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False},
    }
    place = {"w": width, "h": height}
    made = _panel("heatmap", title, [query], about, place, defaults=_defaults(unit), options=options)
    made["targets"][0]["format"] = "heatmap"
    return made


def table(
    title: str,
    unit: str,
    query: Query,
    about: About,
    *,
    columns: Mapping[str, str],
    width: int = 8,
    height: int = 8,
) -> Json:
    """Returns what is now, one row for each series; `columns` are labels (and Value) with their headings, in order."""
    options = {"cellHeight": "sm", "footer": {"show": False}, "showHeader": True}
    place = {"w": width, "h": height}
    made = _now(_panel("table", title, [query], about, place, defaults=_defaults(unit), options=options))
    made["targets"][0]["format"] = "table"
    made["transformations"] = [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {
            "id": "organize",
            "options": {
                "indexByName": {label: place for place, label in enumerate(columns)},
                "renameByName": dict(columns),
            },
        },
    ]
    return made


def renamed(panel: Json, pattern: str, name: str) -> Json:
    """Gives the panel's series shorter names: `pattern` is a regexp of theirs, `name` what becomes of it."""
    return panel | {"transformations": [{"id": "renameByRegex", "options": {"regex": pattern, "renamePattern": name}}]}


def words(title: str, markdown: str, *, width: int = 24, height: int = 6) -> Json:
    """Returns a panel of text."""
    return {
        "type": "text",
        "title": title,
        "options": {"mode": "markdown", "content": markdown},
        "gridPos": {"w": width, "h": height},
    }


def _panel(
    kind: str,
    title: str,
    queries: Sequence[Query],
    about: About,
    place: Json,
    *,
    defaults: Json,
    options: Json,
    overrides: Sequence[Json] = (),
) -> Json:
    runbook = Link(f"Runbook: {about.runbook}", f"{RUNBOOKS}/{about.runbook}.md")
    return {
        "type": kind,
        "title": title,
        "description": str(about),
        "links": [runbook.json()] if about.runbook else [],
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": [_target(query, "ABCDEFGHIJ"[place]) for place, query in enumerate(queries)],
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
    }


def _now(panel: Json) -> Json:
    """Has a panel's queries ask for now alone, not for a range of time."""
    panel["targets"] = [{**target, "range": False, "instant": True} for target in panel["targets"]]
    return panel


def _target(query: Query, letter: str) -> Json:
    target: Json = {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "exemplar": query.exemplars,
        "range": True,
        "instant": False,
    }
    return target | ({"interval": query.scraped} if query.scraped else {})


def _defaults(
    unit: str,
    steps: Steps = NEUTRAL,
    lowest: float | None = None,
    highest: float | None = None,
    links: Sequence[Link] = (),
) -> Json:
    colours = [{"value": value, "color": colour} for value, colour in steps]
    if colours[0]["value"] is not None:  # a line at a value: nothing is said of what is below it
        colours.insert(0, {"value": None, "color": "transparent"})
    defaults: Json = {"unit": unit, "thresholds": {"mode": "absolute", "steps": colours}}
    if lowest is not None:
        defaults["min"] = lowest
    if highest is not None:
        defaults["max"] = highest
    if links:
        defaults["links"] = [link.json() for link in links]
    return defaults


def _colour(pattern: str, colour: str) -> Json:
    return {
        "matcher": {"id": "byRegexp", "options": f"/^(?:{pattern})$/"},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
    }
