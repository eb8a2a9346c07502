"""Passages know where each of their characters was written, whatever is put in its place."""

import pytest

from phonoscope.server.emotions import Prosody
from phonoscope.server.text.passage import (
    Manner,
    Mark,
    Origin,
    Override,
    Passage,
    PassageBuilder,
    Replacement,
    Script,
    covering,
    rewritten,
)

SLOW = Prosody(rate=0.5)
LOUD = Prosody(gain_db=6.0)


def closed(builder: PassageBuilder, ending: str = ".") -> Passage:
    passage = builder.close(ending)
    assert passage is not None
    return passage


def source_of(passage: Passage, word: str) -> tuple[int, int]:
    start = passage.text.index(word)
    return passage.source(start, start + len(word))


def test_plain_text_is_where_it_is() -> None:
    assert Passage("one two").source(4, 7) == (4, 7)
    assert Passage.at(10, "one two").source(4, 7) == (14, 17)
    assert Passage("one").is_plain


def test_text_that_stands_for_other_text_is_all_of_it_and_its_neighbours_are_exact() -> None:
    builder = PassageBuilder()
    builder.add("one ", 10)
    builder.add_replaced("World Wide Web", (20, 23))
    builder.add(" two", 40)
    passage = closed(builder)
    assert passage.text == "one World Wide Web two."
    assert [source_of(passage, word) for word in ("one", "Wide", "two")] == [(10, 13), (20, 23), (41, 44)]
    assert source_of(passage, "Web two") == (20, 44)


def test_a_reference_is_as_long_as_it_is_written() -> None:
    builder = PassageBuilder()
    builder.add("A", 0)
    builder.add_reference("&", (1, 6))
    builder.add("B", 6)
    passage = closed(builder)
    assert passage.source(0, 3) == (0, 7)
    assert passage.source(1, 2) == (1, 6)
    assert not passage.is_settled(1, 2)


@pytest.mark.parametrize(("before", "after"), [("un", "able"), ("1", "2")])
def test_words_do_not_run_into_what_stands_for_other_text(before: str, after: str) -> None:
    builder = PassageBuilder()
    builder.add(before, 0)
    builder.add_replaced("bel", (2, 5))
    builder.add(after, 5)
    passage = closed(builder)
    assert passage.text == f"{before} bel {after}."
    assert source_of(passage, f" {after}")[1] == 5 + len(after)
    assert source_of(passage, after) == (5, 5 + len(after))


def test_marks_of_writing_stay_where_they_are() -> None:
    builder = PassageBuilder()
    builder.add("(", 0)
    builder.add_replaced("bel", (1, 4))
    builder.add(")", 4)
    assert closed(builder).text == "(bel)"


@pytest.mark.parametrize(("text", "closed_text"), [("one", "one."), ("one ", "one ."), ("one!", "one!"), ("5", "5.")])
def test_a_last_word_is_closed_and_a_mark_is_not(text: str, closed_text: str) -> None:
    builder = PassageBuilder()
    builder.add(text, 3)
    passage = closed(builder)
    assert passage.text == closed_text
    assert passage.source(0, len(passage.text)) == (3, 3 + len(text))


def test_nothing_makes_no_passage_but_a_mark_does() -> None:
    builder = PassageBuilder()
    builder.add(" \n ", 0)
    assert builder.close(".") is None
    builder.add_mark("here")
    assert closed(builder).marks == (Mark(3, "here"),)


def test_manners_cover_what_is_said_in_them() -> None:
    builder = PassageBuilder()
    builder.add("one ", 0)
    builder.add("two", 4, SLOW)
    builder.add_replaced("three", (7, 8), LOUD)
    passage = closed(builder)
    assert passage.manners == (Manner(4, 7, SLOW), Manner(8, 13, LOUD))
    assert passage.text[8:13] == "three"
    assert not passage.is_plain


