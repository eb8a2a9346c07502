"""The precision of a vocoder: which one, and how far from float32."""

import numpy as np
import pytest
import torch

from phonoscope.common.errors import SettingsError
from phonoscope.server.engines import precision
from phonoscope.server.engines.precision import log_mel_distance_db, precision_name, resolve_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
RATE_HZ = 22_050


@pytest.fixture
def cpu_with(monkeypatch):
    """Makes this CPU one with, or without, arithmetic in bfloat16."""
    return lambda has: monkeypatch.setattr(precision, "_cpu_multiplies_bfloat16", lambda: has)


class TestResolvePrecision:
    @pytest.mark.parametrize(("has", "best"), [(True, torch.bfloat16), (False, torch.float32)])
    def test_a_cpu_takes_the_best_that_it_has(self, cpu_with, has, best):
        cpu_with(has)
        assert resolve_precision("auto", CPU) == best

    def test_a_gpu_takes_float16(self):
        assert resolve_precision("auto", CUDA) == torch.float16
        assert resolve_precision("bfloat16", CUDA) == torch.bfloat16

    def test_a_name_is_taken_at_its_word(self, cpu_with):
        cpu_with(True)
        assert [resolve_precision(name, CPU) for name in ("float32", "bfloat16")] == [torch.float32, torch.bfloat16]

    @pytest.mark.parametrize(
        ("asked", "has", "way_out"),
        [("half", True, "use auto, float32"), ("float16", True, "float32 or bfloat16"), ("bfloat16", False, "AMX")],
    )
    def test_a_precision_that_the_cpu_lacks_is_refused_with_advice(self, cpu_with, asked, has, way_out):
        cpu_with(has)
        with pytest.raises(SettingsError, match=way_out):
            resolve_precision(asked, CPU)

    def test_a_cpu_without_onednn_has_no_bfloat16(self, monkeypatch):
        monkeypatch.setattr(precision, "can_pack_bfloat16", lambda: False)
        assert resolve_precision("auto", CPU) == torch.float32

    def test_names_are_those_of_torch(self):
        assert precision_name(torch.bfloat16) == "bfloat16"


class TestLogMelDistance:
    @pytest.fixture
    def noise(self):
        return (np.random.default_rng(1).standard_normal(RATE_HZ) * 0.1).astype(np.float32)

    def test_a_sound_is_no_distance_from_itself(self, noise):
        assert log_mel_distance_db(noise, noise, RATE_HZ) == 0

    def test_a_gain_is_as_far_as_it_has_decibels(self, noise):
        assert log_mel_distance_db(noise, noise * 10 ** (-3 / 20), RATE_HZ) == pytest.approx(3, abs=0.01)

    def test_what_is_inaudible_does_not_count(self, noise):
        assert log_mel_distance_db(noise * 1e-6, noise * 0, RATE_HZ) == 0

    def test_noise_in_silence_counts(self, noise):
        assert log_mel_distance_db(noise * 0, noise, RATE_HZ) > 20
