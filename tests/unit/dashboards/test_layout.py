"""The layout of the dashboards: names, positions, texts, units, legends and links."""

import itertools
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[3]
NAMES = {"overview", "engine", "gpu", "slo", "telemetry"}
# What Grafana 11 and 12 ship and have not deprecated, of what we use.
PANELS = {"row", "stat", "timeseries", "heatmap", "table", "text"}
FIXED_DATASOURCES = {"tempo", "loki"}


def test_there_are_five_and_each_is_named_for_its_file(dashboards):
    assert {dashboard.name for dashboard in dashboards} == NAMES
    for dashboard in dashboards:
        assert dashboard.json["uid"] == f"phonoscope-{dashboard.name}"
        assert dashboard.json["title"].lower() == f"phonoscope / {dashboard.name}"
        assert "phonoscope" in dashboard.json["tags"]


def test_a_file_can_be_provisioned(dashboard):
    """An id or `__inputs` would be of the Grafana that exported it; schema 39 is what Grafana 11.0 writes."""
    assert not {"id", "__inputs", "__requires"} & dashboard.json.keys()
    assert dashboard.json["schemaVersion"] == 39
    assert "${DS_" not in json.dumps(dashboard.json)


def test_panels_have_ids_of_their_own_and_types_that_are_not_deprecated(dashboard):
    ids = [panel["id"] for panel in dashboard.panels]
    assert len(ids) == len(set(ids))
    assert {panel["type"] for panel in dashboard.panels} <= PANELS


def test_panels_stay_in_the_grid_and_do_not_overlap(dashboard):
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard.panels:
        place = panel["gridPos"]
        assert place["x"] >= 0, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]


def test_every_line_of_panels_is_as_wide_as_the_screen(dashboard):
    widths: dict[int, int] = {}
    for panel in dashboard.panels:
        place = panel["gridPos"]
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
    assert set(widths.values()) == {24}, widths


def test_titles_are_distinguished(dashboard):
    titles = [panel["title"] for panel in dashboard.panels]
    assert all(titles)
    assert len(titles) == len(set(titles))


def test_every_panel_says_what_it_shows_what_is_good_and_what_to_do(dashboard):
    for panel in dashboard.graphs:
        shows, good, otherwise = re.split(r"\n\n\*\*(?:Good|Otherwise):\*\* ", panel["description"])
        assert len(shows) > 15, panel["title"]
        assert good.strip(), panel["title"]
        assert len(otherwise) > 15, panel["title"]


def test_every_panel_has_a_unit_and_every_series_a_name(dashboard):
    for panel in dashboard.graphs:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends), panel["title"]
        assert len(legends) == len(set(legends)), panel["title"]
        if panel["type"] == "heatmap":
            assert panel["options"]["yAxis"]["unit"] == panel["fieldConfig"]["defaults"]["unit"]


def test_every_panel_asks_the_data_source_that_is_chosen(dashboard):
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in dashboard.graphs:
        assert panel["datasource"] == chosen, panel["title"]
        assert {json.dumps(target["datasource"]) for target in panel["targets"]} == {json.dumps(chosen)}
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters))
    offered = dashboard.variables[0]
    assert (offered["name"], offered["query"], offered["current"]["value"]) == (
        "datasource",
        "prometheus",
        "prometheus",
    )


def test_a_threshold_starts_below_everything_and_climbs(dashboard):
    for panel in dashboard.graphs:
        values = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert values[0] is None, panel["title"]
        assert values[1:] == sorted(values[1:]), panel["title"]


def links_of(dashboard) -> list[dict[str, str]]:
    return [
        link
        for panel in dashboard.graphs
        for link in (*panel.get("links", []), *panel["fieldConfig"]["defaults"].get("links", []))
    ] + [link for link in dashboard.json["links"] if link["type"] == "link"]


def test_dashboards_link_to_each_other(dashboard):
    lists = [link for link in dashboard.json["links"] if link["type"] == "dashboards"]
    assert [(link["tags"], link["keepTime"], link["includeVars"]) for link in lists] == [(["phonoscope"], True, True)]


def test_links_to_traces_and_logs_are_queries_that_explore_understands(dashboards):
    asked = set()
    for link in itertools.chain.from_iterable(map(links_of, dashboards)):
        if link["url"].startswith("/explore"):
            (panes,) = parse_qs(urlsplit(link["url"]).query)["panes"]
            (pane,) = json.loads(panes).values()
            (query,) = pane["queries"]
            assert pane["datasource"] == query["datasource"]["uid"] in FIXED_DATASOURCES
            assert pane["range"] == {"from": "${__from}", "to": "${__to}"}
            assert query.get("query") or query.get("expr")
            asked.add(pane["datasource"])
        else:
            assert link["url"].startswith("/public/runbooks/"), link
    assert asked == FIXED_DATASOURCES


def test_runbooks_that_panels_name_exist_and_are_of_alerts(dashboards, rules):
    named = set()
    for dashboard in dashboards:
        named |= {Path(link["url"]).stem for link in links_of(dashboard) if "/runbooks/" in link["url"]}
        for panel in dashboard.graphs:
            named |= set(re.findall(r"docs/runbooks/(\w+)\.md", panel["description"]))
    assert named
    assert named <= set(re.findall(r"- alert: (\w+)", rules))
    assert not [name for name in named if not (ROOT / f"docs/runbooks/{name}.md").is_file()]
