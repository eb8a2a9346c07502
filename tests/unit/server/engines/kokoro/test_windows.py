"""Windows of an utterance join to the whole, given the moments of the whole."""

import pytest
import torch

from phonoscope.server.engines.kokoro.layers import Given
from phonoscope.server.engines.kokoro.moments import OwnMoments
from phonoscope.server.engines.kokoro.windows import Measured, Window, measure, render_windows, silent_window


class Recorded(OwnMoments):
    """Own moments that are kept."""

    def __init__(self):
        self.pairs = []

    def of(self, x, mask):
        self.pairs.append(super().of(x, mask))
        return self.pairs[-1]


@pytest.fixture(scope="module")
def decoded(network, plan):
    with torch.inference_mode():
        return network.decode([plan(12)[0][1]])[0]


@pytest.fixture(scope="module")
def exact(network, decoded):
    """The utterance with the moments of all of it."""
    generator, source, blocks = network.decoder.generator, Recorded(), Recorded()
    with torch.inference_mode():
        x = decoded.x + generator.last_source(decoded.source, Given(decoded.style, source))
        generator.last_blocks(x, Given(decoded.style, blocks))
    return Measured(decoded, source.pairs, blocks.pairs)


@pytest.fixture(scope="module")
def whole(network, decoded):
    with torch.inference_mode():
        return network.whole(decoded)


@pytest.mark.parametrize("points", [1, 7, 20])
def test_windows_have_no_seams(network, exact, whole, points):
    last = exact.decoded.points
    with torch.inference_mode():
        parts = [
            render_windows(network.decoder.generator, [Window(exact, start, min(start + points, last))])[0]
            for start in range(0, last, points)
        ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-4)


def test_less_context_would_make_seams(network, exact, whole, monkeypatch):
    monkeypatch.setattr(type(network.decoder.generator), "reach", 3)
    with torch.inference_mode():
        [made] = render_windows(network.decoder.generator, [Window(exact, 5, 15)])
    assert (made - whole[5 * 300 : 15 * 300]).abs().max() > 1e-3


def test_windows_of_one_length_run_together(network, exact, whole):
    windows = [
        Window(exact, 0, 10),
        Window(exact, 8, 18),
        Window(exact, exact.decoded.points - 10, exact.decoded.points),
    ]
    with torch.inference_mode():
        made = render_windows(network.decoder.generator, windows)
    for window, samples in zip(windows, made, strict=True):
        torch.testing.assert_close(samples, whole[window.start * 300 : window.stop * 300], rtol=0, atol=1e-4)


def test_measured_moments_are_near_the_exact_ones(network, decoded, exact):
    with torch.inference_mode():
        measured = measure(network.decoder.generator, decoded)
    assert len(measured.block_moments) == len(exact.block_moments)
    for (mean, variance), (wanted_mean, wanted) in zip(measured.block_moments, exact.block_moments, strict=True):
        torch.testing.assert_close(variance, wanted, rtol=0.3, atol=0.02)
        assert ((mean - wanted_mean).abs() < 0.3 * wanted.sqrt() + 0.02).all()


def test_a_silent_window_has_its_length(network):
    style = torch.zeros(2 * network.shape.style_channels)
    with torch.inference_mode():
        [samples] = render_windows(network.decoder.generator, [silent_window(network.decoder.generator, style, 20)])
    assert len(samples) == 20 * 300
