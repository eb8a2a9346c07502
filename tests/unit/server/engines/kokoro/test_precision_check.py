"""A precision is taken up if it sounds the same, and where that matters if it is faster; measured once."""

import pytest
import torch

from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.kokoro import precision_check
from phonoscope.server.engines.kokoro.precision import in_precision
from phonoscope.server.engines.kokoro.precision_check import PrecisionCheck

STYLE = torch.linspace(-1, 1, 8)


@pytest.fixture(scope="module")
def quick(network):
    return in_precision(network, torch.bfloat16)


@pytest.fixture
def measures(monkeypatch):
    """Replaces both measurements; returns how often each ran."""
    calls = {"distance": 0, "speedup": 0}

    def distance(*_):
        calls["distance"] += 1
        return calls.get("db", 0.1)

    def speedup(*_):
        calls["speedup"] += 1
        return calls.get("ratio", 2.0)

    monkeypatch.setattr(precision_check, "_distance_db", distance)
    monkeypatch.setattr(precision_check, "_speedup", speedup)
    return calls


@pytest.mark.parametrize(
    ("db", "ratio", "must_be_faster", "is_better"),
    [(0.1, 2.0, True, True), (0.1, 0.9, True, False), (0.1, 0.9, False, True), (1.5, 2.0, True, False)],
)
def test_it_compares_sound_and_speed(network, quick, measures, db, ratio, must_be_faster, is_better):
    measures |= {"db": db, "ratio": ratio}
    check = PrecisionCheck(Decisions(None), must_be_faster=must_be_faster)
    with torch.inference_mode():
        assert check.compare(network, quick, STYLE)[0] is is_better
    assert measures["speedup"] == (must_be_faster and db < 1)


def test_a_second_start_measures_nothing(network, quick, measures, tmp_path):
    for _ in range(2):
        with torch.inference_mode():
            _, measured = PrecisionCheck(Decisions(tmp_path), must_be_faster=True).compare(network, quick, STYLE)
    assert measured == {"log_mel_distance_db": 0.1, "speedup": 2.0}
    assert (measures["distance"], measures["speedup"]) == (1, 1)


def test_the_distance_is_of_speech(network, quick):
    with torch.inference_mode():
        _, measured = PrecisionCheck(Decisions(None), must_be_faster=False).compare(network, quick, STYLE)
        _, same = PrecisionCheck(Decisions(None), must_be_faster=False).compare(network, network, STYLE)
    assert 0 < measured["log_mel_distance_db"] < 3
    assert same["log_mel_distance_db"] == 0
