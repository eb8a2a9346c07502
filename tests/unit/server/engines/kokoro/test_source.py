"""The harmonic source: sines where there is a voice, noise where there is none."""

import pytest
import torch

from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.kokoro.source import HarmonicSource

POINTS = 80


@pytest.fixture
def source():
    made = HarmonicSource(300).requires_grad_(False)
    made.l_linear.weight.zero_()
    made.l_linear.weight[0, 0] = 1.0
    made.l_linear.bias.zero_()
    return made


def test_its_pitch_is_f0(source):
    samples = source(torch.full((POINTS,), 200.0), torch.zeros(POINTS * 300))
    spectrum = torch.fft.rfft(samples).abs()
    peak_hz = spectrum.argmax().item() * SAMPLE_RATE_HZ / len(samples)
    assert peak_hz == pytest.approx(200.0, abs=1.0)
    assert samples.abs().max() == pytest.approx(0.1, rel=0.01)


def test_it_is_noise_where_f0_is_low(source):
    noise = torch.randn(POINTS * 300)
    quiet = source(torch.full((POINTS,), 5.0), noise)
    torch.testing.assert_close(quiet, torch.tanh(noise * 0.1 / 3))


def test_one_draw_has_the_spread_of_nine(source):
    source.l_linear.weight.fill_(1.0)
    samples = source(torch.zeros(POINTS), torch.randn(POINTS * 300, generator=torch.Generator().manual_seed(1)))
    assert samples.std().item() == pytest.approx(0.1, rel=0.05)  # three times one sine's: the root of nine
