"""Entries of a lexicon: where they stand in a text, what they lead to, and what they must not be."""

import itertools

import pytest

from phonoscope.server.text import lexicon as lexicon_module
from phonoscope.server.text.lexicon import BadPronunciation, Lexicon
from phonoscope.server.text.passage import Origin, Override, Passage
from phonoscope.server.types import Pronunciation


def ipa(phrase: str, phonemes: str) -> Pronunciation:
    return Pronunciation(phrase, ipa=phonemes)


def respelled(phrase: str, respelling: str) -> Pronunciation:
    return Pronunciation(phrase, respelling=respelling)


def read(text: str, *given: Pronunciation, below: Lexicon | None = None) -> str:
    return Lexicon.of(given, below).rewrite(Passage(text)).text


def fault(*given: Pronunciation) -> tuple[int, str, str]:
    with pytest.raises(BadPronunciation) as caught:
        Lexicon.of(given)
    return caught.value.index, caught.value.part, caught.value.fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SQL.", "sequel."),
        ("my SQL, SQL!", "my sequel, sequel!"),
        ("sql Sql", "sql Sql"),
        ("SQLite MySQL SQL2", "SQLite MySQL SQL2"),
        ("NoSQL-SQL", "NoSQL-sequel"),
        ("(SQL)", "(sequel)"),
    ],
)
def test_an_entry_stands_for_a_whole_word_of_that_spelling(text: str, said: str) -> None:
    assert read(text, respelled("SQL", "sequel")) == said


@pytest.mark.parametrize("text", ["tomato", "Tomato", "TOMATO"])
def test_an_entry_in_small_letters_stands_for_any_case(text: str) -> None:
    assert read(text, respelled("tomato", "x")) == "x"


def test_of_two_entries_the_spelling_goes_before_any_case() -> None:
    entries = respelled("polish", "shine"), respelled("Polish", "from Poland")
    assert read("Polish polish POLISH", *entries) == "from Poland shine shine"
    assert read("Polish polish POLISH", *reversed(entries)) == "from Poland shine shine"


def test_of_several_entries_the_longest_is_used() -> None:
    entries = (
        respelled("new", "1"),
        respelled("New York", "2"),
        respelled("new york city", "3"),
        respelled("York", "4"),
    )
    assert read("new York, New York, New York City, york", *entries) == "1 4, 2, 3, york"


def test_a_phrase_stands_where_its_spaces_are_and_signs_are_parts_of_it() -> None:
    entries = respelled("C++", "see plus plus"), respelled("at&t", "a t and t"), respelled("New  York", "ny")
    assert read("C++ C + + AT&T at & t New\nYork NewYork", *entries) == (
        "see plus plus C + + a t and t at & t ny NewYork"
    )


def test_what_was_read_is_not_read_again() -> None:
    assert read("a a a a", respelled("a a", "b"), respelled("b", "c")) == "c c"


def test_phrases_and_texts_are_the_same_however_their_accents_are_written() -> None:
    for phrase in ("caf\u00e9", "cafe\u0301"):
        assert read("One caf\u00e9, one cafe\u0301.", respelled(phrase, "x")) == "One x, one x."
        passage = Lexicon.of([respelled(phrase, "x")]).rewrite(Passage("a cafe\u0301."))
        assert passage.source(2, 3) == (2, 7)


def test_an_entry_of_one_character_stands_within_a_text_without_spaces() -> None:
    assert read("你好你", respelled("你", "泥")) == "泥好泥"


def test_phonemes_are_said_for_the_phrase_where_it_stands() -> None:
    passage = Lexicon.of([ipa("to-mato", "t'o")]).rewrite(Passage("A to-mato."))
    assert passage.text == "A to-mato."
    assert passage.overrides == (Override(2, 9, "tˈo"),)
    assert passage.source(2, 9) == (2, 9)


def test_a_respelling_is_followed_through_entries_and_keeps_their_phonemes() -> None:
    passage = Lexicon.of([respelled("DB", "my SQL base"), respelled("SQL", "a sequel"), ipa("sequel", "si")]).rewrite(
        Passage("The DB here.")
    )
    assert passage.text == "The my a sequel base here."
    assert passage.overrides == (Override(9, 15, "si"),)
    assert passage.source(4, 20) == (4, 6)


def test_a_requests_entries_go_before_those_below_even_if_shorter() -> None:
    below = Lexicon.of([respelled("new york", "below"), respelled("city", "town")])
    assert read("New York city", respelled("new", "1"), below=below) == "1 York town"
    assert Lexicon.of([], below) is below
    assert Lexicon.of([respelled("x", "y")], below).size == 3


def test_a_respelling_is_followed_through_entries_below() -> None:
    below = Lexicon.of([ipa("sequel", "si"), respelled("base", "basis")])
    passage = Lexicon.of([respelled("SQL", "sequel base")], below).rewrite(Passage("SQL"))
    assert (passage.text, passage.overrides) == ("sequel basis", (Override(0, 6, "si"),))


def test_an_entry_may_say_otherwise_what_one_below_says_of_the_same_phrase() -> None:
    below = Lexicon.of([respelled("b", "c")])
    assert read("a b", respelled("a", "b"), respelled("b", "d"), below=below) == "d d"


