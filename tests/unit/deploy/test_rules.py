"""deploy/prometheus and deploy/alertmanager: what rules name exists, what alerts need is there, nothing is idle."""

import functools
import json
import re
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
RULES: Final = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
TESTS: Final = sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yml"))
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
# Series that Prometheus itself makes, and those of the process that docs/metrics.md names by their prefix only.
BUILT_IN: Final = {"up", "process_start_time_seconds"}
ANNOTATIONS: Final = {"summary", "description", "action", "runbook_url", "dashboard_url"}
SECTIONS: Final = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation", "## Over when"]
RECORDED: Final = re.compile(r"\b[a-z][a-z_0-9]*:[a-z_0-9]+:[a-z_0-9]+\b")


@functools.cache
def parsed(file: Path) -> Any:
    """A file's content, parsed once; shared, so do not change it."""
    return yaml.safe_load(file.read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for file in RULES for group in parsed(file)["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


ALERT_NAMES: Final = sorted({rule["alert"] for rule in alerts()})


def told(rule: dict[str, Any]) -> str:
    """Everything of a rule that names series: its expression, and the queries in its annotations."""
    queries = re.findall(
        r'query \(?(?:printf )?"(.*?)"', rule.get("annotations", {}).get("description", ""), re.DOTALL
    )
    return "\n".join([rule["expr"], *queries])


def documented() -> set[str]:
    page = (ROOT / "docs" / "metrics.md").read_text()
    found = re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)
    suffixes = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + suffix for name, kind in found for suffix in suffixes.get(kind, ("",))}


def of_dashboards() -> str:
    pages = sorted((ROOT / "dashboards").glob("*.json"))
    assert pages, "no dashboards to look at"
    return "\n".join(expression for page in pages for expression in _expressions(json.loads(page.read_text())))


def _expressions(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["expr"]] if isinstance(node.get("expr"), str) else []
        return own + [found for value in node.values() for found in _expressions(value)]
    return [found for value in node for found in _expressions(value)] if isinstance(node, list) else []


def test_rules_name_documented_metrics_only() -> None:
    named = {
        name
        for rule in rules()
        for name in re.findall(r"(?<![:\w])(?:grpc_server|tts|emotion|process|python)_\w+(?![\w:])", told(rule))
    }
    assert len(named) > 10
    assert named - documented() - BUILT_IN == set()


def test_recorded_series_that_rules_name_are_recorded() -> None:
    assert {name for rule in rules() for name in RECORDED.findall(told(rule))} - recorded() == set()


def test_every_recording_rule_is_used() -> None:
    used = {name for rule in rules() for name in RECORDED.findall(told(rule))}
    used |= set(RECORDED.findall(of_dashboards()))
    assert recorded() - used == set()


def test_dashboards_name_recorded_series_that_exist() -> None:
    assert set(RECORDED.findall(of_dashboards())) - recorded() == set()


@pytest.mark.parametrize(("slo", "window"), list(product(("availability", "first_audio"), WINDOWS)))
def test_an_objective_is_recorded_over_every_window_alike(slo: str, window: str) -> None:
    def expressions(window: str) -> list[str]:
        return [
            rule["expr"].replace(f"[{window}]", "[…]")
            for kind in ("events", "events_bad")
            for rule in rules()
            if rule.get("record") == f"job_slo:slo_{kind}:rate{window}" and rule["labels"] == {"slo": slo}
        ]

    assert len(expressions(window)) == 2
    assert expressions(window) == expressions(WINDOWS[0])


@pytest.mark.parametrize("window", WINDOWS)
def test_burn_is_of_its_own_window(window: str) -> None:
    (burn,) = [rule for rule in rules() if rule.get("record") == f"job_slo:slo_burn:rate{window}"]
    assert set(re.findall(r":rate(\w+)", burn["expr"])) == {window}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    name, annotations = rule["alert"], rule["annotations"]
    assert name.startswith("Phonoscope")
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(annotations) == ANNOTATIONS
    assert annotations["runbook_url"].endswith(f"docs/runbooks/{name}.md")
    dashboard = annotations["dashboard_url"].partition("/d/")[2]
    uids = {json.loads(page.read_text())["uid"] for page in (ROOT / "dashboards").glob("*.json")}
    assert dashboard in uids


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_an_alert_has_a_runbook_with_its_sections(name: str) -> None:
    lines = (RUNBOOKS / f"{name}.md").read_text().splitlines()
    assert lines[0] == f"# {name}"
    assert [line for line in lines if line.startswith("## ")] == SECTIONS
    assert all(line.strip() for line in (lines[lines.index(section) + 2] for section in SECTIONS))


def test_runbooks_are_of_alerts_that_exist() -> None:
    assert sorted(page.stem for page in RUNBOOKS.glob("Phonoscope*.md")) == ALERT_NAMES


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_an_alert_is_tested_both_ways_by_promtool(name: str) -> None:
    checks = [
        check
        for file in TESTS
        for case in parsed(file)["tests"]
        for check in case.get("alert_rule_test", [])
        if check["alertname"] == name
    ]
    fired = {alert["exp_labels"]["severity"] for check in checks for alert in check["exp_alerts"]}
    assert fired == {rule["labels"]["severity"] for rule in alerts() if rule["alert"] == name}
    assert any(not check["exp_alerts"] for check in checks)


def test_links_that_rules_ask_for_are_set_and_leave_with_no_alert() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    asked = set(re.findall(r"\$externalLabels\.(\w+)", "\n".join(file.read_text() for file in RULES)))
    (dropped,) = config["alerting"]["alert_relabel_configs"]
    assert "grafana_url" in config["global"]["external_labels"]
    assert dropped["action"] == "labeldrop"
    assert set(dropped["regex"].split("|")) == asked == {"grafana_url", "docs_url"}


def test_only_the_server_and_prometheus_are_expected_to_be_there() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    static = [job["job_name"] for job in config["scrape_configs"] if "static_configs" in job]
    looked_up = [job["job_name"] for job in config["scrape_configs"] if "dns_sd_configs" in job]
    assert static == ["phonoscope", "prometheus"]
    assert looked_up == ["gateway", "emotion", "otel-collector", "tempo", "grafana", "alertmanager", "loki", "dcgm"]
    assert all("static_configs" not in manager for manager in config["alerting"]["alertmanagers"])
