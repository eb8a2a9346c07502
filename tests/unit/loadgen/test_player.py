"""What somebody who listens would have heard."""

import pytest

from phonoscope.loadgen.player import Player


def played(*chunks: tuple[float, float]) -> Player:
    player = Player()
    for at, audio_seconds in chunks:
        player.play(at, audio_seconds)
    return player


def test_chunks_that_come_in_time_are_played_without_a_gap():
    player = played((10.0, 1.0), (10.4, 1.0), (11.9, 1.0))
    assert player.underruns == 0
    assert player.first_audio_at == 10.0
    assert player.audio_seconds == 3.0
    assert player.gaps_seconds == pytest.approx([0.4, 1.5])


def test_a_chunk_at_the_very_end_of_the_one_before_is_in_time():
    assert played((10.0, 1.0), (11.0, 1.0)).underruns == 0


def test_a_late_chunk_is_an_underrun_and_playing_continues_from_there():
    assert played((10.0, 1.0), (11.5, 1.0), (12.4, 1.0)).underruns == 1
    assert played((10.0, 1.0), (11.5, 1.0), (12.6, 1.0)).underruns == 2


def test_who_heard_nothing_has_no_first_audio():
    assert Player().first_audio_at is None
