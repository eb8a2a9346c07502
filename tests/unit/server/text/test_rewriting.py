"""Words are replaced by what is read for them, and all that is said of their neighbours stays with these."""

from phonoscope.server.emotions import Prosody
from phonoscope.server.text.passage import Manner, Mark, Origin, Override, Passage
from phonoscope.server.text.rewriting import Replacement, rewritten

SLOW = Prosody(rate=0.5)


def source_of(passage: Passage, word: str) -> tuple[int, int]:
    start = passage.text.index(word)
    return passage.source(start, start + len(word))


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
    origins = (Origin(0, 2, 0, 2), Origin(2, 3, 2, 7, is_replaced=True), Origin(3, 6, 7, 10))
    new = rewritten(Passage("a & b.", origins), [Replacement(2, 3, (("and", ""),))])
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
