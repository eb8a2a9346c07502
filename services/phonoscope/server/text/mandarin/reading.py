"""Reads Chinese characters: words by jieba, their pinyin by pypinyin, and what tones become beside others.

Called by `phonemizer.py`. Both packages come with `phonoscope[kokoro]`; they load in a thread of their own, so that a
server is ready without waiting for their dictionaries.
"""

import functools
import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from phonoscope.server.text.mandarin.syllables import ipa_of
from phonoscope.server.text.phoneme_ids import SYLLABLE_END

if TYPE_CHECKING:
    import jieba

_PACKAGES: Final = ("jieba", "pypinyin")
_MAX_WORDS_KNOWN: Final = 20_000
# The counting word of a date or a number keeps the first tone of 一.
_COUNTING: Final = frozenset("〇零一二三四五六七八九十点月号日")
_THIRD, _FOURTH = "3", "4"


def are_installed() -> bool:
    """Returns whether the packages that read Chinese are installed."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


def load_in_background() -> None:
    """Begins to load the dictionaries."""
    threading.Thread(target=_reader, name="mandarin-dictionaries", daemon=True).start()


def words(han: str) -> Iterator[tuple[str, str]]:
    """Yields the words of a run of Chinese characters with their IPA; leaves characters without pinyin as they are."""
    found = _reader()(han)
    syllables = [list(one) for _, one in found]
    _change_tones([word for word, _ in found], syllables)
    for (word, _), own in zip(found, syllables, strict=True):
        yield word, "".join((ipa_of(one) or ("" if one.isascii() else one)) + SYLLABLE_END for one in own)


def _change_tones(written: Sequence[str], words_: Sequence[list[str]]) -> None:
    """Applies the rules for 一, 不 and two third tones where one word meets the next; pypinyin knows them within one.

    A third tone before another becomes the second within a word, and where a word of one syllable meets the next.
    """
    for index in range(len(words_) - 1):
        word, own, after = written[index], words_[index], words_[index + 1][0]
        if own[-1] == "bu4" and after.endswith(_FOURTH):
            own[-1] = "bu2"
        elif word == "一" and own == ["yi1"] and _counts(written, index):
            own[-1] = "yi2" if after.endswith(_FOURTH) else "yi4"
        elif own[-1].endswith(_THIRD) and after.endswith(_THIRD) and len(own) == 1:
            own[-1] = own[-1][:-1] + "2"


def _counts(written: Sequence[str], index: int) -> bool:
    """Returns whether a 一 counts what follows, in contrast to a digit of a number or a date."""
    before = written[index - 1][-1] if index else ""
    return before not in _COUNTING and before != "第" and written[index + 1][0] not in _COUNTING


_LOCK: Final = threading.Lock()


def _reader() -> Callable[[str], list[tuple[str, tuple[str, ...]]]]:
    with _LOCK:
        return _loaded()


@functools.cache
def _loaded() -> Callable[[str], list[tuple[str, tuple[str, ...]]]]:
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415  optional, and slow to load

    tokenizer = _tokenizer()

    @functools.lru_cache(_MAX_WORDS_KNOWN)
    def pinyin(word: str) -> tuple[str, ...]:
        return tuple(lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True))

    def read(han: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(word, pinyin(word)) for word in tokenizer.cut(han)]

    return read


def _tokenizer() -> "jieba.Tokenizer":
    """Returns jieba with its dictionary, without the cache that it would write to the folder of temporary files."""
    import jieba  # noqa: PLC0415  as above

    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer
