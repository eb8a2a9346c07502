"""Words find their phonemes, by the fewest edits and by what espeak-ng really says."""

import pytest

from phonoscope.server.text.sequence_alignment import align, shares


def cut(words: str, said: str) -> list[str]:
    return [said[start:stop] for start, stop in align([list(word) for word in words.split("|")], list(said))]


@pytest.mark.parametrize(
    ("words", "said", "found"),
    [
        ("ab|cd", "ab cd", ["ab", "cd"]),
        ("ab|cd", "abcd", ["ab", "cd"]),
        ("ab|cd", "ab, cd.", ["ab", "cd"]),
        ("ab|cd", "axb cd", ["axb", "cd"]),
        ("ab|cd", "ab xcd", ["ab", "xcd"]),
        ("ab|cd", "abx cd", ["abx", "cd"]),
        ("a b c|d", "a b c d", ["a b c", "d"]),
        ("ab|cd|ef", "ab ef", ["a", "b", "ef"]),
        ("fɔɹ|ɐ|fi", "fɚɹə fi", ["fɚɹ", "ə", "fi"]),
        ("ˈab|ˈcd", "ˈab ˈcd", ["ˈab", "ˈcd"]),
        ("ab|cd", "", ["", ""]),
        ("ab||cd", "ab cd", ["ab", "", "cd"]),
        ("ab", " .ab! ", ["ab"]),
    ],
)
def test_each_word_gets_what_is_most_like_it(words: str, said: str, found: list[str]) -> None:
    assert cut(words, said) == found


@pytest.mark.parametrize(
    ("first", "last", "whole", "found"),
    [
        ("ab", "xx", "abcd", ("ab", "cd")),
        ("ab", "xx", "ancd", ("an", "cd")),
        ("xx", "cd", "abcd", ("ab", "cd")),
        ("xx", "cd", "abnd", ("ab", "nd")),
        ("xx", "yy", "abcd", ("xx", "yy")),
    ],
)
def test_a_part_of_a_word_has_the_rest_of_what_the_other_has(
    first: str, last: str, whole: str, found: tuple[str, str]
) -> None:
    assert tuple("".join(share) for share in shares(first, last, list(whole))) == found


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("one of the best", {"of": "ʌv", "the": "ðə", "best": "bˈɛst"}),
        ("a 1984 b", {"1984": "nˈaɪntiːnhˈʌndɹɪd ˈeɪɾi fˈɔːɹ"}),
        ("in the U.S.A. today", {"U.S.A": "jˌuːˌɛsˈeɪ", "today": "tədˈeɪ"}),
        ("a well-known e-mail", {"well-known": "wˈɛlnˈoʊn", "e-mail": "ˈiːmˈeɪl"}),
        ("say 😀👋🏽 hello", {"say": "sˈeɪ", "hello": "həlˈoʊ"}),
        ("Tom & Jerry don't", {"&": "ænd", "don't": "dˈoʊnt", "Tom": "tˈɑːm"}),
        ("paid $3.50 for a stake", {"for": "fɚɹ", "a": "ə", "stake": "stˈeɪk"}),
        ("is 50% at 12:30", {"50%": "fˈɪfti pɚsˈɛnt", "at": "æt"}),
        ("the end — really", {"the": "ðɪʲ", "end": "ˈɛnd", "really": "ɹˈiəli"}),
    ],
)
def test_english_words_keep_their_own_phonemes(reader, text: str, spoken: dict[str, str]) -> None:
    found = dict(reader.words(text))
    assert {word: found.get(word) for word in spoken} == spoken
    assert list(found) == text.replace("😀👋🏽 ", "").replace("— ", "").replace("A.", "A").split()


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        (
            "Das Straßenbahn-Ticket kostet z.B. 21 Euro.",
            "de",
            [
                ("Das", "das"),
                ("Straßenbahn-Ticket", "ʃtrˈɑsənbˌɑːntˈɪkət"),
                ("kostet", "kˈɔstət"),
                ("z.B", "tsˌɛtbˈeː"),
                ("21", "ˈaɪn ʊnttsvˈantsɪc\u0327"),
                ("Euro", "ˈɔøroː"),
            ],
        ),
        (
            "Les amis aujourd'hui sont arrivés.",
            "fr",
            [
                ("Les", "le-z"),
                ("amis", "amˈiʲ"),
                ("aujourd'hui", "oʒuʁdyˈi"),
                ("sont", "sˈɔ\u0303t"),
                ("arrivés", "aʁivˈe"),
            ],
        ),
        ("你好，世界。", "cmn", [("你", "ni2"), ("好", "χˈɑu2"), ("世", "s.ˈi.5"), ("界", "tɕˈiɛ5")]),
    ],
)
def test_words_of_other_languages_keep_theirs_and_chinese_is_laid_out_by_character(
    reader, text: str, language: str, spoken: list[tuple[str, str]]
) -> None:
    assert reader.words(text, language) == spoken


def test_no_word_of_a_long_text_is_lost_or_out_of_place(reader) -> None:
    text = "The cat of the house saw 21 of its friends, didn't it? " * 20
    (found, expected) = reader.words(text), reader.words(text[:54]) * 20
    assert found == expected
