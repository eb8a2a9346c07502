"""Japanese in Kokoro's letters against misaki, which Kokoro v1.0 was trained with. Skipped without misaki[ja].

misaki reads words with a dictionary of UniDic, ours with OpenJTalk's; so the letters of a reading must be equal, and
whole sentences nearly so. What it needs: `pip install --no-deps misaki addict fugashi mojimoji unidic-lite`.
"""

import importlib
import importlib.util
import re
from collections.abc import Callable
from typing import Any

import pytest
from rapidfuzz.distance import Levenshtein

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.languages import LANGUAGES
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.japanese import reading
from phonoscope.server.text.japanese.moras import ipa_of
from phonoscope.server.text.phoneme_ids import spell, split_phonemes
from phonoscope.server.text.phonemizers import build_phonemizers

PACKAGES = ("fugashi", "jaconv", "misaki", "mojimoji", "pyopenjtalk", "unidic_lite")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"misaki[ja] is not installed: {MISSING}"),
    pytest.mark.filterwarnings("ignore:open_text is deprecated:DeprecationWarning"),  # in misaki
]

SCHEME = LANGUAGES["j"].scheme(VOCABULARY)
LETTER = {number: symbol for symbol, number in VOCABULARY.items()}
HIRAGANA = 6  # the class of characters for which misaki takes the reading
ALIKE_ON_AVERAGE, ALIKE_AT_LEAST = 0.96, 0.7
SENTENCES = (
    "今日は朝からいい天気なので、公園を散歩しました。",
    "駅前の図書館で、新しい小説を借りました。",
    "週末に友達と一緒に映画を見に行く予定です。",
    "すみません、一番近い郵便局はどこにありますか。",
    "彼女は毎朝六時に起きて、犬の散歩をしている。",
    "この店のラーメンは安くておいしいと評判です。",
    "明日の会議は午後二時から始まります。",
    "子供たちは校庭で元気に走り回っている。",
    "父は東京の会社で三十年間働いてきた。",
    "台風が近づいているので、電車が止まるかもしれません。",
    "財布を家に忘れてきたことに気がついた。",
    "母の誕生日に赤い花を贈ることにした。",
    "山の上から見る夕日はとても美しかった。",
    "日本の夏は蒸し暑くて、過ごしにくいです。",
    "先生の説明はわかりやすくて助かりました。",
    "冷蔵庫に牛乳と卵が残っていますか。",
    "新しいパソコンを買うためにお金を貯めています。",
    "彼は医者になるために、毎日遅くまで勉強している。",
    "雨がやんだら、洗濯物を外に干してください。",
    "この道をまっすぐ行くと、右側に病院が見えます。",
    "切手を買って、手紙を出しに行った。",
    "雑誌を読みながら、コーヒーを飲んでいる。",
    "ヴァイオリンとピアノの演奏会を聴きに行きます。",
    "ジェットコースターとティーカップに乗った。",
    "「ありがとう」と彼は小さな声で言った。",
    "結婚式の写真を見せてください！",
    "どうして昨日は学校を休んだの？",
    "真っ赤な夕焼けが空いっぱいに広がった。",
    "旅館の料理はとても豪華だった。",
    "ちょっと待ってください、今すぐ行きます。",
    "飛行機の出発が一時間遅れるそうです。",
    "隣の客はよく柿食う客だ。",
    "東京特許許可局",
    "シュークリームとチョコレートを注文しました。",
    "百聞は一見にしかず。",
    "雪が積もって、道路が真っ白になった。",
    "京都のお寺を三つ見学した。",
    "新聞によると、景気は少しずつ良くなっている。",
    "お茶でも飲みながら話しましょう。",
    "この問題は難しすぎて、誰にも解けない。",
)


@pytest.fixture
def misaki() -> Any:
    return importlib.import_module("misaki.cutlet")


def letters_of(ipa: str) -> str:
    spelled = spell(split_phonemes(ipa, SCHEME.clusters), SCHEME)
    assert not spelled.unknown
    return "".join(LETTER[number] for number in spelled.ids[1:-1])


def plain(letters: str) -> str:
    """Leaves out what only looks different: spaces, and marks at the end."""
    return re.sub(r"\s", "", letters).rstrip(".!?")


def test_a_reading_has_the_letters_of_misaki(misaki: Any) -> None:
    cutlet = misaki.Cutlet()
    jaconv = importlib.import_module("jaconv")
    kana = {word.kana for text in SENTENCES for run in re.findall(r"\w+", text) for word in reading.words(run)}
    theirs = {one: cutlet._romaji_word(misaki.Word(one, jaconv.kata2hira(one), HIRAGANA)) for one in kana}
    assert {one: letters_of(ipa_of(one)) for one in kana} == theirs


def test_sentences_are_nearly_those_of_misaki(misaki: Any) -> None:
    front_end = TextFrontEnd(build_phonemizers())
    theirs: Callable[[str], tuple[str, None]] = misaki.Cutlet()

    def ours(text: str) -> str:
        symbols = [symbol for sentence in front_end.sentences(text, SCHEME) for symbol in sentence.symbols]
        return plain("".join(LETTER.get(int(symbol), "") for symbol in symbols))

    pairs = [(ours(text), plain(theirs(text)[0])) for text in SENTENCES]
    alike = [Levenshtein.normalized_similarity(*pair) for pair in pairs]
    different = [pair for pair in pairs if pair[0] != pair[1]]
    print(*different, sum(alike) / len(alike), sep="\n")
    assert min(alike) >= ALIKE_AT_LEAST
    assert sum(alike) / len(alike) >= ALIKE_ON_AVERAGE
