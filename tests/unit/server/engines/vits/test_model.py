"""The network as a whole: how far it looks, and that it is as long as it says."""

import pytest
import torch

from phonoscope.server.engines.mask import SpanMask
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.model import Vits

FRAMES = 101
MIDDLE = FRAMES // 2


@pytest.fixture(scope="module")
def model(choir_path):
    """A made voice's network in float64, with random weights that let the farthest tap be felt."""
    model = Vits(load_voice(choir_path, torch.device("cpu")).model.shape).double()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def frames(model):
    source = torch.Generator().manual_seed(2)
    return torch.randn(1, model.shape.flow.latent_channels, 1, FRAMES, generator=source, dtype=torch.float64)


@pytest.fixture
def speaker(model):
    return model.speaker(torch.tensor([1]))


def moved_frames(function, x, samples_per_frame):
    """Returns how far from a perturbed frame the output moves, in frames to the left and to the right."""
    perturbed = x.clone()
    perturbed[..., MIDDLE] += 1.0
    moved = (function(perturbed) != function(x)).any(1).flatten().nonzero().flatten() // samples_per_frame
    return MIDDLE - int(moved.min()), int(moved.max()) - MIDDLE


def test_the_flow_looks_exactly_as_far_as_it_says(model, frames, speaker):
    reach = model.shape.flow_context_frames
    assert moved_frames(lambda z: model.flow(z, None, speaker), frames, 1) == (reach, reach)


def test_the_generator_looks_exactly_as_far_as_it_says(model, frames, speaker):
    reach = model.shape.generator_context_frames
    left, right = moved_frames(lambda z: model.dec(z * 1e-3, None, speaker), frames, model.shape.samples_per_frame)
    assert max(left, right) == reach


def test_each_stage_of_the_generator_looks_exactly_as_far_as_it_says(model):
    for stage, (up, reach) in enumerate(zip(model.shape.generator.ups, model.dec.reaches, strict=True)):
        source = torch.Generator().manual_seed(3)
        x = torch.randn(1, up.in_channels, 1, FRAMES, generator=source, dtype=torch.float64) * 1e-2
        left, right = moved_frames(lambda x, stage=stage: model.dec.run_stage(stage, x, None), x, up.stride)
        assert max(left, right) == reach


@pytest.mark.parametrize("tile_values", [1, 700, 5000])
def test_tiles_do_not_change_the_waveform(model, frames, speaker, tile_values):
    torch.testing.assert_close(
        model.dec(frames, None, speaker, tile_values), model.dec(frames, None, speaker), rtol=0, atol=1e-12
    )


def test_a_mask_ends_the_waveform_as_the_end_of_the_frames_would(model, frames, speaker):
    mask = SpanMask.of([(0, 60)], FRAMES)
    before = frames.clone()
    spoken = 60 * model.shape.samples_per_frame
    masked = model.dec(frames, mask, speaker, 700)[..., :spoken]
    torch.testing.assert_close(masked, model.dec(frames[..., :60], None, speaker), rtol=0, atol=1e-12)
    assert frames.equal(before), "the caller's frames stay as they were"


def test_the_waveform_is_as_long_as_its_frames_and_within_full_scale(model, frames, speaker):
    waveform = model.dec(frames, None, speaker)
    assert waveform.shape == (1, 1, 1, FRAMES * model.shape.samples_per_frame)
    assert waveform.abs().max() <= 1


def test_speakers_differ_in_every_part(model, frames):
    ids = torch.arange(20).unsqueeze(0)
    noise = torch.zeros(1, 2, 1, 20, dtype=torch.float64)
    first, second = (model.speaker(torch.tensor([number])) for number in (0, 1))
    priors = [model.prior(ids, None, noise, speaker) for speaker in (first, second)]
    assert not priors[0].log_duration.allclose(priors[1].log_duration)
    assert priors[0].mean.equal(priors[1].mean), "the text encoder knows no speakers"
    assert not model.flow(frames, None, first).allclose(model.flow(frames, None, second))
    assert not model.dec(frames, None, first).allclose(model.dec(frames, None, second))
