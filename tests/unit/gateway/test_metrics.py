"""The metrics' sink: what every event changes."""

from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from phonoscope.gateway.events import Event, FirstAudio, RequestEnded, RequestStarted
from phonoscope.gateway.metrics import GatewayMetrics

LABELS = {"http_request_method": "POST", "http_route": "/v1/speech"}


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def sink(registry):
    return GatewayMetrics(registry, [("POST", "/v1/speech", 200)], lambda: "")


def test_series_exist_from_the_start(sink, registry):
    labels = {**LABELS, "http_response_status_code": "200"}
    assert registry.get_sample_value("http_server_request_duration_seconds_count", labels) == 0


def test_a_request_is_active_until_it_ends(sink, registry):
    def active():
        return registry.get_sample_value("http_server_active_requests", {"http_request_method": "POST"})

    sink(RequestStarted("POST"))
    assert active() == 1
    sink(RequestEnded("POST", "/v1/speech", 200, 0.5, 100))
    assert active() == 0
    labels = {**LABELS, "http_response_status_code": "200"}
    assert registry.get_sample_value("http_server_request_duration_seconds_sum", labels) == 0.5
    assert registry.get_sample_value("http_server_response_body_size_bytes_sum", LABELS) == 100


def test_first_audio_is_observed_by_route(sink, registry):
    sink(FirstAudio("/v1/speech", 0.25))
    labels = {"http_route": "/v1/speech"}
    assert registry.get_sample_value("gateway_time_to_first_audio_seconds_sum", labels) == 0.25


def test_durations_have_the_trace_as_exemplar(registry):
    sink = GatewayMetrics(registry, [], lambda: "0af7")
    sink(FirstAudio("/v1/speech", 0.25))
    samples = [sample for family in registry.collect() for sample in family.samples if sample.exemplar]
    assert [sample.exemplar.labels for sample in samples] == [{"trace_id": "0af7"}]


def test_every_event_has_a_handler(sink):
    assert set(sink._handlers) == set(get_args(Event))
