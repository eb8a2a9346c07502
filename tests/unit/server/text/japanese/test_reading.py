"""Words are found, and sound as they do where they are."""

import pytest

from phonoscope.server.text.japanese import reading

pytestmark = pytest.mark.skipif(
    not reading.are_installed(), reason="pyopenjtalk-plus is missing: pip install 'phonoscope[kokoro]'"
)


def spoken(text: str) -> list[tuple[str, str]]:
    """Returns the words of a text with their kana."""
    found, start = [], 0
    for word in reading.words(text):
        found.append((text[start : word.stop], word.kana))
        start = word.stop
    return found


def kana(text: str) -> str:
    return "".join(word.kana for word in reading.words(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("今日は風が強い", "キョーワカゼガツヨイ"),
        ("学校へ行く", "ガッコーエイク"),
        ("明日は八百屋に行った", "アシタワヤオヤニイッタ"),
        ("何ですか", "ナンデスカ"),
        ("何を", "ナニヲ"),
        ("何人", "ナンニン"),
        ("新しい", "アタラシー"),
        ("聞いて", "キーテ"),
        ("〇〇さん", "マルマルサン"),
    ],
)
def test_words_sound_as_they_do_where_they_are(text: str, said: str) -> None:
    assert kana(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1本2本3本6本8本10本", "イッポンニホンサンボンロッポンハッポンジュッポン"),
        ("1人2人3人4人", "ヒトリフタリサンニンヨニン"),
        ("3階", "サンガイ"),
        ("4時4分", "ヨジヨンプン"),
        ("9時10分", "クジジュップン"),
        ("4月1日", "シガツツイタチ"),
        ("20日", "ハツカ"),
        ("14日", "ジューヨッカ"),
        ("2つ", "フタツ"),
        ("300円", "サンビャクエン"),
        ("8,600円", "ハッセンロッピャクエン"),
        ("1億2000万", "イチオクニセンマン"),
        ("2026年", "ニセンニジューロクネン"),
        ("二〇二六年", "ニセンニジューロクネン"),
        ("1.5倍", "イッテンゴバイ"),
        ("0.05", "レーテンゼロゴー"),
    ],
)
def test_numbers_and_counters_change_each_other(text: str, said: str) -> None:
    assert kana(text) == said


def test_endings_and_counters_belong_to_their_word() -> None:
    assert spoken("三冊借りました") == [("三冊", "サンサツ"), ("借り", "カリ"), ("ました", "マシタ")]
    assert spoken("行ってみた") == [("行って", "イッテ"), ("み", "ミ"), ("た", "タ")]


def test_offsets_are_those_of_the_text_though_numbers_are_rewritten() -> None:
    assert spoken("約1,200人です") == [("約", "ヤク"), ("1", "セン"), (",200人", "ニヒャクニン"), ("です", "デス")]
    first, *_, last = spoken("𠮷野家で2026年に")
    assert (first, last) == (("𠮷野家", "ヨシノヤ"), ("に", "ニ"))


def test_a_character_without_a_reading_stays() -> None:
    assert kana("ヵ\U0002a700") == "ヵ\U0002a700"
    assert kana("\u3099") == ""


@pytest.mark.parametrize("text", ["漢字を読む時間がとても長くなりました" * 60, "あ" * 1000, "1" * 1000, "龘" * 1000])
def test_a_long_text_is_read_to_its_end(text: str) -> None:
    stops = [word.stop for word in reading.words(text)]
    assert stops == sorted(stops)
    assert stops[-1] == len(text)


def test_a_long_text_is_read_like_a_short_one() -> None:
    assert kana("漢字を読みました。".rstrip("。") * 60) == kana("漢字を読みました") * 60


def test_latin_words_of_the_dictionary_are_known() -> None:
    assert reading.has_word("iPhone")
    assert not reading.has_word("Kubernetes")
    assert not reading.has_word("Mr")
