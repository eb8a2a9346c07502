"""Word segmentation for text of any script. Called by `word_alignment.py` and `lexicon.py`.

In scripts with spaces between words, a word is the text between two spaces, without surrounding marks; in scripts
without (Han, kana), each character is a word.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_WITHOUT_SPACES: Final = (
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WIDE_MARKS: Final = "、。，！？：；（）《》「」『』【】"
_SPACED_RUN: Final = re.compile(f"[{_WITHOUT_SPACES}]|[^\\s{_WITHOUT_SPACES}{_WIDE_MARKS}]+")
_SPEAKABLE_SIGNS: Final = frozenset("%&@+=§°€$£¥¢₩©®™№¶×÷±¬√∞≈≠≤≥≡−→←↑↓∑∫∂∝♯♭")
_SPEAKABLE: Final = re.compile(f"[^\\W_]|[{''.join(sorted(_SPEAKABLE_SIGNS))}]")

TOKEN: Final = re.compile(f"[{_WITHOUT_SPACES}]|[^\\W{_WITHOUT_SPACES}]+|[^\\w\\s]")
"""The smallest pieces: a run of letters and digits, a character of a script without spaces, or a sign."""


def is_speakable(text: str) -> bool:
    """Returns whether a text contains more than marks and space."""
    return _SPEAKABLE.search(text) is not None


def words(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yields the start and end of each word in characters `start` to `stop`."""
    for run in _SPACED_RUN.finditer(text, start, stop):
        first, last = run.span()
        if not text[first].isalnum():
            found = _SPEAKABLE.search(text, first, last)
            if found is None:
                continue
            first = found.start()
        while not _ends_word(text, last):
            last -= 1
        yield first, last


def _ends_word(text: str, stop: int) -> bool:
    """Returns whether the character before `stop` is spoken: a letter, also with marks such as Hindi's vowels."""
    while unicodedata.category(text[stop - 1])[0] == "M":
        stop -= 1
    return text[stop - 1].isalnum() or text[stop - 1] in _SPEAKABLE_SIGNS
