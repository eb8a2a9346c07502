"""Text becomes sentences of phoneme ids, lazily, with spans in the caller's text."""

import itertools
from dataclasses import replace

import pytest

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.text import front_end
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.text.phonemizer import Clause, Letters
from phonoscope.server.types import PhonemeScheme

_SYMBOLS = "_^$ .,:;?!'-abcdefghijklmnopqrstuvwxyz0123456789æðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒθᵻˈˌːʲ\u0303"
SCHEME = PhonemeScheme("espeak", "en-us", {symbol: (index,) for index, symbol in enumerate(_SYMBOLS)})
TEXT_SCHEME = PhonemeScheme("text", "", SCHEME.ids)


class Recording(Letters):
    """Letters that remembers what it was asked to read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def clauses(self, text: str, voice: str) -> list[Clause]:
        self.asked.append(text)
        return super().clauses(text, voice)


def said(sentence: Sentence) -> str:
    """Spells a sentence's ids as phonemes, without marks and pads."""
    return "".join(_SYMBOLS[index] for index in sentence.symbols if index > 2)


def letters(text: str, *, max_phonemes: int = 400) -> list[str]:
    return [said(s) for s in TextFrontEnd(Letters(), max_phonemes=max_phonemes).sentences(text, SCHEME)]


@pytest.fixture(scope="module")
def english() -> TextFrontEnd:
    return TextFrontEnd(Espeak())


def test_sentences_carry_ids_and_spans() -> None:
    first, second = TextFrontEnd(Letters()).sentences(" Ab, c.  D! ", SCHEME)
    assert (first.start, first.stop, said(first)) == (1, 7, "ab, c.")
    assert (second.start, second.stop, said(second)) == (9, 11, "d!")
    assert second.symbols == (1, 0, SCHEME.ids["d"][0], 0, SCHEME.ids["!"][0], 0, 2)


@pytest.mark.parametrize("is_aligned", [False, True])
def test_a_sentence_has_its_text_as_it_is_read(is_aligned: bool) -> None:
    reader = TextFrontEnd(Letters())
    for scheme in (SCHEME, TEXT_SCHEME):
        sentences = reader.sentences(" Hello,\u00a0world.  Tw\u00ado! ", scheme, is_aligned=is_aligned)
        assert [sentence.text for sentence in sentences] == ["Hello, world.", "Two!"]


def test_only_the_sentence_asked_for_is_read() -> None:
    phonemizer = Recording()
    sentences = TextFrontEnd(phonemizer).sentences("First one. " + "Another one. " * 150, SCHEME)
    assert phonemizer.asked == []
    next(sentences)
    assert phonemizer.asked == ["First one."]


def test_spans_are_exact_in_text_that_normalisation_changes() -> None:
    text = "\ufeffE\u0301te\u0301 😀 one.\r\n\r\nTwo\u00a0\u00ad“here.”  🇩🇪 Three\u200b."
    spans = [text[s.start : s.stop] for s in TextFrontEnd(Letters()).sentences(text, SCHEME)]
    assert spans == ["E\u0301te\u0301 😀 one.", "Two\u00a0\u00ad“here.”", "Three\u200b."]


@pytest.mark.parametrize(
    "text",
    ["", "  ", "😀", "👍🏽 🇩🇪 ❤️", "...", "! ! !", "* * *", "—", "?!", "“”", "#", "\u200b", "。", "-----", "[[ ]]"],
)
def test_text_with_nothing_to_say_has_no_sentence(english: TextFrontEnd, text: str) -> None:
    assert list(english.sentences(text, SCHEME)) == []


@pytest.mark.parametrize("text", ["5", "$", "&", "a", "50 %"])
def test_signs_and_digits_are_spoken(english: TextFrontEnd, text: str) -> None:
    assert len(list(english.sentences(text, SCHEME))) == 1


def test_silent_parts_are_skipped_between_spoken_ones(english: TextFrontEnd) -> None:
    text = "One.\n\n***\n\n😀\n\nTwo."
    assert [text[s.start : s.stop] for s in english.sentences(text, SCHEME)] == ["One.", "Two."]


