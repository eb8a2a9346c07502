"""Words laid over an utterance's ids: what is said in their place, how they are said, where marks and sounds are."""

import itertools

import pytest

from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.text.lexicon import Lexicon
from phonoscope.server.text.passage import Manner, Mark, Override, Passage
from phonoscope.server.text.phonemizer import Clause, Letters, SpokenWord
from phonoscope.server.text.word_alignment import PLAIN, IsolatedWords
from phonoscope.server.types import PhonemeScheme, Pronunciation

SLOW, HIGH = Prosody(rate=0.5), Prosody(pitch=1.5)
LETTERS = PhonemeScheme(
    "espeak", "en", {symbol: (number,) for number, symbol in enumerate("_^$ .,abcdefghijklmnopqrstuvwxyzˈː")}
)


class Counting(Letters):
    """Letters that count the characters which they read."""

    def __init__(self) -> None:
        self.characters = 0

    def clauses(self, text: str, voice: str) -> list[Clause]:
        self.characters += len(text)
        return super().clauses(text, voice)


class Spoken(Letters):
    """Letters that know two words of a text without spaces, which sound otherwise than alone: "abc" and "de"."""

    def clauses(self, text: str, voice: str) -> list[Clause]:
        if text != "abcde":
            return super().clauses(text, voice)
        words = (SpokenWord(0, 3, "abx"), SpokenWord(3, 5, "yy"))
        return [Clause("abx yy", "", ends_sentence=True, stop=5, words=words)]


def letters(passage: Passage, max_symbols: int = 400) -> list[Sentence]:
    return list(TextFrontEnd(Letters(), max_phonemes=max_symbols).sentences(passage, LETTERS, is_aligned=True))


def spelled(sentence: Sentence, first: int, last: int) -> str:
    symbols = {number: symbol for symbol, (number,) in LETTERS.ids.items()}
    return "".join(symbols[number] for number in sentence.symbols[first:last] if number > 2)


def said(sentence: Sentence) -> str:
    return spelled(sentence, 0, len(sentence.symbols))


def test_a_words_ids_are_its_phonemes_with_their_pads() -> None:
    (sentence,) = letters(Passage("Ab, cd."))
    first, second = sentence.alignment.words
    assert (first.start, first.stop, first.first, first.last) == (0, 2, 2, 6)
    assert (second.start, second.stop) == (4, 6)
    assert spelled(sentence, second.first, second.last) == "cd"
    assert sentence.symbols[second.last - 1] == LETTERS.ids["_"][0]


@pytest.mark.parametrize("word", ["The", "tomato", "soup", "of", "the", "day"])
def test_an_overrides_phonemes_land_on_its_word_alone(reader, word: str) -> None:
    text = "The tomato soup of the day."
    start = text.index(f"{word} ") if word != "day" else text.index(word)
    plain = dict(reader.words(text))
    passage = Passage(text, overrides=(Override(start, start + len(word), "ʒʒʒ"),))
    (sentence,) = reader.read(passage)
    assert {text[start:stop]: phonemes for start, stop, phonemes in reader.said(sentence)} == plain | {word: "ʒʒʒ"}


def test_an_override_over_several_words_is_said_once() -> None:
    (sentence,) = letters(Passage("ab cd ef gh.", overrides=(Override(3, 8, "zz"),)))
    assert said(sentence).split() == ["ab", "zz", "gh."]


def test_an_override_within_a_word_cuts_it() -> None:
    (sentence,) = letters(Passage("abcdef.", overrides=(Override(2, 4, "zz"),)))
    assert said(sentence) == "abzzef."
    assert [(word.start, word.stop) for word in sentence.alignment.words] == [(0, 2), (2, 4), (4, 6)]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((), ["abx", "yy"]),
        ((Override(0, 3, "zz"),), ["zz", "yy"]),
        ((Override(0, 1, "zz"),), ["zz", "bx", "yy"]),
        ((Override(1, 3, "zz"),), ["a", "zz", "yy"]),
    ],
)
def test_the_words_are_those_that_the_phonemizer_knows(overrides: tuple[Override, ...], words: list[str]) -> None:
    (sentence,) = TextFrontEnd(Spoken()).sentences(Passage("abcde", overrides=overrides), LETTERS, is_aligned=True)
    assert [spelled(sentence, word.first, word.last) for word in sentence.alignment.words] == words
    assert (sentence.alignment.words[-1].start, sentence.alignment.words[-1].stop) == (3, 5)


