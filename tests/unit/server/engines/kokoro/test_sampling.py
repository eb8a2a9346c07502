"""A sample of an utterance stands for all of it."""

import pytest
import torch

from phonoscope.server.engines.kokoro import sampling
from phonoscope.server.engines.kokoro.sampling import MARGIN, choose_sample

PER_POINT = 60
POINTS = 200


@pytest.fixture
def signal():
    """A signal of four sounds, one of them rare and loud, and its source."""
    source = torch.Generator().manual_seed(2)
    kind = torch.randint(0, 3, (POINTS,), generator=source)
    kind[[31, 32, 77, 150]] = 3
    level = torch.tensor([0.1, 1.0, 2.0, 9.0])[kind].repeat_interleave(PER_POINT)
    x = torch.randn(1, 6, 1, POINTS * PER_POINT + 1, generator=source)
    x[..., :-1] *= level
    return x, x[:, :4].abs()


def test_it_is_short_parts_with_weights_that_add_up(signal, monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE_POINTS", 24)
    sample = choose_sample(*signal, POINTS)
    assert 12 <= len(sample.starts) <= 24
    assert sample.length == PER_POINT + 2 * MARGIN
    assert min(sample.starts) >= 0
    assert max(sample.starts) + sample.length <= signal[0].shape[3]
    assert bool((sample.weights >= 0).all())
    assert float(sample.weights.sum()) == pytest.approx(1, abs=1e-5)


def test_the_same_utterance_has_the_same_sample(signal):
    first, again = choose_sample(*signal, POINTS), choose_sample(*signal, POINTS)
    assert first.starts == again.starts
    assert torch.equal(first.weights, again.weights)


def test_it_estimates_better_than_even_distances(signal, monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE_POINTS", 24)
    x = signal[0]
    wanted = x.square().mean(dim=3)
    sample = choose_sample(*signal, POINTS)
    parts = [x[..., start + MARGIN : start + MARGIN + PER_POINT].square().mean(dim=3) for start in sample.starts]
    chosen = (torch.stack(parts) * sample.weights[:, None, None, None]).sum(dim=0)
    even = x[..., :-1].unflatten(3, (POINTS, PER_POINT))[:, :, :, ::8].square().mean(dim=(3, 4))
    assert (chosen - wanted).abs().max() < 0.3 * (even - wanted).abs().max()


def test_a_sample_of_few_points_is_all_of_them():
    x = torch.randn(1, 3, 1, 5 * PER_POINT + 1)
    sample = choose_sample(x, x, 5)
    assert len(sample.starts) == 5
    torch.testing.assert_close(sample.weights, torch.full((5,), 0.2), atol=0.02, rtol=0)