def test_a_settled_pronunciation_does_not_change() -> None:
    settled = Passage("SQL SQL SQL", overrides=(Override(0, 3, "x"),))
    assert Lexicon.of([respelled("SQL", "q")]).rewrite(settled).text == "SQL q q"
    replaced = Passage("SQL SQL", (Origin(0, 3, 5, 9, is_replaced=True, is_settled=True), Origin(3, 7, 9, 13)))
    assert Lexicon.of([respelled("SQL", "q")]).rewrite(replaced).text == "SQL q"


def test_without_entries_a_passage_is_returned_as_it_is() -> None:
    passage = Passage("a")
    assert Lexicon().rewrite(passage) is passage
    assert Lexicon.of([respelled("b", "c")]).rewrite(passage) is passage


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("first", [0, 1])
def test_a_cycle_of_any_length_is_refused_with_all_its_entries(length: int, first: int) -> None:
    names = [f"w{number}" for number in range(length)]
    cycle = [respelled(name, f"the {names[(at + 1) % length]} x") for at, name in enumerate(names)]
    before = [respelled("other", "none")] * first
    index, part, told = fault(*before, *cycle)
    assert (index, part) == (first, "respelling")
    assert told == (
        f"is part of a cycle: {' → '.join(repr(name) for name in [*names, names[0]])}; change one of these respellings"
    )


def test_a_cycle_is_reported_for_the_first_entry_that_leads_to_it() -> None:
    index, _, told = fault(respelled("a", "b"), respelled("b", "c"), respelled("c", "b"))
    assert (index, told) == (0, "is part of a cycle: 'b' → 'c' → 'b'; change one of these respellings")


def test_a_cycle_may_be_closed_by_an_entry_for_any_case() -> None:
    assert "is part of a cycle: 'sql' → 'sql'" in fault(respelled("sql", "my SQL"))[2]
    assert read("SQL", respelled("SQL", "my sql")) == "my sql"


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_chain_as_long_as_a_request_may_send_is_followed_to_its_end(is_reversed: bool) -> None:
    chain = [respelled(f"w{number}", f"w{number + 1}") for number in range(1_000)]
    assert read("w0 w999", *(reversed(chain) if is_reversed else chain)) == "w1000 w1000"


def test_respellings_that_grow_are_refused_before_they_are_large() -> None:
    letters = "abcdefghijklmnop"
    entries = [respelled(one, f"{two} {two} {two}") for one, two in itertools.pairwise(letters)]
    index, part, told = fault(*entries)
    assert (part, told) == (
        "respelling",
        "expands to more than 1000 characters; shorten it, or the entries that it uses",
    )
    assert read("k", *entries[10:]) == " ".join(["p"] * 3**5)
    assert 3 ** (15 - index) > 500 >= 3 ** (14 - index)


@pytest.mark.parametrize(
    ("given", "part", "told"),
    [
        (respelled("", "x"), "phrase", "contains no word; send the word as written in the text"),
        (respelled(" … ", "x"), "phrase", "contains no word; send the word as written in the text"),
        (respelled("x" * 65, "x"), "phrase", "has 65 characters; send at most 64"),
        (Pronunciation("x"), "spoken", "is empty; send ipa or respelling"),
        (respelled("x", "  "), "spoken", "is empty; send ipa or respelling"),
        (respelled("x", "y" * 201), "respelling", "has 201 characters; send at most 200"),
        (ipa("x", "a" * 201), "ipa", "has 201 characters; send at most 200"),
        (ipa("x", "a1"), "ipa", "'1' (U+0031, DIGIT ONE) is not an IPA symbol"),
        (ipa("x", "ˈ"), "ipa", "'ˈ' contains no vowel and no consonant"),
    ],
)
def test_an_entry_that_is_not_valid_is_refused_by_its_number_and_part(
    given: Pronunciation, part: str, told: str
) -> None:
    assert fault(respelled("good", "one"), given) == (1, part, told)


def test_an_entry_is_there_once_for_each_spelling() -> None:
    assert fault(respelled("a b", "1"), respelled("a  b ", "2")) == (
        1,
        "phrase",
        "'a  b ' is a duplicate; use one entry for each phrase",
    )
    assert Lexicon.of([respelled("sql", "1"), respelled("SQL", "2"), respelled("Sql", "3")]).size == 3


def test_the_longest_of_everything_is_taken() -> None:
    assert read("x" * 64, respelled("x" * 64, "y" * 200)) == "y" * 200


class Looks(dict):  # type: ignore[type-arg]
    """Counts how often a branch is asked for what follows."""

    count = 0

    def get(self, key, default=None):  # type: ignore[no-untyped-def]
        Looks.count += 1
        return super().get(key, default)


def looks(monkeypatch: pytest.MonkeyPatch, entries: int, words: int) -> int:
    """How many looks it takes to find that none of some entries, which all begin alike, stands in a text."""
    plain = lexicon_module._Branch.__init__

    def counting(branch: lexicon_module._Branch) -> None:
        plain(branch)
        branch.ahead = Looks()

    with monkeypatch.context() as patched:
        patched.setattr(lexicon_module._Branch, "__init__", counting)
        lexicon = Lexicon.of([respelled(f"a a a a b{number}", "x") for number in range(entries)])
        Looks.count = 0
        assert list(lexicon.matches("a " * words)) == []
    return Looks.count


def test_what_a_word_costs_does_not_grow_with_entries_that_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many, longer = (looks(monkeypatch, *sizes) for sizes in ((10, 100), (1_000, 100), (10, 400)))
    assert many == few
    assert longer < 5 * few