def test_a_letter_that_is_read_alone_is_called_by_its_name(reader) -> None:
    text = "Plan a is a plan."
    alone = Passage(text, overrides=(Override(5, 6, alone="a"),))
    (sentence,) = reader.read(alone)
    assert [phonemes for *_, phonemes in reader.said(sentence)] == ["plˈæn", "ˈeɪ", "ɪz", "ɐ", "plˈæn"]


def test_what_is_said_longer_than_written_comes_in_parts_of_bounded_length() -> None:
    overrides = tuple(Override(3 * at, 3 * at + 2, "z" * 30) for at in range(10))
    text = "ab " * 10
    sentences = letters(Passage(text, overrides=overrides), max_symbols=70)
    assert all(len(sentence.symbols) <= 2 * 100 + 3 for sentence in sentences)
    assert "".join(said(sentence) for sentence in sentences).count("z") == 300
    assert [text[s.start : s.stop].split() for s in sentences] == [["ab"] * 2] * 5
    assert [len(s.alignment.words) for s in sentences] == [2] * 5


def test_manners_begin_at_their_word_and_end_with_it() -> None:
    (sentence,) = letters(Passage("ab cd ef gh.", manners=(Manner(3, 5, SLOW), Manner(9, 11, HIGH))))
    ab, cd, ef, gh = sentence.alignment.words
    assert sentence.alignment.manners == (
        (0, NEUTRAL),
        (cd.first, SLOW),
        (ef.first, NEUTRAL),
        (gh.first, HIGH),
    )
    assert ab.first == 2


def test_a_manner_of_the_first_word_holds_from_the_very_beginning() -> None:
    (sentence,) = letters(Passage("ab cd.", manners=(Manner(0, 2, SLOW),)))
    assert sentence.alignment.manners == ((0, SLOW), (sentence.alignment.words[1].first, NEUTRAL))


def test_neighbours_of_one_manner_are_one_stretch() -> None:
    (sentence,) = letters(Passage("ab cd ef.", manners=(Manner(0, 3, SLOW), Manner(3, 8, SLOW))))
    assert sentence.alignment.manners == ((0, SLOW),)


def test_each_sentence_has_its_own_manners() -> None:
    first, second = letters(Passage("ab. Cd ef.", manners=(Manner(0, 6, SLOW),)))
    assert first.alignment.manners == ((0, SLOW),)
    assert second.alignment.manners == ((0, SLOW), (second.alignment.words[1].first, NEUTRAL))


def test_a_passage_without_manners_has_none() -> None:
    assert letters(Passage("ab cd."))[0].alignment.manners == ()


def test_marks_stand_before_the_word_that_follows_them_and_are_reported_once() -> None:
    marks = (Mark(0, "a"), Mark(3, "b"), Mark(3, "c"), Mark(4, "within"), Mark(6, "end"))
    reading = TextFrontEnd(Letters()).sentences(Passage("ab cd. Ef.", marks=marks), LETTERS)
    first, second = reading
    ab, cd = first.alignment.words
    assert first.alignment.marks == ((ab.first, "a"), (cd.first, "b"), (cd.first, "c"))
    assert second.alignment.marks == (
        (second.alignment.words[0].first, "within"),
        (second.alignment.words[0].first, "end"),
    )
    assert reading.marks_left == ()


def test_marks_behind_the_last_word_are_left() -> None:
    reading = TextFrontEnd(Letters()).sentences(Passage("ab.", marks=(Mark(2, "x"), Mark(3, "y"))), LETTERS)
    list(reading)
    assert reading.marks_left == ("x", "y")


def test_marks_of_a_passage_that_says_nothing_are_left() -> None:
    reading = TextFrontEnd(Letters()).sentences(Passage("", marks=(Mark(0, "x"),)), LETTERS)
    assert (list(reading), reading.marks_left) == ([], ("x",))


