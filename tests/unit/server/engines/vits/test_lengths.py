"""Lengths come from small sets, and pieces of these lengths cover a sequence once."""

import itertools
import math

import pytest

from phonoscope.server.engines.vits.lengths import (
    COARSE_STEPS,
    FINE_STEPS,
    padded_length,
    padded_lengths,
    piece_lengths,
    pieces,
)


@pytest.mark.parametrize(("length", "padded"), [(1, 8), (8, 8), (9, 16), (128, 128), (129, 144), (1025, 1280)])
def test_lengths_are_rounded_up_to_a_small_set(length, padded):
    assert padded_length(length) == padded
    assert padded_length(length, FINE_STEPS) == 8 * math.ceil(length / 8)


def test_the_set_of_lengths_is_small_and_a_sixteenth_apart():
    lengths = padded_lengths(1024, COARSE_STEPS)
    assert lengths[0] == 8
    assert lengths[-1] == 1024
    assert len(lengths) == 40
    assert lengths == [padded_length(length) for length in lengths]
    assert all(after - before <= max(8, before / 8) for before, after in itertools.pairwise(lengths))


# Units, context and maximum of the three stages of a medium voice.
STAGES = [(8, 7, 512), (64, 7, 1024), (512, 13, 4096)]


@pytest.mark.parametrize(("unit", "reach", "most"), [*STAGES, (8, 7, 1), (1, 0, 5)])
@pytest.mark.parametrize("units", [1, 3, 8, 9, 13, 38, 65, 142, 500])
def test_pieces_cover_a_sequence_once_with_context_and_have_few_lengths(unit, reach, most, units):
    length, lengths = units * unit, piece_lengths(most, unit, reach)
    cut = list(pieces(length, lengths, reach))
    assert [cut[0].start, cut[-1].stop] == [0, length]
    assert all(before.stop == after.start for before, after in itertools.pairwise(cut))
    for piece in cut:
        assert 0 <= piece.left <= max(0, piece.start - reach)
        assert min(length, piece.stop + reach) <= piece.right <= length
        assert piece.right - piece.left in lengths


@pytest.mark.parametrize(("unit", "reach", "most"), STAGES)
@pytest.mark.parametrize("units", range(32, 150))
def test_pieces_of_a_sentence_repeat_little(unit, reach, most, units):
    computed = sum(p.right - p.left for p in pieces(units * unit, piece_lengths(most, unit, reach), reach))
    assert computed <= 1.16 * units * unit


def test_a_sequence_of_an_odd_length_is_covered_too():
    cut = list(pieces(13, piece_lengths(64, 8, 3), 3))
    assert [(p.left, p.right, p.start, p.stop) for p in cut] == [(0, 13, 0, 13)]


def test_a_piece_is_longer_than_its_context():
    assert piece_lengths(1, 8, 7) == [8, 16]
    assert piece_lengths(100, 8, 7)[-1] == 96
