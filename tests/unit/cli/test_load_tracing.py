"""Spans of the calls of `phonoscope bench`."""

import sys

from phonoscope.cli import load_tracing


def test_spans_are_made_of_calls_and_sent_at_the_end(run, server, monkeypatch):
    from opentelemetry.sdk.trace import TracerProvider

    import phonoscope.common.tracing

    class Tracing:
        provider = TracerProvider()
        was_shut_down = False

        def shutdown(self, seconds: float) -> None:
            self.was_shut_down = True

    tracing = Tracing()
    asked = []

    def build(service_name, **options):
        asked.append((service_name, options["endpoint"], options["sample_ratio"]))
        return tracing

    monkeypatch.setattr(phonoscope.common.tracing, "build_tracing", build)
    run("bench", "-s", server.target, "-n", 3, "--otlp-endpoint", "http://here:4317", "--trace-sample-ratio", 0.5)
    assert asked == [("phonoscope-loadgen", "http://here:4317", 0.5)]
    assert tracing.was_shut_down
    assert len({call.metadata["traceparent"] for call in server.calls}) == 3


def test_without_the_extra_the_endpoint_is_refused_by_name(run, server, monkeypatch):
    monkeypatch.setitem(sys.modules, "phonoscope.common.tracing", None)
    result = run("bench", "-s", server.target, "--otlp-endpoint", "http://here:4317")
    assert result.exit_code == 1
    assert "pip install 'phonoscope[tracing]'" in result.stderr
    assert server.calls == []


def test_an_endpoint_that_cannot_be_read_is_one_line(run, server):
    result = run("bench", "-s", server.target, "--otlp-endpoint", "http://here:4318/v1/traces")
    assert result.exit_code == 1
    assert result.stderr.startswith("phonoscope: ")
    assert "otlp_endpoint" in result.stderr


def test_a_collector_that_is_away_does_not_hold_up_the_end(run, server, monkeypatch):
    monkeypatch.setattr(load_tracing, "FLUSH_SECONDS", 0.2)
    result = run("bench", "-s", server.target, "-n", 3, "--otlp-endpoint", "http://127.0.0.1:1")
    assert result.exit_code == 0
    assert "ok 3   failed 0" in result.stdout
