"""Chinese text, with English words in it, becomes phonemes."""

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.languages import LANGUAGES
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.mandarin.phonemizer import VOICE
from phonoscope.server.text.passage import Override, Passage
from phonoscope.server.text.phoneme_ids import SYLLABLE_END
from phonoscope.server.text.phonemizer import Clause
from phonoscope.server.text.phonemizers import build_phonemizers

pytestmark = pytest.mark.skipif(
    not LANGUAGES["z"].is_readable, reason="jieba or pypinyin is missing: pip install 'phonoscope[kokoro]'"
)
PHONEMIZERS = build_phonemizers()
FRONT_END = TextFrontEnd(PHONEMIZERS)
SCHEME = LANGUAGES["z"].scheme(VOCABULARY)
LETTER = {number: letter for letter, number in VOCABULARY.items()}
MAX_LETTERS = 510


def clauses(text: str) -> list[Clause]:
    return PHONEMIZERS.clauses(text, VOICE)


def phonemes(text: str) -> str:
    return " ".join(clause.phonemes for clause in clauses(text)).replace(SYLLABLE_END, "")


def letters(text: str) -> list[str]:
    """Returns what the network gets."""
    return ["".join(LETTER.get(int(i), "") for i in one.symbols) for one in FRONT_END.sentences(text, SCHEME)]


def timed(text: str) -> list[tuple[str, str]]:
    """Returns the words of a text, each with the letters of its sounds."""
    return [
        (text[word.start : word.stop], "".join(LETTER[int(i)] for i in one.symbols[word.first : word.last]))
        for one in FRONT_END.sentences(text, SCHEME, is_aligned=True)
        for word in one.alignment.words
    ]


def test_the_first_request_is_spoken() -> None:
    assert letters("你好,世界") == ["ni↗xau↓, ʂɨ↘ʨje↘"]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("重庆", "ʈʂʰʊ˧˥ŋtɕʰi˥˩ŋ"),
        ("银行", "i˧˥nxa˧˥ŋ"),
        ("长大", "ʈʂa˧˩˧ŋta˥˩"),
        ("行不行", "ɕi˧˥ŋpu˥˩ɕi˧˥ŋ"),
        ("音乐", "i˥nɥe˥˩"),
        ("快乐", "kʰwai˥˩lɤ˥˩"),
        ("哪儿", "na˧˩˧ɚ˧˥"),
    ],
)
def test_a_character_sounds_as_in_its_word(text: str, heard: str) -> None:
    assert phonemes(text) == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("你好", "ni˧˥xau˧˩˧"),
        ("一个", "i˧˥kɤ˥˩"),
        ("一点", "i˥˩tjɛ˧˩˧n"),
        ("不是", "pu˧˥ʂɻ̩˥˩"),
        ("不好", "pu˥˩xau˧˩˧"),
        ("不对", "pu˧˥ twei˥˩"),
        ("第一", "ti˥˩i˥"),
        ("第一个", "ti˥˩i˥kɤ˥˩"),
        ("二十一个", "ɚ˥˩ʂɻ̩˧˥i˥kɤ˥˩"),
        ("说一遍", "ʂwo˥ i˧˥pjɛ˥˩n"),
        ("我想", "wo˧˥ ɕja˧˩˧ŋ"),
    ],
)
def test_tones_change_beside_others(text: str, heard: str) -> None:
    assert phonemes(text) == heard


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("价格¥49.95", "价格四十九点九五元"),
        ("涨了3.5%", "涨了百分之三点五"),
        ("2026年11月26日", "二零二六年十一月二十六日"),
        ("气温-5℃", "气温零下五摄氏度"),
        ("面积30㎡", "面积三十平方米"),
        ("面积5m²", "面积五平方米"),
        ("面积5m2，长5m25", "面积五平方米，长五米二十五"),
        ("１２３人", "一百二十三人"),
    ],
)
def test_the_front_end_leaves_numbers_to_this_phonemizer(written: str, said: str) -> None:
    assert letters(written) == letters(said)


@pytest.mark.parametrize("verbalizes", [True, False])
def test_numbers_are_read_whatever_the_setting_for_espeak_ng(verbalizes: bool) -> None:
    front_end = TextFrontEnd(PHONEMIZERS, verbalizes=verbalizes)
    [one], [other] = front_end.sentences("有2个", SCHEME), front_end.sentences("有两个", SCHEME)
    assert one.symbols == other.symbols


def test_english_words_are_read_in_english() -> None:
    assert letters("我用Python写AI。") == ["wo↓jʊ↘ŋ pˈIθən ɕje↓ ˌAˈI."]


def test_a_single_letter_has_its_name() -> None:
    assert letters("A型") == ["ˈA ɕi↗ŋ"]


def test_english_sounds_do_not_become_chinese_ones() -> None:
    assert "ɚ" not in letters("better four")[0]
    assert letters("four") == ["fˈɔɹ"]