def test_stress_and_length_belong_to_their_sound(reader) -> None:
    (sentence,) = reader.read("Tomatoes?")
    sounds = [sound.phoneme for sound in sentence.alignment.sounds]
    assert sounds == ["t", "ə", "m", "ˈe", "ɪ", "ɾ", "o", "ʊ", "z"]
    ranges = [(sound.first, sound.last) for sound in sentence.alignment.sounds]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges))
    assert reader.phonemes(sentence.symbols[slice(*ranges[3])]) == "ˈe"


def test_a_sound_takes_what_is_written_behind_it(reader) -> None:
    (sentence,) = reader.read("Un bon café.", "fr")
    assert [sound.phoneme for sound in sentence.alignment.sounds] == ["œ\u0303", "b", "ˈɔ\u0303", "k", "a", "f", "ˈe"]


def test_stress_before_a_pause_belongs_to_nothing() -> None:
    (sentence,) = letters(Passage("ab cd.", overrides=(Override(0, 2, "aˈ"),)))
    assert [sound.phoneme for sound in sentence.alignment.sounds] == ["a", "c", "d"]


def test_an_unknown_phoneme_of_the_voice_has_no_timing() -> None:
    (sentence,) = letters(Passage("aжb ж."))
    assert [sound.phoneme for sound in sentence.alignment.sounds] == ["a", "b"]
    assert [(word.start, word.stop) for word in sentence.alignment.words] == [(0, 3)]


def test_words_of_normalised_text_are_those_that_were_written(reader) -> None:
    text = "\ufeffOne\r\ntwo “e\u0301te\u0301”\u00a0fo\u00adur 😀 five."
    assert [written for written, _ in reader.words(text)] == ["One", "two", "e\u0301te\u0301", "fo\u00adur", "five"]


def test_respelled_words_are_where_the_word_is_written(reader) -> None:
    lexicon = Lexicon.of([Pronunciation("SQL", respelling="my sequel"), Pronunciation("docs", ipa="dɒks")])
    assert reader.words("The SQL docs.", "en-us", lexicon) == [
        ("The", "ðə"),
        ("SQL", "maɪ sˈiːkwəl"),
        ("docs", "dɒks"),
    ]


def test_the_words_of_a_passage_cost_one_more_reading_of_it_at_most() -> None:
    def characters(count: int) -> int:
        counting = Counting()
        text = "".join(f"{chr(97 + at % 26)}{chr(97 + at // 26 % 26)}{chr(97 + at // 676)} " for at in range(count))
        list(TextFrontEnd(counting).sentences(text, LETTERS, is_aligned=True))
        return counting.characters - len(text.rstrip())

    assert characters(1_000) == 3 * 1_000
    assert characters(4_000) == 3 * 4_000


def test_a_word_that_was_read_is_remembered_for_each_voice() -> None:
    counting = Counting()
    alone = IsolatedWords(counting)
    german = PhonemeScheme("espeak", "de", LETTERS.ids)
    assert [alone("ab", scheme) for scheme in (LETTERS, LETTERS, german)] == [("a", "b")] * 3
    assert counting.characters == 4


def test_a_voice_of_plain_text_says_the_letters_of_a_word() -> None:
    assert IsolatedWords(Letters())("Ab", PhonemeScheme("text", "", LETTERS.ids)) == ("A", "b")


def test_without_timings_only_sentences_of_which_something_is_said_are_laid_out(reader) -> None:
    text = "One is. Two is. Three is. Four is. Five is."
    two, three, four = (text.index(word) for word in ("Two", "Three", "Four"))
    passage = Passage(
        text,
        overrides=(Override(two, two + 3, "tuː"),),
        manners=(Manner(four, four + 4, SLOW),),
        marks=(Mark(three - 1, "here"), Mark(len(text), "end")),
    )
    worded, bare = (
        reader.front_end.sentences(passage, reader.scheme, is_aligned=is_aligned) for is_aligned in (True, False)
    )
    expected, found = list(worded), list(bare)
    assert [one.symbols for one in found] == [one.symbols for one in expected]
    assert [one.alignment is PLAIN for one in found] == [True, False, False, False, True]
    assert [one.alignment.marks for one in found] == [one.alignment.marks for one in expected]
    assert [one.alignment.manners or ((0, NEUTRAL),) for one in found] == [
        one.alignment.manners or ((0, NEUTRAL),) for one in expected
    ]
    assert worded.marks_left == bare.marks_left == ("end",)
