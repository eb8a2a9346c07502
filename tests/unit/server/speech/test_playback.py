"""PlaybackClock against a player that is simulated millisecond by millisecond."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from phonoscope.server.speech.playback import PlaybackClock


@dataclass(frozen=True)
class Chunk:
    """Made at a millisecond, taken by gRPC at another, and so many milliseconds of sound."""

    made: int
    taken: int
    audio: int


def clocked(chunks: Sequence[Chunk]) -> list[tuple[float, float] | None]:
    clock = PlaybackClock()
    told = []
    for chunk in chunks:
        told.append(clock.chunk(chunk.made, chunk.audio))
        clock.resumed(chunk.taken)
    return told


def simulated(chunks: Sequence[Chunk]) -> list[tuple[float, float] | None]:
    """Plays the chunks a millisecond at a time; while a reader holds us up it still has something to play."""
    told: list[tuple[float, float] | None] = []
    buffered = silent = waited = last = 0
    queue = list(chunks)
    held_until = -1
    for now in range(chunks[-1].made + 1):
        if queue and queue[0].made == now:
            chunk = queue.pop(0)
            told.append((waited, buffered or -silent) if told else None)
            buffered, silent, waited, last = buffered + chunk.audio, 0, 0, chunk.audio
            held_until = chunk.taken
        if now == held_until:
            buffered = max(buffered, last)  # what was taken just now cannot have been played
        is_held = now < held_until
        waited += not is_held
        if buffered:
            buffered -= 1
        elif told and not is_held:
            silent += 1
    return told


def a_stream(seed: int, *, slowest_reader: int) -> list[Chunk]:
    rng = random.Random(seed)
    chunks, now = [], rng.randrange(50)
    for _ in range(rng.randrange(2, 30)):
        taken = now + rng.randrange(slowest_reader + 1)
        chunks.append(Chunk(now, taken, rng.randrange(1, 80)))
        now = taken + rng.choice((1, 5, 30, rng.randrange(1, 200)))
    return chunks


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_a_player_whose_reader_takes_all_at_once(seed: int) -> None:
    chunks = a_stream(seed, slowest_reader=0)
    assert clocked(chunks) == simulated(chunks)


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_a_player_whose_reader_is_slow_at_times(seed: int) -> None:
    chunks = a_stream(seed, slowest_reader=150)
    assert clocked(chunks) == simulated(chunks)


def test_the_simulated_streams_hold_what_they_are_for() -> None:
    slacks = [played[1] for seed in range(40) for played in simulated(a_stream(seed, slowest_reader=0)) if played]
    assert sum(slack < 0 for slack in slacks) > 20
    assert sum(slack > 0 for slack in slacks) > 20


def test_the_first_chunk_starts_the_player_and_has_neither_gap_nor_slack() -> None:
    assert PlaybackClock().chunk(7.0, 1.0) is None


def test_chunks_that_come_early_add_up() -> None:
    clock = PlaybackClock()
    clock.chunk(10.0, 2.0)
    assert clock.chunk(10.5, 2.0) == (0.5, 1.5)
    assert clock.chunk(11.5, 2.0) == (1.0, 2.5)


def test_a_player_that_ran_dry_starts_again_with_the_late_chunk() -> None:
    clock = PlaybackClock()
    clock.chunk(10.0, 1.0)
    assert clock.chunk(13.0, 1.0) == (3.0, -2.0)
    assert clock.chunk(13.5, 1.0) == (0.5, 0.5)


def test_a_chunk_at_the_last_instant_is_not_an_underrun() -> None:
    clock = PlaybackClock()
    clock.chunk(10.0, 1.0)
    assert clock.chunk(11.0, 1.0) == (1.0, 0.0)


def test_a_slow_reader_is_not_counted_as_an_underrun() -> None:
    clock = PlaybackClock()
    clock.chunk(10.0, 1.0)
    clock.resumed(60.0)
    assert clock.chunk(60.5, 1.0) == (0.5, 0.5)
    assert clock.chunk(62.5, 1.0) == (2.0, -0.5)


def test_a_reader_that_held_us_up_has_all_of_that_chunk_still_to_play() -> None:
    clock = PlaybackClock()
    clock.chunk(10.0, 2.0)
    clock.resumed(11.0)
    assert clock.chunk(11.5, 2.0) == (0.5, 1.5)


def test_a_reader_that_held_us_up_less_than_it_had_to_play_loses_nothing() -> None:
    clock = PlaybackClock()
    clock.chunk(10.0, 5.0)
    clock.chunk(10.0, 1.0)
    clock.resumed(11.0)
    assert clock.chunk(11.5, 1.0) == (0.5, 4.5)


def test_streams_are_followed_apart() -> None:
    one, other = PlaybackClock(), PlaybackClock()
    one.chunk(0.0, 100.0)
    other.chunk(50.0, 1.0)
    assert other.chunk(52.0, 1.0) == (2.0, -1.0)
    assert one.chunk(52.0, 1.0) == (52.0, 48.0)


def test_a_chunk_that_waited_for_its_text_is_a_first_one_again() -> None:
    clock = PlaybackClock()
    assert clock.chunk(10.0, 1.0) is None
    clock.restart()
    assert clock.chunk(50.0, 1.0) is None
    _gap, slack = clock.chunk(50.5, 1.0) or (None, None)
    assert slack == 0.5
