"""A precision is compared with float32 once for each network, CPU and version."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.vits import precision_check
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.precision_check import PrecisionCheck, weights_digest

CPU = torch.device("cpu")


class Rendering:
    """Renders nothing, at a set pace, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
        self.calls = 0
        self._now = 0.0
        self._seconds = seconds
        monkeypatch.setattr(precision_check.time, "perf_counter", lambda: self._now)

    def __call__(self, model, window):
        self.calls += 1
        self._now += self._seconds[str(model.dec.conv_pre.weight.dtype).removeprefix("torch.")]
        return np.zeros(window.frames * 256, np.float32)


@pytest.fixture(scope="module")
def loaded(choir_path):
    return load_voice(choir_path, CPU)


@pytest.fixture
def quick(loaded):
    model = copy.deepcopy(loaded.model)
    model.dec.bfloat16()
    return replace(loaded, model=model)


@pytest.fixture
def prepare(loaded):
    return VitsEngine([loaded], CPU).prepare


def test_the_speedup_is_the_ratio_of_the_fastest_runs(loaded, quick, prepare, monkeypatch):
    render = Rendering(monkeypatch, float32=0.3, bfloat16=0.2)
    check = PrecisionCheck(Decisions(None), prepare, render, CPU)
    assert check.speedup(loaded, quick) == pytest.approx(1.5)


def test_a_comparison_is_made_once_for_the_same_network(loaded, quick, prepare, monkeypatch, tmp_path):
    render = Rendering(monkeypatch, float32=0.3, bfloat16=0.2)
    for _ in range(2):
        check = PrecisionCheck(Decisions(tmp_path), prepare, render, CPU)
        assert check.distance_db(loaded, quick) == 0
        assert check.speedup(loaded, quick) == pytest.approx(1.5)
    assert render.calls == 2 + 8


def test_another_network_is_compared_anew(loaded, quick, prepare, monkeypatch, tmp_path):
    render = Rendering(monkeypatch, float32=0.3, bfloat16=0.2)
    PrecisionCheck(Decisions(tmp_path), prepare, render, CPU).distance_db(loaded, quick)
    other = copy.deepcopy(loaded.model)
    other.dec.conv_pre.bias.data[0] += 1
    PrecisionCheck(Decisions(tmp_path), prepare, render, CPU).distance_db(replace(loaded, model=other), quick)
    assert render.calls == 4


def test_the_speedup_is_measured_anew_with_another_number_of_threads(loaded, quick, prepare, monkeypatch, tmp_path):
    render = Rendering(monkeypatch, float32=0.3, bfloat16=0.2)
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        PrecisionCheck(Decisions(tmp_path), prepare, render, CPU).speedup(loaded, quick)
    assert render.calls == 16


def test_a_digest_depends_on_every_value(loaded):
    model = copy.deepcopy(loaded.model)
    assert weights_digest(model) == weights_digest(loaded.model)
    model.enc_p.emb.weight.data[3, 5] += 1e-6
    assert weights_digest(model) != weights_digest(loaded.model)