def test_phonemes_that_the_voice_does_not_know_are_counted() -> None:
    (sentence,) = TextFrontEnd(Letters()).sentences("aäb", SCHEME)
    assert (said(sentence), sentence.unknown_phonemes) == ("aab", 1)


def test_the_unknown_phonemes_of_a_text_are_counted_as_far_as_it_is_read() -> None:
    reading = TextFrontEnd(Letters()).sentences("aäb. Привет. ü. cç", SCHEME)
    counts = [reading.unknown_phonemes]
    while next(reading, None):
        counts.append(reading.unknown_phonemes)
    counts.append(reading.unknown_phonemes)
    assert counts == [0, 1, 1 + 6 + 1, 1 + 6 + 1 + 1, 1 + 6 + 1 + 1]


class Ticking:
    """A clock that goes on by a second at each look; and letters that take ten seconds to read."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1.0
        return self.now

    def letters(self) -> Letters:
        clock = self

        class SlowLetters(Letters):
            def clauses(self, text: str, voice: str) -> list[Clause]:
                clock.now += 10.0
                return super().clauses(text, voice)

        return SlowLetters()


def test_finding_sentences_and_reading_them_are_timed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking()
    monkeypatch.setattr(front_end, "time", clock)
    reading = TextFrontEnd(clock.letters()).sentences("Ab. Cd.", SCHEME)
    assert (reading.split_seconds, reading.phonemize_seconds) == (0, 0)
    next(reading)
    # Each stretch of splitting takes one look at the clock's second hand: normalising, and finding the first.
    assert (reading.split_seconds, reading.phonemize_seconds) == (2, 10 + 3)
    clock.now += 1000.0  # the text waits for its next sentence to be asked for
    assert len(list(reading)) == 1
    assert reading.split_seconds == 4
    assert 10 <= reading.phonemize_seconds - 13 < 20


def test_a_stopwatch_stops_when_what_it_times_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_end, "time", Ticking())
    watch = front_end.Stopwatch()
    with pytest.raises(KeyError), watch:
        raise KeyError
    with watch:
        pass
    assert watch.seconds == 2


def test_a_sentence_of_only_unknown_phonemes_is_skipped() -> None:
    assert letters("Привет. Abc.") == ["abc."]


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    assert letters("aa bb, cc dd, ee ff.", max_phonemes=14) == ["aa bb, cc dd, ", "ee ff."]


def test_a_long_clause_is_cut_at_a_space() -> None:
    text = "aa bb cc dd ee ff"
    pieces = list(TextFrontEnd(Letters(), max_phonemes=7).sentences(text, SCHEME))
    assert [said(piece).strip() for piece in pieces] == ["aa bb", "cc dd", "ee ff"]
    assert [text[piece.start : piece.stop] for piece in pieces] == ["aa bb", "cc dd", "ee ff"]


def test_the_estimated_span_of_a_piece_begins_with_a_word(english: TextFrontEnd) -> None:
    text = "1999 extraordinary w " * 60
    pieces = list(english.sentences(text, SCHEME))
    assert len(pieces) > 5
    assert all(piece.start == 0 or text[piece.start - 1] == " " for piece in pieces)


def test_words_of_a_cut_clause_keep_their_phonemes(english: TextFrontEnd) -> None:
    text = "la casa di mia madre è molto grande e " * 60
    scheme = replace(SCHEME, espeak_voice="it")
    pieces = list(english.sentences(text, scheme, is_aligned=True))
    assert len(pieces) > 1
    found = [text[word.start : word.stop] for piece in pieces for word in piece.alignment.words]
    assert found == text.split()


def test_a_long_word_is_cut_anywhere() -> None:
    assert letters("a" * 10, max_phonemes=4) == ["aaaa", "aaaa", "aa"]


def test_ten_thousand_characters_without_a_mark_make_bounded_sentences(english: TextFrontEnd) -> None:
    text = "word " * 2000
    sentences = list(english.sentences(text, SCHEME))
    assert all(len(s.symbols) <= 2 * 400 + 3 for s in sentences)
    assert sum(said(s).count("w") for s in sentences) == 2000
    assert sentences[0].start == 0
    assert sentences[-1].stop == len(text.rstrip())
    assert all(a.stop <= b.start for a, b in itertools.pairwise(sentences))


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("Dr. Smith paid 3.50.", ["dˈɑktɚ smˈɪθ pˈeɪd θɹˈiː pɔɪnt fˈaɪv zˈiəɹoʊ."]),
        ("J. R. R. Tolkien met Mr. Lee.", ["dʒˈeɪ ˈɑːɹ ˈɑːɹ tolkˈiːn mˈɛt mˈɪstɚ lˈiː."]),
        ("Wait... what?", ["wˈeɪt wˌʌt?"]),
        ("None...", ["nˈʌn"]),
        ("It is 3 p.m. Go", ["ɪɾ ɪz θɹˈiː pˌiːʲˈɛm.", "ɡˈoʊ"]),
        ("A: b; c - d", ["ˈeɪ: bˈiː; sˈiː dˈiː"]),
    ],
)
def test_english_as_it_is_said(english: TextFrontEnd, text: str, phonemes: list[str]) -> None:
    assert [said(s).replace("dˈɑːktɚ", "dˈɑktɚ") for s in english.sentences(text, SCHEME)] == phonemes


def test_a_sentence_sounds_the_same_at_any_position(english: TextFrontEnd) -> None:
    alone = [s.symbols for s in english.sentences("Is it here?", SCHEME)]
    for text in ("Is it here? Yes.", "Is it here?\n\nYes.", "Yes. Is it here?", "Hi.. Is it here?"):
        assert alone[0] in [s.symbols for s in english.sentences(text, SCHEME)]


def test_quotes_that_close_a_sentence_belong_to_it(english: TextFrontEnd) -> None:
    text = '"Is it?" he asked. "It is," said she.'
    assert [text[s.start : s.stop] for s in english.sentences(text, SCHEME)] == [
        '"Is it?"',
        "he asked.",
        '"It is," said she.',
    ]


def test_voices_of_plain_text_spell_the_text_itself() -> None:
    sentences = TextFrontEnd(Letters()).sentences("ab  c\ndefg. Ã!", TEXT_SCHEME)
    assert [said(s) for s in sentences] == ["ab c defg.", "a\u0303!"]


def test_a_scheme_without_marks_is_refused() -> None:
    with pytest.raises(VoiceFileError, match=r"lacks \^ \$"):
        TextFrontEnd(Letters()).check(PhonemeScheme("espeak", "en-us", {"_": (0,), "a": (1,)}))


def test_a_language_that_espeak_does_not_know_is_refused(english: TextFrontEnd) -> None:
    english.check(SCHEME)
    english.check(PhonemeScheme("text", "xx", SCHEME.ids))
    with pytest.raises(VoiceFileError, match='"xx"'):
        english.check(PhonemeScheme("espeak", "xx", SCHEME.ids))


class Loading(Letters):
    """Notes the voices whose data it is asked to load."""

    def __init__(self) -> None:
        self.prepared: list[str] = []

    def prepare(self, voice: str) -> None:
        self.prepared.append(voice)


def test_data_of_a_language_is_loaded_when_it_is_prepared_and_not_when_it_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules: list[str] = []
    monkeypatch.setattr("phonoscope.server.text.front_end.prepare", rules.append)
    phonemizer = Loading()
    front_end = TextFrontEnd(phonemizer)
    front_end.check(SCHEME)
    assert (rules, phonemizer.prepared) == ([], [])
    front_end.prepare(SCHEME)
    assert (rules, phonemizer.prepared) == ([SCHEME.espeak_voice], [SCHEME.espeak_voice])
    front_end.prepare(replace(SCHEME, reads_numbers=True))
    front_end.prepare(PhonemeScheme("plain", "", {}))
    assert rules == [SCHEME.espeak_voice]


def test_rules_are_not_loaded_where_numbers_are_not_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rules: list[str] = []
    monkeypatch.setattr("phonoscope.server.text.front_end.prepare", rules.append)
    TextFrontEnd(Letters(), verbalizes=False).prepare(SCHEME)
    assert rules == []


def test_the_bound_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_phonemes is 0"):
        TextFrontEnd(Letters(), max_phonemes=0)
