"""The precision of a vocoder: which one, how far from float32, and what stays in float32."""

import numpy as np
import pytest
import torch

from phonoscope.common.errors import SettingsError
from phonoscope.server.engines.vits import precision
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.precision import (
    in_precision,
    log_mel_distance_db,
    precision_name,
    resolve_precision,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
RATE_HZ = 22_050


@pytest.fixture(scope="module")
def model(choir_path):
    return load_voice(choir_path, CPU).model


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


class TestInPrecision:
    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
    def test_the_copy_makes_the_same_sound(self, model, dtype, tolerance):
        quick = in_precision(model, dtype)
        z = torch.randn(1, model.shape.flow.latent_channels, 1, 40, generator=torch.Generator().manual_seed(3))
        speaker = model.speaker(torch.tensor([2]))
        with torch.inference_mode():
            wanted = model.dec(model.flow(z, None, speaker), None, speaker)
            made = quick.dec(quick.flow(z.to(dtype), None, speaker.to(dtype)), None, speaker.to(dtype))
        assert made.dtype == torch.float32
        assert float((made - wanted).abs().max()) <= tolerance * float(wanted.abs().max())

    def test_rhythm_stays_in_float32(self, model):
        quick = in_precision(model, torch.bfloat16)
        ids = torch.arange(24).unsqueeze(0)
        noise = torch.zeros(1, 2, 1, 24)
        speaker = model.speaker(torch.tensor([0]))
        with torch.inference_mode():
            wanted, made = (network.prior(ids, None, noise, speaker) for network in (model, quick))
        torch.testing.assert_close(made.log_duration, wanted.log_duration, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(made.mean, wanted.mean, rtol=1e-4, atol=1e-4)

    def test_the_original_stays_as_it_was(self, model):
        in_precision(model, torch.bfloat16)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
