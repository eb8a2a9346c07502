"""Every query of every dashboard and of every recording rule, run against a Prometheus that scrapes a busy server.

A query must return data, or be one of `SILENT` and return none. `.ci/check-dashboards` runs this.
"""

import json
import math
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
SECONDS_TO_FILL = 90.0
RATE_INTERVAL = "10s"
# What cannot return data here, and why: a regexp of queries.
SILENT = {
    r"DCGM_FI_": "no dcgm-exporter runs here",
    r"otelcol_": "spans go to a receiver of the test's own: no collector runs here",
    r"^changes\(process_start_time_seconds": "nothing restarts",
    r"tts_reference_check_seconds": "no voice that is loaded here takes recordings",
    r"tts_conditioning_": "no engine that is loaded here keeps recordings",
}
if not shutil.which("nvidia-smi"):
    SILENT[r"tts_gpu_"] = "no GPU"


@dataclass(frozen=True)
class Query:
    """One expression of a dashboard, as its JSON has it."""

    place: str
    expr: str
    is_instant: bool
    wants_exemplars: bool

    @property
    def is_silent(self) -> bool:
        return any(re.search(pattern, self.expr) for pattern in SILENT)


@dataclass(frozen=True)
class Variable:
    """A variable whose values Prometheus knows."""

    place: str
    name: str
    selector: str
    label: str
    all_value: str


def boards() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        yield path.stem, json.loads(path.read_text())


def queries() -> Iterator[Query]:
    for board, dashboard in boards():
        for annotation in dashboard["annotations"]["list"]:
            yield Query(f"{board}: {annotation['name']}", annotation["expr"], is_instant=False, wants_exemplars=False)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                place = f"{board}: {panel['title']}: {target['refId']}"
                yield Query(place, target["expr"], target["instant"], target["exemplar"])


def variables() -> Iterator[Variable]:
    for board, dashboard in boards():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                assert asked, variable["query"]
                place = f"{board}: ${variable['name']}"
                yield Variable(place, variable["name"], asked[1], asked[2], variable.get("allValue", ""))


def recorded() -> Iterator[Any]:
    """Yields selector and expression of every recording rule."""
    for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "record" in rule:
                    labels = ", ".join(f'{name}="{value}"' for name, value in rule.get("labels", {}).items())
                    selector = f"{rule['record']}{{{labels}}}"
                    yield pytest.param(selector, rule["expr"], id=selector)


class Grafana:
    """Fills in the variables as Grafana does, with All chosen, and asks until there is data or time is up."""

    def __init__(self, prometheus: Any, load: Any) -> None:
        self._prometheus, self._load = prometheus, load
        self._deadline = time.monotonic() + SECONDS_TO_FILL

    @cached_property
    def chosen(self) -> dict[str, str]:
        """What stands for each variable: its own word for all values, or all of them, escaped as Grafana does."""
        found = {"__rate_interval": RATE_INTERVAL}
        for variable in variables():
            if variable.all_value:
                found[variable.name] = variable.all_value
            elif variable.name not in found:
                values = self.until_data(lambda variable=variable: self.values(variable, found))
                escaped = "|".join(re.escape(value).replace("\\", "\\\\") for value in values)
                found[variable.name] = f"({escaped})"
        return found

    def values(self, variable: Variable, known: dict[str, str]) -> list[str]:
        selector = self.filled(variable.selector, known)
        return self._prometheus.ask(f"/label/{variable.label}/values", **{"match[]": selector})

    def filled(self, query: str, known: dict[str, str] | None = None) -> str:
        known = self.chosen if known is None else known
        return re.sub(r"\$\{?(\w+)\}?", lambda name: known[name[1]], query)

    def data(self, query: str, *, is_instant: bool) -> list[str]:
        """Returns the values that are numbers, of now or of the time since the start."""
        asked, now = self.filled(query), time.time()
        if is_instant:
            series = self._prometheus.ask("/query", query=asked, time=now)["result"]
            values = [one["value"][1] for one in series]
        else:
            spread = {"start": now - 2 * SECONDS_TO_FILL, "end": now, "step": 1}
            series = self._prometheus.ask("/query_range", query=asked, **spread)["result"]
            values = [value for one in series for _, value in one["values"]]
        return [value for value in values if not math.isnan(float(value))]

    def exemplars(self, query: str) -> set[str]:
        """Returns the trace ids beside a query."""
        now = time.time()
        found = self._prometheus.ask(
            "/query_exemplars", query=self.filled(query), start=now - 2 * SECONDS_TO_FILL, end=now
        )
        return {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}

    def until_data(self, ask: Any) -> Any:
        """Asks again, while the load goes on, until the answer is not empty; returns an empty one in the end."""
        while not (answer := ask()) and time.monotonic() < self._deadline:
            assert not self._load.died.wait(0.5), self._load.errors
        return answer


