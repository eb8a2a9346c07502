"""Kana become IPA."""

import pytest

from phonoscope.server.text.japanese.moras import ipa_of, is_read, katakana


@pytest.mark.parametrize(
    ("kana", "ipa"),
    [
        ("アイウエオ", "aiɯeo"), ("カキクケコ", "kakʲikɯkeko"), ("サシスセソ", "saɕisɨseso"),
        ("ザジズゼゾ", "dzadʑizɨdzedzo"), ("タチツテト", "tatɕitsɨteto"), ("ダヂヅデド", "dadʑizɨdedo"),
        ("ナニヌネノ", "naɲinɯneno"), ("ハヒフヘホ", "haçiɸɯheho"), ("ヤユヨ", "jajɯjo"),
        ("ラリルレロ", "ɾaɾʲiɾɯɾeɾo"), ("ワヲ", "ɰao"), ("ヴ", "vɯ"), ("ヸ", "vʲi"),
    ],
)  # fmt: skip
def test_kana_are_written_in_ipa(kana: str, ipa: str) -> None:
    assert ipa_of(kana) == ipa


@pytest.mark.parametrize(
    ("kana", "ipa"),
    [
        ("キャ", "kʲa"), ("シュ", "ɕɨ"), ("チョ", "tɕo"), ("ジェ", "dʑe"), ("ニャ", "ɲa"), ("ヒョ", "ço"),
        ("ティ", "tʲi"), ("デュ", "dʲɨ"), ("トゥ", "tɯ"), ("ファ", "ɸa"), ("フィ", "ɸʲi"), ("フュ", "ɸʲɨ"),
        ("ウィ", "ɰi"), ("イェ", "je"), ("クァ", "kʷa"), ("ツァ", "tsa"), ("スィ", "si"), ("ヴィ", "vʲi"),
        ("ヴュ", "bʲɨ"), ("ネェ", "neː"), ("ァ", "a"), ("ョ", "jo"), ("ヶ", "ke"),
    ],
)  # fmt: skip
def test_small_kana_change_the_one_before_them(kana: str, ipa: str) -> None:
    assert ipa_of(kana) == ipa


@pytest.mark.parametrize(
    ("kana", "ipa"),
    [
        ("キッテ", "kʲitːe"), ("ガッコー", "ɡakːoː"), ("マッチャ", "matːɕa"), ("イッツー", "itːsɨː"),
        ("ザッシ", "dzaɕːi"), ("ハッキリ", "hakʲːiɾʲi"), ("アッ", "aʔ"), ("アッア", "aʔa"), ("ッ", "ʔ"),
    ],
)  # fmt: skip
def test_a_small_tsu_makes_the_consonant_after_it_long(kana: str, ipa: str) -> None:
    assert ipa_of(kana) == ipa


@pytest.mark.parametrize(
    ("kana", "ipa"),
    [
        ("シンブン", "ɕimbɯɴ"), ("オンガク", "oŋɡakɯ"), ("カンジ", "kaɲdʑi"), ("アンナイ", "annai"),
        ("センセー", "seɴseː"), ("センツ", "seɴtsɨ"), ("シンヨー", "ɕiɴjoː"), ("ホン", "hoɴ"),
    ],
)  # fmt: skip
def test_a_nasal_takes_the_place_of_the_sound_after_it(kana: str, ipa: str) -> None:
    assert ipa_of(kana) == ipa


def test_other_characters_stay() -> None:
    assert ipa_of("カ龘a") == "ka龘a"


def test_hiragana_and_the_kana_of_ainu_become_katakana() -> None:
    assert katakana("きゃゔゞㇰ漢") == "キャヴヾク漢"
    assert is_read("ヴ")
    assert is_read("ー")
    assert not is_read("漢")
