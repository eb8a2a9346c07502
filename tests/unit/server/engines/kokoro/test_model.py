"""Several utterances at once have the results that each has alone."""

import pytest
import torch

COUNTS = (9, 4, 20)


@pytest.fixture(scope="module")
def alone(plan):
    return [plan(count)[0] for count in COUNTS]


@pytest.fixture(scope="module")
def together(plan):
    return plan(*COUNTS)


def test_durations_and_curves_do_not_depend_on_batch_mates(alone, together):
    for (frames, given), (other_frames, other) in zip(alone, together, strict=True):
        assert torch.equal(frames, other_frames)
        for name in ("text", "f0", "energy", "style", "noise"):
            torch.testing.assert_close(getattr(other, name), getattr(given, name), rtol=1e-4, atol=1e-4)


def test_padding_without_masks_would_change_them(plan):
    """The lengths of the batch differ enough for norms and convolutions to notice."""
    frames = [given.points for _, given in plan(*COUNTS)]
    assert len(set(frames)) == len(COUNTS)


def test_decoding_does_not_depend_on_batch_mates(network, alone):
    inputs = [given for _, given in alone]
    with torch.inference_mode():
        together = network.decode(inputs)
        for given, batched in zip(inputs, together, strict=True):
            [single] = network.decode([given])
            assert batched.x.shape == single.x.shape
            torch.testing.assert_close(batched.x, single.x, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(batched.source, single.source)


def test_speech_has_as_many_samples_as_its_durations(network, alone):
    frames, given = alone[0]
    with torch.inference_mode():
        [decoded] = network.decode([given])
        assert len(network.whole(decoded)) == int(frames.sum()) * network.shape.samples_per_frame
