"""docs/metrics.md tells of every metric that the server can have, and of no other: names, types, labels, buckets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family

from phonoscope.common.call_events import CALL_KINDS, Method
from phonoscope.common.call_metrics import CODE_NAMES, CallMetrics
from phonoscope.common.errors import InvalidRequest, NotReady, NotServed, Overloaded
from phonoscope.common.trace_metrics import RESULTS, TraceMetrics
from phonoscope.emotion.events import HealthChanged as EmotionHealthChanged
from phonoscope.emotion.events import StartupPhaseEnded as EmotionStartupPhaseEnded
from phonoscope.emotion.telemetry.metrics import MetricsSink as EmotionMetrics
from phonoscope.gateway.app import endings
from phonoscope.gateway.events import FirstAudio
from phonoscope.gateway.metrics import GatewayMetrics
from phonoscope.server.engines.tone import ToneEngine
from phonoscope.server.events import (
    STAGES,
    ConditioningKept,
    Delivery,
    EmotionFallback,
    HealthChanged,
    IdleWorkDone,
    Outcome,
    StartupPhaseEnded,
    VoiceLoaded,
)
from phonoscope.server.telemetry.gpu import _GAUGES
from phonoscope.server.telemetry.metrics import BEFORE_REQUESTS, MetricsSink
from phonoscope.server.telemetry.recording_metrics import RecordingMetrics

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"
TEXT = PAGE.read_text()
ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*)\|(?P<tells>[^|]+)\|(?P<good>[^|]+)\|")
BUCKETS = re.compile(r"^- (?P<names>`\w+`(?:, `\w+`)*): (?P<bounds>-?\d[\d., -]*)$", re.MULTILINE)
SUFFIX = {"counter": "_total", "info": "_info"}

Metric = tuple[str, str, frozenset[str]]


def of_page() -> list[Metric]:
    rows = [
        line for line in TEXT.splitlines() if re.match(r"\| `(grpc_server|tts|http_server|gateway|emotion)_", line)
    ]
    found = [ROW.fullmatch(line) for line in rows]
    assert all(found), "a row has no five cells"
    return [(row["name"], row["type"], frozenset(re.findall(r"`(\w+)`", row["labels"]))) for row in found if row]


def families() -> Iterator[Family]:
    """Every family that our code makes, of all the places where it does."""
    registry = CollectorRegistry()
    CallMetrics(registry, [Method("a.B", "C", "unary")], str)
    TraceMetrics(registry)
    RecordingMetrics(registry, str)(ConditioningKept("indextts", 0, 0))
    gateway = GatewayMetrics(registry, endings(), str)
    gateway(FirstAudio("/v1/speech", 0.1))
    sink = MetricsSink(registry, str)
    sink.make_voice_series({"joe": ToneEngine.step_kinds})
    sink.watch_engines(["tone"], dict, float)
    sink.build(version="1", revision="8df7b4d", torch="2", cuda="", device="cpu", precision="float32")
    sink(VoiceLoaded("joe", "cpu", 1.0))
    sink(StartupPhaseEnded("warm_up", 0.2))
    sink(IdleWorkDone("tone", 0, 0.1))
    sink(HealthChanged("", is_serving=True))
    sink.make_emotion_series()
    emotion = EmotionMetrics(registry)
    emotion.make_series(["en"])
    emotion.build(version="1", revision="8df7b4d", model="embedded")
    emotion(EmotionStartupPhaseEnded("import", 0.1))
    emotion(EmotionHealthChanged("", is_serving=True))
    return iter(registry.collect())


def of_code() -> set[Metric]:
    own = {
        (
            family.name + SUFFIX.get(family.type, ""),
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in families()
    }
    return own | {(name, "gauge", frozenset({"gpu"})) for name, *_ in _GAUGES}


def test_the_page_and_the_code_name_the_same_metrics() -> None:
    assert set(of_page()) == of_code()
    assert len(of_page()) == len(of_code()), "a metric has two rows"


def test_the_page_and_the_code_have_the_same_buckets() -> None:
    told = {
        name: [float(bound) for bound in match["bounds"].split(", ")]
        for match in BUCKETS.finditer(TEXT)
        for name in re.findall(r"`(\w+)`", match["names"])
    }
    made = {
        family.name: list(dict.fromkeys(float(s.labels["le"]) for s in family.samples if "le" in s.labels))[:-1]
        for family in families()
        if family.type == "histogram"
    }
    assert told == made


def test_the_page_says_which_histogram_has_no_sum() -> None:
    without = {
        family.name
        for family in families()
        if family.type == "histogram" and not any(sample.name.endswith("_sum") for sample in family.samples)
    }
    rows = [line.split("`")[1] for line in TEXT.splitlines() if "No `_sum`" in line]
    assert set(rows) == without


def test_the_page_names_every_value_of_the_labels_that_it_lists() -> None:
    section = TEXT.split("## Labels")[0]
    for values in (
        (*STAGES, *ToneEngine.step_kinds),
        get_args(Delivery),
        get_args(Outcome),
        RESULTS,
        get_args(EmotionFallback),
    ):
        for value in values:
            assert f"`{value}`" in section, value
    for kind in CALL_KINDS.values():
        assert f"`{kind}`" in TEXT, kind
    assert len(CODE_NAMES) == 17  # as the page says


def test_the_page_names_the_reasons_that_requests_cannot_have() -> None:
    (sentence,) = re.findall(r"^(.*) are not reasons of `tts_requests_total`", TEXT, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(BEFORE_REQUESTS)
    reasons = {*InvalidRequest.REASONS, *NotServed.REASONS, *Overloaded.REASONS, *NotReady.REASONS}
    assert set(BEFORE_REQUESTS) <= reasons
