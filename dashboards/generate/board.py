"""Dashboards: rows of panels, the variables above them, links and annotations. Used by the module of each."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.generate.panels import DATASOURCE, ORANGE, RED, Json, Link

TAG: Final = "phonoscope"
COLUMNS: Final = 24
SCHEMA: Final = 39

DATASOURCE_VARIABLE: Final[Json] = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "current": {"selected": True, "text": "Prometheus", "value": "prometheus"},
    "includeAll": False,
    "multi": False,
    "hide": 0,
    "refresh": 1,
    "regex": "",
    "options": [],
}


def variable(name: str, label: str, values: str, *, all_value: str = "") -> Json:
    """Returns a variable that offers the values of a label, and all of them at first."""
    offered: Json = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": values,
        "query": {"query": values, "refId": f"variable-{name}", "qryType": 1},
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "multi": True,
        "hide": 0,
        "refresh": 2,  # whenever the time range changes: replicas come and go
        "regex": "",
        "sort": 1,
        "options": [],
    }
    return offered | ({"allValue": all_value} if all_value else {})


INSTANCE: Final = variable("instance", "Server", 'label_values(up{job="phonoscope"}, instance)')
# All voices are .*, so that what was refused before a voice was known is among them.
VOICE: Final = variable(
    "voice_model",
    "Voice",
    'label_values(tts_model_loaded{job="phonoscope", instance=~"$instance"}, voice_model)',
    all_value=".*",
)
METHOD: Final = variable(
    "method",
    "Method",
    r'label_values(grpc_server_started_total{job="phonoscope", instance=~"$instance", grpc_service!~"grpc\\..*"}, '
    "grpc_method)",
    all_value=".*",
)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, from left to right, as many lines of them as it takes."""

    title: str
    panels: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `name` is that of its file, and the end of its uid."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Json] = (INSTANCE,)
    links: Sequence[Link] = ()
    hours: int = 1

    def json(self) -> Json:
        """Returns it as Grafana reads it."""
        return {
            "uid": f"phonoscope-{self.name}",
            "title": f"Phonoscope / {self.title}",
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA,
            "editable": True,
            "graphTooltip": 1,  # one crosshair for all panels
            "refresh": "30s",
            "time": {"from": f"now-{self.hours}h", "to": "now"},
            "timezone": "browser",
            "annotations": {"list": [_restarts(), _alerts()]},
            "links": [_to_boards(), *(_to(link) for link in self.links)],
            "templating": {"list": [DATASOURCE_VARIABLE, *self.variables]},
            "panels": list(_placed(self.rows)),
        }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Yields rows and panels with ids and places: left to right, a new line where the next would not fit."""
    ids, top = itertools.count(1), 0
    for row in rows:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        yield {"id": next(ids), "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            size = panel["gridPos"]
            if left + size["w"] > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            yield {"id": next(ids), **panel, "gridPos": {"x": left, "y": top, **size}}
            left, tallest = left + size["w"], max(tallest, size["h"])
        top += tallest


def _to_boards() -> Json:
    """Returns the link to every dashboard of ours; the range and the variables go along."""
    return {
        "title": "Phonoscope",
        "type": "dashboards",
        "tags": [TAG],
        "icon": "external link",
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }


def _to(link: Link) -> Json:
    return {**link.json(), "type": "link", "icon": "external link", "tags": [], "asDropdown": False, "tooltip": ""}


def _restarts() -> Json:
    return _annotation(
        "Restarts", ORANGE, 'changes(process_start_time_seconds{job="phonoscope"}[2m]) > 0', "{{instance}} restarted"
    )


def _alerts() -> Json:
    return _annotation("Alerts", RED, 'ALERTS{alertstate="firing"}', "{{alertname}} fires")


def _annotation(name: str, colour: str, expr: str, title: str) -> Json:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": "30s",
        "titleFormat": title,
        "textFormat": "",
        "tagKeys": "",
        "useValueForTime": False,
    }
