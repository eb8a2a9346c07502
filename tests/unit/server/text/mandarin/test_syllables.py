"""Pinyin becomes IPA."""

import pytest

from phonoscope.server.text.mandarin.syllables import ipa_of


@pytest.mark.parametrize(
    ("pinyin", "ipa"),
    [
        ("ma1", "ma˥"), ("ma2", "ma˧˥"), ("ma3", "ma˧˩˧"), ("ma4", "ma˥˩"), ("ma5", "ma"), ("ma", "ma"),
        ("zhi1", "ʈʂɻ̩˥"), ("zi1", "tsɹ̩˥"), ("ji1", "tɕi˥"), ("ri4", "ɻɻ̩˥˩"),
        ("zhuang4", "ʈʂwa˥˩ŋ"), ("qiong2", "tɕʰjʊ˧˥ŋ"), ("xue2", "ɕɥe˧˥"), ("jun1", "tɕy˥n"), ("lv4", "ly˥˩"),
        ("liu2", "ljou˧˥"), ("gui4", "kwei˥˩"), ("lun2", "lwə˧˥n"), ("bo1", "pwo˥"),
        ("you3", "jou˧˩˧"), ("yuan2", "ɥɛ˧˥n"), ("yi1", "i˥"), ("ying1", "i˥ŋ"), ("wu3", "u˧˩˧"), ("wen2", "wə˧˥n"),
        ("er2", "ɚ˧˥"), ("o2", "ɔ˧˥"), ("n2", "n˧˥"), ("hm5", "hm"), ("ai4", "ai˥˩"),
    ],
)  # fmt: skip
def test_a_syllable_is_written_in_ipa(pinyin: str, ipa: str) -> None:
    assert ipa_of(pinyin) == ipa


@pytest.mark.parametrize("text", ["", "1", "b", "xyz1", "㐀"])
def test_what_is_not_pinyin_has_no_sound(text: str) -> None:
    assert ipa_of(text) == ""
