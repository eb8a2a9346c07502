"""Account: what a request's last events say."""

import time

import pytest

from phonoscope.server.events import AudioEncoded, Event, RequestFinished
from phonoscope.server.speech.request_stats import Account, accounted


def ended(account: Account) -> list[Event]:
    events: list[Event] = []
    account.tell_end(events.append, "rejected", "TEXT_EMPTY")
    return events


def test_the_end_names_what_is_known() -> None:
    account = Account(7, "id", 40, None, voice="joe", language="en-US", audio_seconds=2.0, engine_seconds=0.1)
    assert ended(account) == [
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


def test_encoding_is_told_from_its_first_piece_to_its_last() -> None:
    account = Account(7, "id", 40, None, encoding="mp3")
    began = account.entered
    account.encoded(began)
    account.encoded(began)
    (encoded, _) = ended(account)
    assert isinstance(encoded, AudioEncoded)
    assert encoded.encoding == "mp3"
    assert encoded.began == began
    assert encoded.seconds >= encoded.ended - began, "two pieces, both from the beginning"


def test_a_deadline_passes_and_no_deadline_never_does() -> None:
    assert not Account(1, "", 0, None).has_expired()
    assert not Account(1, "", 0, 1000.0).has_expired()
    assert Account(1, "", 0, 1.0, entered=Account(1, "", 0, None).entered - 5.0).has_expired()


def test_a_chunk_is_unread_once_it_has_lain_there_for_so_long() -> None:
    now = time.monotonic()
    assert not Account(1, "", 0, None, max_unread_seconds=5.0).is_unread()
    assert not Account(1, "", 0, None, max_unread_seconds=5.0, unread_since=now - 1.0).is_unread()
    assert Account(1, "", 0, None, max_unread_seconds=5.0, unread_since=now - 6.0).is_unread()


async def test_a_stream_that_is_closed_unread_ends_with_that_reason() -> None:
    events: list[Event] = []
    account = Account(1, "", 0, None, max_unread_seconds=5.0, unread_since=time.monotonic() - 6.0)
    with pytest.raises(GeneratorExit):
        async with accounted(account, events.append):
            raise GeneratorExit
    assert isinstance(events[-1], RequestFinished)
    assert (events[-1].outcome, events[-1].reason) == ("cancelled", "STREAM_NOT_READ")
