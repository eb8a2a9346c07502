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
# 一 keeps its first tone after the first of these, as a digit, and before the second, as a digit or in a date.
_NUMBERING: Final = frozenset("第〇零一二三四五六七八九十")
_DATING: Final = frozenset("〇零一二三四五六七八九十月号日")
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
    """Applies the rules for 一, 不 and two third tones where pypinyin, which knows words only, does not.

    A third tone before another becomes the second within a word, and where a word of one syllable meets the next.
    """
    for index, (word, own) in enumerate(zip(written, words_, strict=True)):
        after = words_[index + 1][0] if index + 1 < len(words_) else ""
        if own[-1] == "bu4" and after.endswith(_FOURTH):
            own[-1] = "bu2"
        elif own[-1].endswith(_THIRD) and after.endswith(_THIRD) and len(own) == 1:
            own[-1] = own[-1][:-1] + "2"
        if "一" in word and len(word) == len(own):
            before, following = "".join(written[:index])[-1:], "".join(written[index + 1 : index + 2])[:1]
            _change_ones(f"{before or ' '}{word}{following}", [*own, after], own)


def _change_ones(around: str, tones: Sequence[str], own: list[str]) -> None:
    """Applies the rule for 一: the second tone before a fourth, the fourth before others, the first as a digit.

    Args:
        around: a word, with the character before it, and the one after it if there is one.
        tones: the syllables of the word, and the one after it.
        own: the syllables to change.
    """
    for at, _ in enumerate(own):
        if around[at + 1] != "一":
            continue
        before, after = around[at], around[at + 2 : at + 3]
        if before in _NUMBERING or after in _DATING:
            own[at] = "yi1"
        elif at == 0 and after and own[at] == "yi1":
            own[at] = "yi2" if tones[at + 1].endswith(_FOURTH) else "yi4"


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
