"""What dashboards ask: of metrics that exist, in ways that do not lie. .ci/check-dashboards runs the queries."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DEPLOYED = ROOT / "deploy" / "prometheus"
PAGE = ROOT / "docs" / "metrics.md"
FOREIGN = re.compile(r"up|ALERTS|scrape_\w+|process_\w+|python_gc_\w+|prometheus_\w+|otelcol_\w+|DCGM_FI_\w+")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
GRAFANAS_OWN = {"__rate_interval", "__from", "__to"}
TRACED = {
    "tts_reference_check_seconds",
    "grpc_server_handling_seconds",
    *(
        f"tts_{name}_seconds"
        for name in ("time_to_first_audio", "stage", "encode", "queue_wait", "inter_chunk", "playback_slack")
    ),
    "tts_real_time_factor",
    "tts_emotion_seconds",
    "http_server_request_duration_seconds",
    "gateway_time_to_first_audio_seconds",
}
KEYWORDS = {"by", "on", "group_left", "or", "and", "unless", "bool"}


def documented() -> dict[str, str]:
    """Returns the metrics of docs/metrics.md and their types."""
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE))


def series_of(metric: str, kind: str) -> set[str]:
    return {metric + suffix for suffix in SUFFIXES.get(kind, ("",))}


def names_in(query: str) -> set[str]:
    """Returns the names of the series that a query asks for; a regexp of names counts as one, without its options."""
    by_regexp = {name.replace("(_total)?", "") for name in re.findall(r'__name__=~"([^"]+)"', query)}
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|group_left) ?\([^)]*\)", " ", bare)
    found = re.findall(r"(?<![\w.$])([A-Za-z_][\w:]*)(?!\w|\s*\()", bare)
    return by_regexp | {name for name in found if name not in KEYWORDS}


def test_names_are_found_in_a_query():
    query = (
        'sum by (le) (rate(a_bucket{le="b", c=~"d}"}[5m])) / on (e) group_left () (1 - job:f:rate5m) > 1e6'
        ' or rate({__name__=~"g_spans(_total)?", job="h"}[1m])'
    )
    assert names_in(query) == {"a_bucket", "job:f:rate5m", "g_spans"}


def test_queries_ask_for_series_that_exist(dashboard, rules):
    recorded = set(re.findall(r"- record: (\S+)", rules))
    known = recorded.union(*(series_of(*metric) for metric in documented().items()))
    asked = set().union(*map(names_in, dashboard.queries()))
    assert asked
    assert not {name for name in asked - known if not FOREIGN.fullmatch(name)}


def test_every_metric_of_the_docs_is_in_a_dashboard_or_a_rule(dashboards, rules):
    """The third of three lists; tests/unit/server/telemetry/test_metrics_docs.py compares the code with the docs."""
    asked = " ".join((*(query for dashboard in dashboards for query in dashboard.queries()), rules))
    names = set(re.findall(r"[A-Za-z_]\w*", asked))
    assert not [name for name, kind in documented().items() if not series_of(name, kind) & names]


def test_variables_that_are_used_are_defined_and_the_other_way(dashboard):
    defined = {variable["name"] for variable in dashboard.variables}
    used = {name for query in dashboard.queries() for name in re.findall(r"\$\{?(\w+)", query)}
    uids = [panel["datasource"]["uid"] for panel in dashboard.graphs]
    used |= {name for uid in uids for name in re.findall(r"\$\{?(\w+)", uid)}
    assert used - GRAFANAS_OWN == defined


def test_rates_are_over_the_interval_that_fits_the_screen(dashboard):
    for panel in dashboard.graphs:
        for target in panel["targets"]:
            windows = re.findall(r"\b(?:rate|increase)\([^\[]*\[([^\]]+)\]", target["expr"])
            assert set(windows) <= {"$__rate_interval"}, panel["title"]
            assert len(windows) == len(re.findall(r"\b(?:rate|increase)\(", target["expr"])), panel["title"]


def test_rates_of_what_is_scraped_seldom_say_so(dashboard):
    """The data source's interval, 5 s, is that of server and gateway: `$__rate_interval` is too short for others."""
    seldom = re.search(r"^global:\n  scrape_interval: (\w+)$", (DEPLOYED / "prometheus.yml").read_text(), re.MULTILINE)
    assert seldom
    for panel in dashboard.graphs:
        for target in panel["targets"]:
            is_often = re.search(r'job="(?:phonoscope|gateway|emotion)"', target["expr"])
            is_seldom = "$__rate_interval" in target["expr"] and not is_often
            assert target.get("interval") == (seldom[1] if is_seldom else None), panel["title"]


def test_sums_and_counts_are_never_divided_as_lifetimes(dashboard):
    for panel in dashboard.graphs:
        for target in panel["targets"]:
            counters = re.findall(r"(\w+\()?\b\w+_(?:sum|count|bucket|total)\{", target["expr"])
            assert set(counters) <= {"rate(", "increase("}, panel["title"]


def test_quantiles_are_of_rates_of_buckets(dashboard):
    for panel in dashboard.graphs:
        for target in panel["targets"]:
            quantile = re.match(
                r"histogram_quantile\([\d.]+, sum by \(le(?:, \w+)*\) \(rate\(\w+_bucket", target["expr"]
            )
            assert bool(quantile) == ("histogram_quantile" in target["expr"]), panel["title"]


def test_a_panel_with_the_buckets_of_requests_asks_once_for_their_traces(dashboard):
    for panel in dashboard.graphs:
        asked = set().union(*(names_in(target["expr"]) for target in panel["targets"]))
        traced = {name + "_bucket" for name in TRACED} & asked
        assert sum(target["exemplar"] for target in panel["targets"]) == len(traced), panel["title"]


def test_heatmaps_take_their_buckets_from_the_server(dashboard):
    for panel in dashboard.graphs:
        if panel["type"] == "heatmap":
            (target,) = panel["targets"]
            assert (target["format"], target["legendFormat"]) == ("heatmap", "{{le}}"), panel["title"]
            assert panel["options"]["calculate"] is False


def test_probes_and_reflection_are_left_out_of_calls(dashboard):
    for query in dashboard.queries():
        for matchers in re.findall(r"grpc_server_\w+\{([^}]*)\}", query):
            assert r'grpc_service!~"grpc\\..*"' in matchers, query


def test_first_audio_is_looked_at_for_streams(dashboard):
    """A whole reply's first audio is all of it: it would say nothing of what a listener waits."""
    for query in dashboard.queries():
        for matchers in re.findall(r"tts_time_to_first_audio_seconds_\w+\{([^}]*)\}", query):
            assert 'delivery="stream"' in matchers, query
