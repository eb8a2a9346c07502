"""Aligns the phonemes of a sentence with its words.

espeak-ng returns the phonemes of a sentence but not its word boundaries: it joins words ("of the" is "ʌvðə") and
expands one into several ("1984"). So each word is also read in isolation, and the sentence's phonemes are aligned with
the concatenated phonemes of its words by minimum edit distance (Levenshtein 1966, Wagner and Fischer 1974). Called by
`word_alignment.py` where a request asks for timings, or sets the pronunciation or prosody of parts of a text.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from rapidfuzz.distance import Levenshtein

from phonoscope.server.text.phoneme_ids import SILENT, SYLLABLE_END

STRESS: Final = frozenset("ˈˌ")
_LENGTH: Final = frozenset("ːˑ")
_APART: Final = SILENT - STRESS - _LENGTH
_SPACE: Final = " "


def align(expected: Sequence[Sequence[str]], symbols: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the range of `symbols` of each word; empty if the word has none.

    Args:
        expected: phonemes of each word read in isolation; at least one word.
        symbols: phonemes of the sentence; ranges ascend and do not overlap.
    """
    flat: list[str] = []
    spans = []
    for word in expected:
        spans.append((len(flat), len(flat) + len(word)))
        flat += word if word[-1:] == (SYLLABLE_END,) else (*word, _SPACE)
    earliest, latest = _places(flat, symbols)
    cuts = [0]
    for (_, stop), (start, _) in pairwise(spans):
        cuts.append(max(cuts[-1], _cut(symbols, earliest[stop], latest[start])))
    ranges = [_trimmed(symbols, *bounds) for bounds in pairwise([*cuts, len(symbols)])]
    return _fed(ranges, expected)


def shares(first: Sequence[str], last: Sequence[str], whole: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Returns what each of two parts of a word has of its phonemes.

    A part may sound as it does alone, but for the sound beside the other, which then has the rest.

    Args:
        first: phonemes of the first part alone.
        last: phonemes of the second part alone.
        whole: phonemes of the word.
    """
    if first and list(whole[: len(first) - 1]) == list(first[:-1]):
        return whole[: len(first)], whole[len(first) :]
    if last and list(whole[len(whole) - len(last) + 1 :]) == list(last[1:]):
        return whole[: -len(last)], whole[-len(last) :]
    return first, last


def _fed(ranges: list[tuple[int, int]], expected: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Assigns to a word without symbols the last sound of the word that it merged with: "for a" is "fɚɹə"."""
    for index in range(1, len(ranges)):
        (first, last), (start, stop) = ranges[index - 1 : index + 1]
        if start == stop and expected[index] and last - first > 1:
            ranges[index - 1 : index + 1] = (first, last - 1), (last - 1, last)
    return ranges


def _places(flat: Sequence[str], symbols: Sequence[str]) -> tuple[list[int], list[int]]:
    """Returns where each boundary in `flat` falls in `symbols`: before and after the symbols inserted there."""
    earliest, latest = [0] * (len(flat) + 1), [0] * (len(flat) + 1)
    for edit in Levenshtein.opcodes(flat, symbols):
        if edit.tag == "insert":
            latest[edit.src_start] = edit.dest_end
            continue
        step = 0 if edit.tag == "delete" else 1
        for count in range(1, edit.src_end - edit.src_start + 1):
            earliest[edit.src_start + count] = latest[edit.src_start + count] = edit.dest_start + step * count
    return earliest, latest


def _cut(symbols: Sequence[str], low: int, high: int) -> int:
    """Returns the boundary between two words: at a space if there is one between them."""
    return next((at for at in range(low, high) if symbols[at] in _APART), high)


def _trimmed(symbols: Sequence[str], start: int, stop: int) -> tuple[int, int]:
    """Removes spaces and marks at both ends, but not the stress before a vowel."""
    while start < stop and symbols[start] in _APART:
        start += 1
    while stop > start and symbols[stop - 1] in _APART:
        stop -= 1
    return start, stop