@pytest.fixture(scope="module")
def grafana(prometheus: Any, load: Any) -> Grafana:
    return Grafana(prometheus, load)


ALL = [pytest.param(query, id=query.place) for query in queries() if not query.is_silent]
NONE = [pytest.param(query, id=query.place) for query in queries() if query.is_silent]


@pytest.mark.parametrize("query", ALL)
def test_a_query_returns_data(grafana: Grafana, query: Query):
    found = grafana.until_data(lambda: grafana.data(query.expr, is_instant=query.is_instant))
    assert found, f"no data for {grafana.filled(query.expr)}"


@pytest.mark.parametrize("query", [query for query in ALL if query.values[0].wants_exemplars])
def test_a_query_leads_to_traces_that_were_exported(grafana: Grafana, spans: Any, query: Query):
    receiver, _ = spans
    found = grafana.until_data(lambda: grafana.exemplars(query.expr) & receiver.trace_ids)
    assert found, f"no exemplar with a trace that was exported for {grafana.filled(query.expr)}"


@pytest.mark.parametrize(("selector", "expr"), list(recorded()))
def test_a_recording_rule_returns_data(grafana: Grafana, selector: str, expr: str):
    assert grafana.until_data(lambda: grafana.data(expr, is_instant=True)), f"no data for {expr}"
    assert grafana.until_data(lambda: grafana.data(selector, is_instant=True)), f"{selector} is not recorded"


def test_every_rule_can_be_evaluated_and_a_dead_server_alerts(grafana: Grafana, prometheus: Any):
    grafana.until_data(lambda: grafana.data('ALERTS{alertname="PhonoscopeServerDown"}', is_instant=True))
    rules = [rule for group in prometheus.ask("/rules")["groups"] for rule in group["rules"]]
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []
    firing = {rule["name"] for rule in rules if rule["type"] == "alerting" and rule["state"] == "firing"}
    assert "PhonoscopeServerDown" in firing


@pytest.mark.parametrize("variable", [pytest.param(variable, id=variable.place) for variable in variables()])
def test_a_variable_offers_values(grafana: Grafana, variable: Variable):
    is_silent = any(re.search(pattern, variable.selector) for pattern in SILENT)
    found = grafana.values(variable, grafana.chosen)
    assert bool(found) != is_silent, f"{found} for {variable.label} of {grafana.filled(variable.selector)}"


@pytest.mark.parametrize("query", NONE)
def test_a_query_that_cannot_return_data_here_returns_none(grafana: Grafana, query: Query):
    """The last, so that there was time for data: one that returns some must leave SILENT."""
    found = grafana.data(query.expr, is_instant=query.is_instant)
    assert not found, f"take it out of SILENT: there is data for {grafana.filled(query.expr)}"


@pytest.mark.parametrize("pattern", SILENT)
def test_what_is_said_to_be_silent_is_asked_for(pattern: str):
    assert [query for query in queries() if re.search(pattern, query.expr)]
