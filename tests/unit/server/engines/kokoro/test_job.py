"""Utterances that are longer than the network reads at once."""

from types import SimpleNamespace

import pytest

from phonoscope.server.engines.kokoro.job import cut_symbols, joined_frames, own_job, own_step

SPACE = 16


def test_an_utterance_that_fits_is_one_part():
    assert list(cut_symbols((0, 5, 6, 0), 2, SPACE)) == [(5, 6)]


def test_a_longer_one_is_cut_after_its_spaces():
    symbols = (0, 5, 6, SPACE, 7, SPACE, 8, 9, 0)
    assert list(cut_symbols(symbols, 5, SPACE)) == [(5, 6, SPACE, 7, SPACE), (8, 9)]
    assert list(cut_symbols(symbols, 4, SPACE)) == [(5, 6, SPACE), (7, SPACE, 8, 9)]


def test_one_without_spaces_is_cut_anywhere_and_nothing_is_lost():
    cuts = list(cut_symbols((0, *range(20, 31), 0), 4, SPACE))
    assert [number for cut in cuts for number in cut] == list(range(20, 31))
    assert max(map(len, cuts)) == 4


def test_pads_between_parts_belong_to_the_phonemes_beside_them():
    parts = [SimpleNamespace(frames=(1, 2, 3, 4)), SimpleNamespace(frames=(5, 6, 7))]
    assert joined_frames(parts) == (1, 2, 3 + 4, 5 + 6, 7)


def test_the_jobs_and_steps_of_others_are_refused():
    with pytest.raises(TypeError, match="not a job of the Kokoro engine"):
        own_job(SimpleNamespace())
    with pytest.raises(TypeError, match="no part"):
        own_step(SimpleNamespace(kind="prepare"))
