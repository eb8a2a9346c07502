"""Chinese in Kokoro's letters against misaki, which Kokoro v1.0 was trained with. Skipped without misaki[zh].

misaki writes no change of tone where one word meets the next or within a word that its dictionary lacks; ours does, so
those rules are left out here.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.languages import LANGUAGES
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.mandarin import reading
from phonoscope.server.text.phonemizers import build_phonemizers

MISSING = [name for name in ("cn2an", "jieba", "misaki", "pypinyin") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"misaki[zh] is not installed: {MISSING}")

pypinyin = pytest.importorskip("pypinyin")
NO_RULES = {"tone_sandhi": False}
LETTER = {number: symbol for symbol, number in VOCABULARY.items()}
NEEDED = 0.95
SENTENCES = (
    "今天天气很好，我们一起去公园散步吧。",
    "他昨天晚上在图书馆看了三个小时的书。",
    "请问最近的地铁站怎么走？",
    "这家饭馆的饺子非常好吃，价钱也不贵。",
    "我想买五百克水果和两瓶水。",
    "小孩子们在操场上跑来跑去。",
    "重庆的夏天很热，冬天很少下雪。",
    "银行早上九点开门，下午五点关门。",
    "妈妈给我打电话，问我什么时候回家。",
    "这本小说写得很有意思，你可以看一看。",
    "展览馆里有很多古老的画。",
    "老师让我们把作业交给班长。",
    "火车还有十分钟就要开了。",
    "医生说他的病不严重，休息几天就好。",
    "昨天的比赛我们队赢了两个球。",
    "你好，世界！很高兴认识你。",
    "我给你介绍一下这座城市的历史。",
    "因为下大雨，飞机晚了一个小时。",
    "他每天坚持跑步，身体越来越好。",
    "海边的风很大，请多穿一件衣服。",
    "哪儿有卖花儿的商店？",
    "《红楼梦》是一部有名的小说。",
    "他长大以后想当音乐家。",
    "这件事行不行，你说了算。",
    "女儿在上海读大学，儿子在北京工作。",
    "春天来了，院子里的桃花都开了。",
    "请把窗户关上，外面太吵了。",
    "这条河很长，流过三个省。",
    "我们明天早上六点半出发。",
    "你能帮我照一张相吗？",
    "会议推迟到下个星期三举行。",
    "他说话的声音很轻，我听不清楚。",
    "学习语言需要时间和耐心。",
    "桌子上放着一杯热茶和几块饼干。",
    "公司决定给员工增加工资。",
    "月亮从山后面慢慢升起来。",
    "警察很快就找到了丢失的钱包。",
    "这种药一天吃三次，饭后吃。",
    "新的机场离市中心有四十公里。",
    "她穿着一条绿色的裙子，站在门口。",
    "我觉得这个办法不错，可以试试。",
    "爷爷喜欢在树下下象棋。",
    "电脑坏了，我得拿去修理。",
    "四是四，十是十，十四是十四。",
    "吃葡萄不吐葡萄皮。",
    "科学家发现了一颗新的行星。",
    "别着急，慢慢说，我们听着呢。",
    "政府正在讨论新的环境法律。",
    "冰箱里还有牛奶、鸡蛋和蔬菜。",
    "中国有五十六个民族。",
    "昨晚的音乐会非常精彩！",
    "没有人知道他去了哪里。",
    "雪后的空气又冷又新鲜。",
    "司机把车停在路边等客人。",
    "她用两个月的时间写完了论文。",
    "日本料理和韩国料理我都喜欢。",
    "请注意：前面正在修路；车辆慢行。",
    "他（我的同学）住在隔壁。",
    "二零二六年十一月二十六日下了一场大雪。",
    "欢迎各位朋友来我们这儿做客。",
)


def plain(letters: str) -> str:
    """Leaves out what only looks different: spaces, and marks at the end."""
    return re.sub(r"\s", "", letters).rstrip(".!?")


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Reads without the rules for tones beside others."""
    lazy_pinyin = pypinyin.lazy_pinyin
    monkeypatch.setattr(pypinyin, "lazy_pinyin", lambda word, **options: lazy_pinyin(word, **options | NO_RULES))
    monkeypatch.setattr(reading, "_change_tones", lambda written, words: None)
    reading._loaded.cache_clear()
    monkeypatch.setattr(reading, "load_in_background", lambda: None)
    mandarin = LANGUAGES["z"]
    scheme = mandarin.scheme(VOCABULARY)
    front_end = TextFrontEnd(build_phonemizers())

    def letters(text: str) -> str:
        symbols = [symbol for sentence in front_end.sentences(text, scheme) for symbol in sentence.symbols]
        return plain("".join(LETTER.get(int(symbol), "") for symbol in symbols))

    yield letters
    reading._loaded.cache_clear()


@pytest.fixture(scope="module")
def misaki() -> Any:
    pytest.importorskip("ordered_set")
    return importlib.import_module("misaki.zh").ZHG2P()


def test_phonemes_are_those_of_misaki(ours: Callable[[str], str], misaki: Any) -> None:
    pairs = [(ours(text), plain(misaki(text)[0])) for text in SENTENCES]
    different = [pair for pair in pairs if pair[0] != pair[1]]
    print(*different, sep="\n")
    assert len(different) <= (1 - NEEDED) * len(SENTENCES), different