@pytest.mark.parametrize(
    ("text", "mark"),
    [("好。", "."), ("好！", "!"), ("好？", "?"), ("好；", ";"), ("好.", "."), ("好!", "!"), ("好？！", "?")],
)
def test_marks_end_sentences(text: str, mark: str) -> None:
    [clause] = clauses(text)
    assert (clause.terminator, clause.ends_sentence, clause.stop) == (mark, True, len(text))


@pytest.mark.parametrize(("text", "mark"), [("好，好", ","), ("好、好", ","), ("好：好", ":"), ("好, 好", ",")])
def test_other_marks_end_clauses(text: str, mark: str) -> None:
    first, second = clauses(text)
    assert (first.terminator, first.ends_sentence) == (mark, False)
    assert (second.terminator, second.ends_sentence, second.stop) == ("", True, len(text))


def test_quotes_brackets_and_dashes_are_letters_of_the_voice() -> None:
    assert letters("《书》（吗）——好……好") == ["“ʂu→ ” (ma ) — xau↓ … xau↓"]


def test_a_bracket_is_no_change_of_language() -> None:
    assert letters("好（吗）") == ["xau↓ (ma )"]


def test_closing_quotes_belong_to_the_sentence_before_them() -> None:
    assert letters("他说：“好。”她走了。") == ["tʰa→ ʂwo→: “xau↓.", "tʰa→ ʦou↓ lɤ."]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("你好一不3.5%年-:/¥。，；！？…—“”（） \nab'\u3042\U0002a700℃²"), max_size=40))
def test_clauses_cover_all_of_the_text(text: str) -> None:
    found = clauses(text)
    stops = [clause.stop for clause in found]
    assert stops == sorted(stops)
    assert (stops[-1] if stops else 0) == len(text)


def test_sentences_have_the_offsets_of_what_was_written() -> None:
    text = "共3.5元。今天2026年！好"
    assert [text[one.start : one.stop] for one in FRONT_END.sentences(text, SCHEME)] == [
        "共3.5元。",
        "今天2026年！",
        "好",
    ]


def test_a_long_sentence_without_marks_is_cut_at_words_and_nowhere_else() -> None:
    text = "我们今天学习普通话" * 60
    parts = list(FRONT_END.sentences(text, SCHEME))
    assert len(parts) > 1
    assert "".join(text[one.start : one.stop] for one in parts) == text
    assert all(len(one.symbols) <= MAX_LETTERS for one in parts)
    assert all(text[one.start : one.stop][:2] in ("我们", "今天", "学习", "普通") for one in parts)
    assert "".join(letters(text)).replace(" ", "") == letters("我们今天学习普通话")[0].replace(" ", "") * 60


def test_each_character_has_its_own_syllable_in_timings() -> None:
    assert timed("银行行长") == [("银", "i↗n"), ("行", "xa↗ŋ"), ("行", "xa↗ŋ"), ("长", "ꭧa↓ŋ")]


def test_a_number_and_an_english_word_are_words_in_timings() -> None:
    assert timed("有2个AI，好") == [("有", "jou↗"), ("2", "lja↓ŋ"), ("个", "kɤ↘"), ("AI", "ˌAˈI"), ("好", "xau↓")]


def test_tones_belong_to_their_vowels() -> None:
    [one] = FRONT_END.sentences("中", SCHEME, is_aligned=True)
    assert [sound.phoneme for sound in one.alignment.sounds] == ["ʈʂ", "ʊ˥", "ŋ"]


def test_ipa_sets_a_pronunciation() -> None:
    passage = Passage("好行", overrides=(Override(1, 2, ipa="xa˧˥ŋ"),))
    [one] = FRONT_END.sentences(passage, SCHEME)
    assert one.symbols == (0, *(VOCABULARY[letter] for letter in "xau↓xa↗ŋ"), 0)


def test_rare_characters_without_pinyin_are_counted() -> None:
    reading = FRONT_END.sentences("好\U0002a700", SCHEME)
    list(reading)
    assert reading.unknown_phonemes == 1


def test_kana_is_left_out_and_counted() -> None:
    reading = FRONT_END.sentences("漢字とかな", SCHEME)
    [one] = reading
    assert "".join(LETTER.get(int(i), "") for i in one.symbols) == "xa↘nʦɨ↘"
    assert reading.unspoken == {"letter": 3}


def test_other_voices_are_read_by_espeak_ng() -> None:
    [clause] = PHONEMIZERS.clauses("hello", "en-us")
    assert clause.phonemes == "həlˈoʊ"
    PHONEMIZERS.check_voice("en-us")
    with pytest.raises(VoiceFileError, match="no voice"):
        PHONEMIZERS.check_voice("cmn-other")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VoiceFileError, match=r"pip install 'phonoscope\[kokoro\]'"):
        PHONEMIZERS.check_voice(VOICE)


def test_the_dictionaries_are_loaded_when_the_voice_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    monkeypatch.setattr("phonoscope.server.text.mandarin.reading.load_in_background", lambda: loads.append("begun"))
    PHONEMIZERS.check_voice(VOICE)
    PHONEMIZERS.prepare("en-us")
    assert loads == []
    PHONEMIZERS.prepare(VOICE)
    assert loads == ["begun"]
