"""Batches: lengths from a small fixed set, and context around windows as far as their utterances reach."""

from dataclasses import replace

import pytest
import torch

from phonoscope.server.engines.mask import SpanMask
from phonoscope.server.engines.vits.batches import (
    FrameBatch,
    TextBatch,
    phoneme_speeds,
)
from phonoscope.server.engines.vits.lengths import COARSE_STEPS, FINE_STEPS, padded_lengths
from phonoscope.server.engines.vits.plan import VitsPlan, Window
from phonoscope.server.engines.vits.plan import VitsUtterance as Utterance


def plan_of(frames):
    latents = torch.arange(1.0, frames + 1).repeat(2, 1)  # frame n holds n + 1
    return VitsPlan("v", frames, 256, 22050, (frames,), latents=latents, speaker=None)


def utterance(phonemes, seed=0):
    return Utterance("v", tuple(range(1, phonemes + 1)), 3, 1.5, 0.6, 0.8, seed)


def test_utterances_are_padded_together_and_draw_their_own_noise():
    sources = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    batch = TextBatch.of([utterance(5), utterance(9)], sources)
    assert batch.ids.shape == (2, 9)
    assert batch.ids[0].tolist() == [1, 2, 3, 4, 5] + [0] * 4
    assert batch.mask == SpanMask(((0, 5), (0, 9)), 9)
    alone = TextBatch.of([utterance(9)], [torch.Generator().manual_seed(2)])
    assert batch.duration_noise[1].equal(alone.duration_noise[0])
    assert batch.length_scales.tolist() == [[1.5], [1.5]]
    assert batch.speakers.tolist() == [3, 3]


def test_each_phoneme_has_its_own_speed_and_padding_has_one():
    first = replace(utterance(2), speed=2.0, rates=(0.5, 1.5))
    batch = TextBatch.of([first, utterance(3)], [torch.Generator(), torch.Generator()])
    assert batch.speeds.tolist() == [[1.0, 3.0, 1.0], [1.0] * 3]
    assert phoneme_speeds([replace(utterance(2), speed=2.0)], 3).tolist() == [[2.0, 2.0, 1.0]]


def test_a_window_inside_an_utterance_is_filled_with_its_own_frames():
    batch = FrameBatch.of([Window(plan_of(200), 50, 70)], context=10, steps=FINE_STEPS)
    assert batch.offset == 10
    assert batch.mask is None, "frames there are, so nothing is padding"
    assert batch.latents[0, 0, 0].tolist() == list(range(41, 81))


def test_the_end_of_an_utterance_is_followed_by_zeros():
    batch = FrameBatch.of([Window(plan_of(60), 50, 60)], context=10, steps=FINE_STEPS)
    assert batch.latents[0, 0, 0].tolist() == [*range(41, 61), 0, 0, 0, 0]
    assert batch.mask == SpanMask(((0, 20),), 24)


def test_windows_start_at_the_same_place_whatever_lies_before_them():
    batch = FrameBatch.of([Window(plan_of(100), 0, 8), Window(plan_of(100), 50, 58)], context=4, steps=FINE_STEPS)
    assert batch.offset == 4
    assert batch.latents[:, 0, 0, 4].tolist() == [1, 51]
    assert batch.mask == SpanMask(((4, 16), (0, 16)), 16)


def test_near_keeps_the_context_that_is_asked_for_and_a_length_of_the_set():
    batch = FrameBatch.of([Window(plan_of(200), 50, 70)], context=20, steps=FINE_STEPS)
    near = batch.near(4)
    assert near.start == batch.offset - 4
    assert near.stop - near.start == 32
    assert near.stop <= batch.latents.shape[3]


@pytest.mark.parametrize("steps", [FINE_STEPS, COARSE_STEPS])
@pytest.mark.parametrize("stop", range(85, 101))
@pytest.mark.parametrize("start", [0, 21, 70])
def test_near_has_a_length_of_the_set_at_the_end_of_an_utterance_too(start, stop, steps):
    batch = FrameBatch.of([Window(plan_of(100), start, stop)], context=20, steps=steps)
    near = batch.near(4)
    assert near.stop - near.start in padded_lengths(200, steps)
    assert 0 <= near.start <= max(0, batch.offset - 4)
    assert min(batch.latents.shape[3], batch.offset + stop - start + 4) <= near.stop <= batch.latents.shape[3]
