"""Every character is read, or left out and counted; and every word is found again in the original."""

import re

import pytest

from phonoscope.server.text.characters import Characters
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.incremental import IncrementalText, Stretch
from phonoscope.server.text.normalise import Normalised, normalise
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.phonemizer import Clause, Letters
from phonoscope.server.types import PhonemeScheme

ESPEAK = Espeak()
CHARACTERS = Characters(ESPEAK)
ANY = {symbol: (index,) for index, symbol in enumerate("_^$ .,:;?!abcdefghijklmnopqrstuvwxyzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒθᵻˈˌː")}
MARKS = {symbol: (index,) for index, symbol in enumerate("_^$ .,:;?!")}


def read(text: str, voice: str = "en-us") -> Normalised:
    return CHARACTERS.read(normalise(text), PhonemeScheme("espeak", voice, {}))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Hi 😀.", {"emoji": 1}),
        ("Hi 👍🏽\ufe0f.", {"emoji": 2, "format": 1}),
        ("so\u00adon", {"format": 1}),
        ("a\x01b", {"control": 1}),
        ("a \ue000 b", {"private_use": 1}),
        ("a \ufffe b", {"unassigned": 1}),
        ("a \u0378 b", {"unassigned": 1}),
        ("a │ ┌ b", {"symbol": 2}),
        ("ok 中文 a", {"letter": 2}),
        ("a ^ b", {"symbol": 1}),
        ("x\u0304 is", {"mark": 1}),
    ],
)
def test_what_is_not_spoken_is_counted_by_kind(text: str, counts: dict[str, int]) -> None:
    assert read(text).unspoken == counts


@pytest.mark.parametrize(
    "text", ["A plain text.", "Café, “naïve” — 3,50 €…", "a\r\nb\u2028c\u00a0d", "¿Qué? 5%!", "＂？！"]
)
def test_punctuation_white_space_and_what_is_read_count_as_nothing(text: str) -> None:
    assert not read(text).unspoken


def test_characters_of_a_sentence_that_is_skipped_are_counted() -> None:
    reading = TextFrontEnd(ESPEAK).sentences("Hello.\n\n~ ~\n\nBye.", PhonemeScheme("espeak", "en-us", MARKS))
    list(reading)
    assert reading.unspoken == {"symbol": 2}


@pytest.mark.parametrize(
    ("text", "words", "sources"),
    [
        ("x² is", "x squared is", ["x", "²", "is"]),
        ("𝗛𝗲𝗹𝗹𝗼 you", "Hello you", ["𝗛𝗲𝗹𝗹𝗼", "you"]),
        ("at 10⁻⁵ m", "at 10 to the minus 5 m", ["at", "10", *["⁻⁵"] * 4, "m"]),
        ("2½ cups", "2 and a half cups", ["2", *["½"] * 3, "cups"]),
        ("a ₽500 b", "a 500 Russian rubles b", ["a", *["₽500"] * 3, "b"]),
        ("10㎡ ok", "10 m squared ok", ["10", "㎡", "㎡", "ok"]),
        ("5‰ 😀 x", "5 per mille x", ["5", "‰", "‰", "x"]),
        ("-$5 now", "minus $5 now", ["-", "$5", "now"]),
        ("e\u0301t\u0301 ﬁn Ⅷ z", "ét fin 8 z", ["e\u0301t\u0301", "ﬁn", "Ⅷ", "z"]),
        ("Nguyễn ① z", "Nguyen 1 z", ["Nguyễn", "①", "z"]),
    ],
)
def test_every_word_leads_back_to_the_characters_that_it_stands_for(text: str, words: str, sources: list[str]) -> None:
    normal = read(text)
    spans = [match.span() for match in re.finditer(r"\S+", normal.text)]
    assert " ".join(normal.text.split()) == words
    assert [text[slice(*normal.source(*span))] for span in spans] == sources


def test_offsets_never_go_back_and_both_ends_stay() -> None:
    text = "𝗛𝗶 ㎡e\u0301½ 😀① ⁻⁵x² -₽5 ‰e\u0323\u0302 中 <b> a<5 ﷺ"
    for voice in ("en-us", "de", "ru", "cmn"):
        normal = read(text, voice)
        starts = [normal.source(at, at + 1)[0] for at in range(len(normal.text))]
        stops = [normal.source(at, at + 1)[1] for at in range(len(normal.text))]
        assert starts == sorted(starts)
        assert stops == sorted(stops)
        assert normal.source(0, len(normal.text)) == (0, len(text))
        places = [normal.place(at) for at in range(len(text) + 1)]
        assert places == sorted(places)


