"""Ways out of a dashboard: to traces in Tempo and to lines in Loki. Used by the module of each dashboard."""

import json
from typing import Final
from urllib.parse import quote

from dashboards.generate.panels import Json, Link

OURS: Final = 'resource.service.name = "phonoscope-server"'
LOG_STREAM: Final = '{service="server"}'


def to_traces(title: str, condition: str = "") -> Link:
    """Returns a link to the traces of the range shown; `condition` narrows them, in TraceQL."""
    query = f"{{ {OURS}{' && ' if condition else ''}{condition} }}"
    return _explore(title, "tempo", {"queryType": "traceql", "query": query, "limit": 50, "tableType": "traces"})


def to_logs(title: str, pipeline: str = "") -> Link:
    """Returns a link to the server's log lines of the range shown; `pipeline` narrows them, in LogQL."""
    query = f"{LOG_STREAM} | json{' ' if pipeline else ''}{pipeline}"
    return _explore(title, "loki", {"queryType": "range", "editorMode": "code", "expr": query})


def _explore(title: str, datasource: str, query: Json) -> Link:
    target = {"refId": "A", "datasource": {"type": datasource, "uid": datasource}, **query}
    panes = {"pane": {"datasource": datasource, "queries": [target], "range": {"from": "FROM", "to": "TO"}}}
    # Grafana fills in the range, but only where the variables stand unescaped.
    escaped = quote(json.dumps(panes), safe="").replace("FROM", "${__from}").replace("TO", "${__to}")
    return Link(title, f"/explore?schemaVersion=1&orgId=1&panes={escaped}")


FAILED_TRACES: Final = to_traces("Traces of failed calls", "status = error")
SLOW_TRACES: Final = to_traces("Traces with first audio after 250 ms", "span.tts.time_to_first_audio > 0.25")
BAD_LINES: Final = to_logs("Log lines of failed requests", '| outcome=~"failed|rejected"')
