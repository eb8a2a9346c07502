"""Plots of samples: what is in them, since how they look is for eyes."""

import re
from xml.etree import ElementTree as ET

import pytest

from phonoscope.loadgen.plots import (
    MAX_DOTS,
    distributions,
    first_audio,
    in_flight,
    latency_against_load,
    latency_over_time,
    whole_call,
)
from phonoscope.loadgen.samples import Sample

PLOTS = [latency_over_time, latency_against_load, distributions]


def a_sample(due: float = 0.0, seconds: float = 1.0, first: float | None = 0.1, error: str = "") -> Sample:
    return Sample(due, first, seconds, 2.0, 0, error)


def marks(svg: str) -> int:
    """The dots and ticks of a plot's data, which matplotlib writes as uses of one shape."""
    return len(re.findall(r"<use ", svg))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_plot_is_one_well_formed_svg_whatever_the_run(plot, count):
    svg = plot([a_sample(due=0.1 * number) for number in range(count)])
    assert ET.fromstring(svg).tag.endswith("svg")
    assert "ms" in svg or "milliseconds" in svg


@pytest.mark.parametrize("plot", PLOTS)
def test_the_same_run_gives_the_same_plot(plot):
    samples = [a_sample(due=0.1 * number) for number in range(50)]
    assert plot(samples) == plot(samples)


def test_every_call_is_a_dot_and_every_failure_a_tick():
    good = [a_sample(due=float(number)) for number in range(20)]
    failed = [a_sample(due=float(number), first=None, error="UNAVAILABLE") for number in range(5)]
    assert marks(latency_over_time([*good, *failed])) - marks(latency_over_time(good)) >= 5
    assert "refused or failed" in latency_over_time([*good, *failed])
    assert "refused or failed" not in latency_over_time(good)


def test_very_many_calls_are_not_all_drawn():
    samples = [a_sample(due=0.001 * number) for number in range(3 * MAX_DOTS)]
    assert marks(latency_over_time(samples)) < MAX_DOTS + 200


def test_calls_in_flight_are_counted_when_a_call_is_due():
    samples = [a_sample(0.0, 2.0), a_sample(1.0, 2.0), a_sample(2.0, 1.0), a_sample(10.0, 1.0)]
    assert in_flight(samples) == [1, 2, 2, 1]


def test_a_failed_call_has_no_length_and_one_without_audio_no_first_audio():
    assert (first_audio(a_sample()), whole_call(a_sample())) == (100.0, 1000.0)
    assert first_audio(a_sample(first=None)) is None
    assert whole_call(a_sample(error="INTERNAL")) is None


def test_a_cancelled_call_has_its_first_audio_and_no_length():
    cancelled = Sample(0.0, 0.1, 0.2, 2.0, 0, "", is_cancelled=True)
    assert (first_audio(cancelled), whole_call(cancelled)) == (100.0, None)
    assert "refused or failed" not in latency_over_time([cancelled])