def test_sentences_and_words_have_their_places_in_the_original() -> None:
    text = "𝗛𝗲𝗹𝗹𝗼. X² is 2½ here."
    sentences = list(
        TextFrontEnd(ESPEAK).sentences(text, PhonemeScheme("espeak", "en-us", _letters()), is_aligned=True)
    )
    assert [text[one.start : one.stop] for one in sentences] == ["𝗛𝗲𝗹𝗹𝗼.", "X² is 2½ here."]
    words = [text[word.start : word.stop] for one in sentences for word in one.alignment.words]
    assert words == ["𝗛𝗲𝗹𝗹𝗼", "X", "²", "is", "2", "½", "here"]


def test_text_that_arrives_letter_by_letter_is_read_as_the_whole() -> None:
    text = "𝗛𝗶 Nguye\u0302\u0303n. It is −5℃ and x² is 10⁻⁵. The price is -₽500, or 2½ of it 😀. Ⅳ kings. "
    whole = IncrementalText("en")
    letters = IncrementalText("en")
    assert _read_stretches([*whole.add(text), *whole.flush()]) == _read_stretches(
        [stretch for letter in text for stretch in letters.add(letter)] + letters.flush()
    )


def _read_stretches(stretches: list[Stretch]) -> list[tuple[int, int, object]]:
    front_end, scheme = TextFrontEnd(ESPEAK), PhonemeScheme("espeak", "en-us", _letters())
    readings = (front_end.sentences(Passage.at(one.start, one.text), scheme) for one in stretches)
    return [(one.start, one.stop, one.symbols) for reading in readings for one in reading]


def _letters() -> dict[str, tuple[int, ...]]:
    symbols = "_^$ .,:;?!abcdefghijklmnopqrstuvwxyzæɐɑɔəɛɚɪɹɾʃʊʌθðŋɡɜˈˌː"
    return {symbol: (index,) for index, symbol in enumerate(symbols)}


def test_a_voice_of_characters_gets_plainer_letters_where_it_has_no_id() -> None:
    scheme = PhonemeScheme("text", "", dict.fromkeys("_^$ en\u0301", (1,)))
    assert Characters(Letters()).read(normalise("é ễ ñ Ж"), scheme).text == "é e n Ж"


def test_a_voice_of_characters_keeps_a_form_for_which_it_has_an_id() -> None:
    assert normalise("ﬁ ﬂ", frozenset("ﬁ")).text == "ﬁ fl"


def test_a_voice_that_reads_text_gets_symbols_as_they_are() -> None:
    assert Characters(Letters()).read(normalise("𝗛𝗶 ₽5 ½"), PhonemeScheme("plain", "", {})).text == "Hi ₽5 ½"


def test_plain_text_is_returned_as_it_is() -> None:
    normal = normalise("Plain text, with $5 and more.")
    assert CHARACTERS.read(normal, PhonemeScheme("espeak", "en-us", {})).text is normal.text


@pytest.mark.parametrize("text", ["Привет 5 ½ x² ≈ ① ễ -5 ₽5", "你好 5 ½ x² ≈ ① ễ -5 ₽5", "٣ مرحبا ½"])
@pytest.mark.parametrize("voice", ["ru", "cmn", "ar", "hi", "ja", "pl", "el"])
def test_any_language_reads_or_counts_what_it_is_given(voice: str, text: str) -> None:
    assert read(text, voice).text.strip()


def test_each_character_is_measured_once() -> None:
    class Counting(Espeak):
        calls = 0

        def clauses(self, text: str, voice: str) -> list[Clause]:
            Counting.calls += 1
            return super().clauses(text, voice)

    characters = Characters(Counting())
    scheme = PhonemeScheme("espeak", "en-us", {})
    characters.read(normalise("é ≈ ễ 中 ₽5"), scheme)
    measured = Counting.calls
    characters.read(normalise("ễ ≈ é é 中 ₽5"), scheme)
    assert Counting.calls == measured > 0


def test_a_fraction_after_a_number_is_a_word_without_the_space_between_them() -> None:
    scheme = PhonemeScheme("espeak", "en-us", ANY)
    [sentence] = TextFrontEnd(ESPEAK).sentences("Add 1 ½ cups.", scheme, is_aligned=True)
    written = ["Add 1 ½ cups."[word.start : word.stop] for word in sentence.alignment.words]
    assert written == ["Add", "1", "½", "cups"]
