"""Reads Japanese words by OpenJTalk: their kana as they sound where they are, and which of them are spoken as one.

Called by `phonemizer.py`. OpenJTalk and its dictionaries come with `phonoscope[kokoro]` (pyopenjtalk-plus); they load
in a thread of their own, so that a server is ready without waiting for them.
"""

import functools
import importlib.util
import itertools
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from rapidfuzz.distance import Levenshtein

from phonoscope.server.text.japanese.moras import LONG, SHORT_STOP, is_read, katakana

_PACKAGE: Final = "pyopenjtalk"
# OpenJTalk refuses a text of more than 16 KB.
_MAX_CHARACTERS: Final = 400
_LONGEST_LATIN: Final = 40
_MAX_LATIN_KNOWN: Final = 20_000
# 何 is ナン before these sounds.
_AFTER_NAN: Final = tuple("タダテデトドナノ")
# A vowel twice in a word that is inflected is a long one: 新しい, 聞いて, 言う.
_INFLECTED: Final = frozenset(("動詞", "形容詞", "助動詞"))
_TWICE: Final = re.compile("(?<=[イキギシジチヂニヒビピミリ])イ|(?<=[ウクグスズツヅヌフブプムユルュ])ウ")
_UNVOICED: Final = "’"  # OpenJTalk's mark after a mora whose vowel is unvoiced
_WHOLE_READINGS: Final = {"〇": "マル"}
_FROM_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_TO_PLAIN: Final = str.maketrans(
    {code: chr(narrow) for code, narrow in _FROM_WIDE.items()}
    | {ord(wide): kanji for wide, kanji in zip("０１２３４５６７８９", "〇一二三四五六七八九", strict=True)}
    | {ord(digit): kanji for digit, kanji in zip("0123456789", "〇一二三四五六七八九", strict=True)}
)
_A_NUMBER: Final = "0"
_DIGITS: Final = "〇一二三四五六七八九十百千万億兆"
_UNIT: Final = re.compile(rf"(?P<number>[{_DIGITS}]+(?:[,.][{_DIGITS}]+)*)|.", re.DOTALL)
_Node = dict[str, Any]


class Word(NamedTuple):
    """Words that are spoken as one.

    Attributes:
        kana: as they sound, in katakana; characters without a reading stay as they are.
        stop: offset after them.
        starts_phrase: whether an accent phrase starts with them.
    """

    kana: str
    stop: int
    starts_phrase: bool


def are_installed() -> bool:
    """Returns whether the package that reads Japanese is installed."""
    return importlib.util.find_spec(_PACKAGE) is not None


def load_in_background() -> None:
    """Begins to load the dictionaries."""
    threading.Thread(target=_reader, name="japanese-dictionaries", daemon=True).start()


def words(text: str) -> Iterator[Word]:
    """Yields the words of a text without marks and spaces."""
    start = 0
    while start < len(text):
        part = text[start : start + _MAX_CHARACTERS]
        found = list(_words(part))
        if start + len(part) < len(text):
            found = _whole_phrases(found)
        for word in found:
            yield word._replace(stop=start + word.stop)
        start += found[-1].stop


def _whole_phrases(found: list[Word]) -> list[Word]:
    """Returns the words before the last accent phrase, which may go on after them; all if there is one only."""
    last = next((at for at in range(len(found) - 1, 0, -1) if found[at].starts_phrase), len(found))
    return found[:last]


@functools.lru_cache(_MAX_LATIN_KNOWN)
def has_word(latin: str) -> bool:
    """Returns whether a word in Latin letters is in the dictionary, with its sound in Japanese: iPhone, world."""
    return len(latin) <= _LONGEST_LATIN and _reader().has_word(latin)


def _words(text: str) -> Iterator[Word]:
    kana, stop, starts_phrase = "", 0, True
    before: _Node | None = None
    nodes = _reader().nodes(text)
    for node, after, end in zip(nodes, [*nodes[1:], None], _ends(nodes, text), strict=False):
        said = _kana(node, after)
        if before is not None and not _joins(before, kana, node, said):
            yield Word(kana, stop, starts_phrase)
            kana, starts_phrase = "", node["chain_flag"] != 1
        kana, stop, before = kana + said, end, node
    yield Word(kana, len(text), starts_phrase)