def test_a_replacement_moves_all_that_follows() -> None:
    passage = Passage(
        "one two three four",
        manners=(Manner(8, 13, SLOW),),
        overrides=(Override(14, 18, "foʊ"),),
        marks=(Mark(4, "a"), Mark(8, "b"), Mark(18, "c")),
    )
    new = rewritten(passage, [Replacement(4, 7, (("2, ", ""), ("zwo", "tuː")))])
    assert new.text == "one 2, zwo three four"
    assert new.manners == (Manner(11, 16, SLOW),)
    assert new.overrides == (Override(7, 10, "tuː"), Override(17, 21, "foʊ"))
    assert new.marks == (Mark(4, "a"), Mark(11, "b"), Mark(21, "c"))
    assert [source_of(new, word) for word in ("one", "zwo", "three")] == [(0, 3), (4, 7), (8, 13)]
    assert new.is_settled(4, 10)
    assert not new.is_settled(11, 16)


def test_a_mark_within_what_is_replaced_goes_to_its_beginning() -> None:
    new = rewritten(Passage("one two", marks=(Mark(5, "x"),)), [Replacement(4, 7, (("zwei", ""),))])
    assert new.marks == (Mark(4, "x"),)


def test_replacements_at_both_ends_and_side_by_side() -> None:
    new = rewritten(Passage("abc"), [Replacement(at, at + 1, ((letter * 2, ""),)) for at, letter in enumerate("xyz")])
    assert new.text == "xxyyzz"
    assert [new.source(at, at + 2) for at in (0, 2, 4)] == [(0, 1), (1, 2), (2, 3)]
    assert new.source(1, 5) == (0, 3)


def test_a_replacement_of_what_was_replaced_before_is_where_that_is() -> None:
    builder = PassageBuilder()
    builder.add("a ", 0)
    builder.add_reference("&", (2, 7))
    builder.add(" b", 7)
    new = rewritten(closed(builder), [Replacement(2, 3, (("and", ""),))])
    assert (new.text, source_of(new, "and"), source_of(new, "b")) == ("a and b.", (2, 7), (8, 9))


class CountedOrigins(tuple[Origin, ...]):
    """Counts how many origins are looked at one after the other."""

    __slots__ = ()
    looked_at = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        for origin in tuple.__iter__(self):
            CountedOrigins.looked_at += 1
            yield origin

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        found = tuple.__getitem__(self, key)
        CountedOrigins.looked_at += len(found) if isinstance(key, slice) else 1
        return found


def looks(count: int) -> int:
    origins = CountedOrigins(Origin(at, at + 1, at, at + 1) for at in range(2 * count))
    CountedOrigins.looked_at = 0
    passage = rewritten(
        Passage("a " * count, origins), [Replacement(2 * n, 2 * n + 1, (("b", ""),)) for n in range(count)]
    )
    assert passage.text == "b " * count
    return CountedOrigins.looked_at


def test_the_work_of_a_replacement_does_not_grow_with_the_passage() -> None:
    assert looks(4_000) < 5 * looks(1_000)


def test_ranges_are_found_by_what_they_cover() -> None:
    ranges = [Override(2, 4, "a"), Override(4, 6, "b"), Override(8, 9, "c")]
    found = [
        covering(ranges, start, stop) for start, stop in ((0, 2), (0, 3), (3, 5), (4, 5), (6, 8), (7, 20), (9, 10))
    ]
    assert [one and one.ipa for one in found] == [None, "a", "a", "b", None, "c", None]


def test_a_script_counts_what_is_slow_and_sums_its_pauses() -> None:
    passages = (Passage("0123456789", manners=(Manner(0, 4, SLOW),), pause_seconds=1.5), Passage("ab"))
    script = Script(passages, pause_seconds=0.5)
    assert (script.characters, script.slowed_characters, script.silence_seconds) == (12, 16.0, 2.0)


def test_a_script_tells_of_another_pitch_and_of_a_greater_loudness() -> None:
    def script(prosody: Prosody) -> Script:
        return Script((Passage("ab", manners=(Manner(0, 2, prosody),)),))

    assert [script(one).has_pitch for one in (Prosody(pitch=1.2), LOUD)] == [True, False]
    assert [script(one).is_louder for one in (LOUD, Prosody(gain_db=-6.0), Prosody(pitch=2.0))] == [True, False, False]
