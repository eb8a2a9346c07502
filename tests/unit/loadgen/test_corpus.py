"""Texts, and the calls made of them."""

import dataclasses
import itertools

import pytest

from phonoscope.loadgen.corpus import (
    LONG,
    MAX_CANCEL_DELAY_SECONDS,
    MEDIUM,
    REFUSED,
    SHORT,
    built_in_texts,
    planned_calls,
    texts_of,
    texts_within,
)
from phonoscope.loadgen.plan import LoadPlan, Mode


def some_calls(count=2000, texts=None, **plan):
    return list(itertools.islice(planned_calls(LoadPlan(**plan), texts or built_in_texts()), count))


def test_the_built_in_texts_are_of_many_lengths_and_all_different():
    lengths = [[len(text) for text in group] for group in (SHORT, MEDIUM, LONG)]
    assert max(lengths[0]) < min(lengths[1])
    assert max(lengths[1]) < min(lengths[2])
    assert min(lengths[2]) > 250
    assert len({*SHORT, *MEDIUM, *LONG}) == len(SHORT) + len(MEDIUM) + len(LONG)


def test_the_same_seed_gives_the_same_calls_and_another_seed_others():
    assert some_calls(mode=Mode.MIXED, bad_ratio=0.2, seed=4) == some_calls(mode=Mode.MIXED, bad_ratio=0.2, seed=4)
    assert some_calls(seed=4) != some_calls(seed=5)


@pytest.mark.parametrize(
    ("mode", "share"), [(Mode.STREAM, 1.0), (Mode.UNARY, 0.0), (Mode.MIXED, 0.7), (Mode.BIDI, 1.0)]
)
def test_the_mode_sets_the_share_of_streams(mode, share):
    assert sum(call.is_stream for call in some_calls(mode=mode)) / 2000 == pytest.approx(share, abs=0.04)


def test_every_text_comes_and_short_ones_most_often():
    said = [call.text for call in some_calls()]
    assert set(said) == {*SHORT, *MEDIUM, *LONG}
    short, medium, long = (sum(text in group for text in said) for group in (SHORT, MEDIUM, LONG))
    assert short > medium > long > 100


def test_the_ratio_of_bad_requests_is_kept_and_each_kind_comes():
    bad = [call for call in some_calls(bad_ratio=0.25, voice="joe") if call.is_bad]
    assert len(bad) / 2000 == pytest.approx(0.25, abs=0.04)
    assert {call.text for call in bad} == {text for text, _ in REFUSED}
    assert not any(call.is_bad for call in some_calls())


def test_the_voice_and_a_seed_of_its_own_are_in_each_call():
    calls = some_calls(voice="joe:3")
    assert {call.options["voice"] for call in calls} == {"joe:3"}
    assert len({call.options["seed"] for call in calls}) == 2000


def test_a_file_has_a_text_on_each_line(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\ufeffOne.\n\n  Zwei Größen. \r\nThree.\n", encoding="utf-8")
    assert texts_of(file) == (["One.", "Zwei Größen.", "Three."],)
    assert {call.text for call in some_calls(texts=texts_of(file))} == {"One.", "Zwei Größen.", "Three."}


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xff\xfe\xfa"])
def test_a_file_without_texts_is_refused(tmp_path, content):
    file = tmp_path / "texts.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"no text|utf-8"):
        texts_of(file)


def test_a_range_of_characters_chooses_among_the_texts():
    said = {call.text for call in some_calls(texts=texts_within(built_in_texts(), 64, 235))}
    assert said == {text for text in (*SHORT, *MEDIUM, *LONG) if 64 <= len(text) <= 235}


def test_the_built_in_texts_between_64_and_235_characters_are_many_and_spread():
    lengths = [len(text) for group in texts_within(built_in_texts(), 64, 235) for text in group]
    assert len(lengths) >= 15
    for longest in (100, 135, 200, 235):
        assert sum(longest - 36 <= length <= longest for length in lengths) >= 2


def test_a_range_without_texts_is_refused_with_the_lengths_that_there_are():
    with pytest.raises(ValueError, match="300 to 400 characters: the shortest has 3, the longest 5"):
        texts_within((["Yes", "Maybe"],), 300, 400)


def test_only_calls_of_bidi_have_a_pace():
    assert {call.tokens_per_second for call in some_calls(mode=Mode.BIDI, tokens_per_second=15.0, bad_ratio=0.5)} == {
        15.0
    }
    assert {call.tokens_per_second for call in some_calls(mode=Mode.STREAM, tokens_per_second=15.0)} == {None}


def test_the_ratio_of_cancelled_streams_is_kept_half_of_them_before_the_first_audio():
    cancelled = [call.cancellation for call in some_calls(cancel_ratio=0.25) if call.cancellation]
    assert len(cancelled) / 2000 == pytest.approx(0.25, abs=0.04)
    delays = [cancellation.delay_seconds for cancellation in cancelled if not cancellation.is_after_audio]
    assert len(delays) / len(cancelled) == pytest.approx(0.5, abs=0.1)
    assert 0 <= min(delays) < 0.1 * MAX_CANCEL_DELAY_SECONDS
    assert 0.9 * MAX_CANCEL_DELAY_SECONDS < max(delays) <= MAX_CANCEL_DELAY_SECONDS


def test_every_stream_is_cancelled_where_the_ratio_is_1_and_no_other_call_is():
    calls = some_calls(mode=Mode.MIXED, bad_ratio=0.3, cancel_ratio=1.0)
    assert all((call.cancellation is not None) == (call.is_stream and not call.is_bad) for call in calls)
    assert {call.is_stream for call in calls if call.is_bad} == {True, False}
    assert all(call.cancellation for call in some_calls(mode=Mode.BIDI, cancel_ratio=1.0))


def test_a_seed_gives_the_calls_that_it_has_always_given():
    """Runs are compared across versions: upper case is a stream, as of before there were cancellations."""
    calls = some_calls(24, ("abcd", "efgh", "ijkl"), mode=Mode.MIXED, seed=4)
    texts = [call.text.upper() if call.is_stream else call.text for call in calls]
    assert "".join(texts) == "cGeIBDGLCCDAaCAHKFegBDJE"
    assert calls[-1].options["seed"] == 14804966688114372003


def test_no_call_is_cancelled_where_none_is_asked_for():
    assert {call.cancellation for call in some_calls()} == {None}


def test_what_is_cancelled_changes_nothing_else_of_the_calls_of_a_seed():
    plain = some_calls(mode=Mode.MIXED, bad_ratio=0.2, seed=4)
    some = some_calls(mode=Mode.MIXED, bad_ratio=0.2, cancel_ratio=0.5, seed=4)
    assert [dataclasses.replace(call, cancellation=None) for call in some] == plain
    assert some == some_calls(mode=Mode.MIXED, bad_ratio=0.2, cancel_ratio=0.5, seed=4)
