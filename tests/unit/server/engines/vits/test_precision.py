"""A network in another precision: the same sound, and what stays in float32."""

import pytest
import torch

from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.precision import in_precision

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(choir_path):
    return load_voice(choir_path, CPU).model


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