def _kana(node: _Node, after: _Node | None) -> str:
    """Returns what a node sounds like; characters without a sound as they are."""
    if node["mora_size"]:
        if node["string"] == "何" and after is not None and after["pron"].startswith(_AFTER_NAN):
            return "ナン"
        kana = str(node["pron"]).replace(_UNVOICED, "")
        return _TWICE.sub(LONG, kana) if node["pos"] in _INFLECTED else kana
    written = "".join(_WHOLE_READINGS.get(one, one) for one in node["string"])
    return "".join(one for one in katakana(written) if one.isalnum() or is_read(one))


def _joins(before: _Node, kana: str, node: _Node, said: str) -> bool:
    """Returns whether a node is spoken as one word with the one before it.

    Args:
        before: the node before it.
        kana: of the word so far.
        node: the node.
        said: its kana.
    """
    if kana.endswith(SHORT_STOP) or said.startswith(LONG) or not said:
        return True
    if node["chain_flag"] != 1:
        return False
    is_after_number = before["pos_group1"] == "数"
    if node["pos"] == "助動詞":
        return bool(before["pos"] == "助動詞")
    return bool(node["pos_group1"] == "接尾" or (is_after_number and node["pos_group1"] == "数"))


def _ends(nodes: Sequence[_Node], text: str) -> list[int]:
    """Returns the offset after each node: OpenJTalk rewrites numbers, and some characters, before it reads them."""
    strings = [str(node["string"]).translate(_TO_PLAIN) for node in nodes]
    stops = list(itertools.accumulate(map(len, strings)))
    said, written = "".join(strings), text.translate(_TO_PLAIN)
    if said == written:
        return stops
    places = [0] * (len(said) + 1)
    for unit, (first, last) in _aligned(list(_UNIT.finditer(said)), list(_UNIT.finditer(written))):
        length = unit.end() - unit.start()
        for within in range(1, length):  # a number whose parts have no place of their own in it
            places[unit.start() + within] = first + max(1, (last - first) * within // length)
        places[unit.end()] = last
    return [places[stop] for stop in stops]


def _aligned(
    said: Sequence[re.Match[str]], written: Sequence[re.Match[str]]
) -> Iterator[tuple[re.Match[str], tuple[int, int]]]:
    """Yields each unit of what is said with the range of what is written for it; a number is one unit."""
    keys = ([_A_NUMBER if unit["number"] else unit.group() for unit in units] for units in (said, written))
    for edit in Levenshtein.opcodes(*keys):
        for index in range(edit.src_start, edit.src_end):
            at = edit.dest_start + index - edit.src_start
            if at < edit.dest_end:
                yield said[index], written[at].span()
            else:
                behind = written[edit.dest_end - 1].end() if edit.dest_end else 0
                yield said[index], (behind, behind)


class _OpenJTalk:
    """OpenJTalk with its dictionaries; one thread at a time."""

    def __init__(self) -> None:
        import pyopenjtalk  # noqa: PLC0415  optional, and slow to load

        self._read = pyopenjtalk.run_frontend_detailed
        self.nodes("今日は風が強い。")  # loads both dictionaries: its own, and that of Sudachi for words like 風

    def nodes(self, text: str) -> list[_Node]:
        """Returns the words of a text."""
        # Without its model for 何, which needs onnxruntime; 言う is spoken as ユー.
        nodes, _ = self._read(text, predict_nani=False, iu_pronunciation="YuuBase")
        return [dict(node) for node in nodes]

    def has_word(self, text: str) -> bool:
        """Returns whether a text is one word of the dictionary."""
        found = self._read(text, predict_nani=False)[1]
        return len(found) == 1 and not found[0]["is_unknown"]


_LOCK: Final = threading.Lock()


def _reader() -> _OpenJTalk:
    with _LOCK:
        return _loaded()


_loaded: Final = functools.cache(_OpenJTalk)
