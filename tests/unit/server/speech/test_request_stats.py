"""RequestStats: what a request's last events report."""

import time

import pytest

from phonoscope.server.events import AudioEncoded, Event, RequestFinished
from phonoscope.server.speech.request_stats import RequestStats, recorded


def ended(stats: RequestStats) -> list[Event]:
    events: list[Event] = []
    stats.report_end(events.append, "rejected", "TEXT_EMPTY")
    return events


def test_the_end_names_what_is_known() -> None:
    stats = RequestStats(7, "id", 40, None, voice="joe", language="en-US", audio_seconds=2.0, engine_seconds=0.1)
    assert ended(stats) == [
        RequestFinished(
            7,
            "id",
            voice="joe",
            language="en-US",
            outcome="rejected",
            reason="TEXT_EMPTY",
            characters=40,
            audio_seconds=2.0,
            engine_seconds=0.1,
            first_audio_seconds=None,
        )
    ]


def test_encoding_lasts_from_its_first_piece_to_its_last() -> None:
    stats = RequestStats(7, "id", 40, None, encoding="mp3")
    began = stats.entered
    stats.encoded(began)
    stats.encoded(began)
    (encoded, _) = ended(stats)
    assert isinstance(encoded, AudioEncoded)
    assert encoded.encoding == "mp3"
    assert encoded.began == began
    assert encoded.seconds >= encoded.ended - began, "two pieces, both from the beginning"


def test_a_deadline_passes_and_no_deadline_never_does() -> None:
    assert not RequestStats(1, "", 0, None).has_expired()
    assert not RequestStats(1, "", 0, 1000.0).has_expired()
    assert RequestStats(1, "", 0, 1.0, entered=RequestStats(1, "", 0, None).entered - 5.0).has_expired()


def test_a_chunk_is_unread_once_it_has_lain_there_for_so_long() -> None:
    now = time.monotonic()
    assert not RequestStats(1, "", 0, None, max_unread_seconds=5.0).is_unread()
    assert not RequestStats(1, "", 0, None, max_unread_seconds=5.0, unread_since=now - 1.0).is_unread()
    assert RequestStats(1, "", 0, None, max_unread_seconds=5.0, unread_since=now - 6.0).is_unread()


async def test_a_stream_that_is_closed_unread_ends_with_that_reason() -> None:
    events: list[Event] = []
    stats = RequestStats(1, "", 0, None, max_unread_seconds=5.0, unread_since=time.monotonic() - 6.0)
    with pytest.raises(GeneratorExit):
        async with recorded(stats, events.append):
            raise GeneratorExit
    assert isinstance(events[-1], RequestFinished)
    assert (events[-1].outcome, events[-1].reason) == ("cancelled", "STREAM_NOT_READ")
