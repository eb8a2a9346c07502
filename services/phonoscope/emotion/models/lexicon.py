"""A lexicon of words by emotion, for English and Chinese: features of the embedded model, and a baseline by itself.

data/lexicon.tsv is Phonoscope's own. English entries are words, or beginnings of words (`laugh*`); Chinese ones are
found anywhere in a text, longer ones first, since Chinese has no spaces between words. A word after a negation
("not happy", 不高兴) does not count.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from phonoscope.emotion.types import EMOTIONS, Estimate, Sentence, estimate_from_weights

NEGATIONS: Final = frozenset(
    ("not", "no", "never", "isn't", "wasn't", "don't", "didn't", "doesn't", "can't", "cannot", "won't", "without")
)
CHINESE_NEGATIONS: Final = ("不", "没", "别", "没有", "不是")
# What counts as no emotion: one word outweighs it.
NEUTRAL_WEIGHT: Final = 0.5
_WORD: Final = re.compile(r"[a-z']+")


class LexiconModel:
    """Counts the words of each emotion; neutral where there are none."""

    name = "lexicon"
    languages: Sequence[str] = ("en", "zh")

    def estimate(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        """Returns the estimates of the sentences."""
        return [self._estimate(sentence) for sentence in sentences]

    def _estimate(self, sentence: Sentence) -> Estimate:
        counts = counts_of(sentence)
        weights = dict(zip(EMOTIONS, counts, strict=True)) | {"neutral": NEUTRAL_WEIGHT}
        total = sum(weights.values())
        return estimate_from_weights(weights, max(weights.values()) / total)


def counts_of(sentence: Sentence) -> tuple[float, ...]:
    """Returns the number of words of each of EMOTIONS in a sentence of English or Chinese."""
    entries = _lexicon()[sentence.language]
    counts = dict.fromkeys(EMOTIONS, 0.0)
    for match in _chinese(sentence.text, entries) if sentence.language == "zh" else _english(sentence.text, entries):
        for emotion in entries.emotions[(match.lastindex or 1) - 1]:
            counts[emotion] += 1.0
    return tuple(counts.values())


@dataclass(frozen=True, slots=True)
class _Entries:
    """The entries of one language: a pattern with a group for each, and the emotions of each."""

    pattern: re.Pattern[str]
    emotions: Sequence[Sequence[str]]


def _english(text: str, entries: _Entries) -> Iterator[re.Match[str]]:
    """Yields the words of a text that match an entry, without negated ones."""
    before: list[str] = []
    for word in _WORD.findall(text.lower().replace("’", "'")):
        if (match := entries.pattern.fullmatch(word)) and not NEGATIONS.intersection(before[-2:]):
            yield match
        before.append(word)


def _chinese(text: str, entries: _Entries) -> Iterator[re.Match[str]]:
    """Yields the entries that a text contains, without negated ones."""
    for match in entries.pattern.finditer(text):
        if not text[: match.start()].endswith(CHINESE_NEGATIONS):
            yield match


@cache
def _lexicon() -> Mapping[str, _Entries]:
    """Returns the entries by language."""
    emotions: dict[str, dict[str, list[str]]] = {}
    lines = files("phonoscope.emotion").joinpath("data", "lexicon.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines[1:]:
        language, emotion, words = line.split("\t")
        for word in words.split():
            emotions.setdefault(language, {}).setdefault(word, []).append(emotion)
    return {language: _compiled(of_words) for language, of_words in emotions.items()}


def _compiled(emotions: Mapping[str, Sequence[str]]) -> _Entries:
    # An exact word before a beginning that matches it too, the longest first.
    ordered = sorted(emotions, key=lambda word: (word.endswith("*"), -len(word)))
    groups = (f"({re.escape(word.removesuffix('*'))}{'[a-z]*' if word.endswith('*') else ''})" for word in ordered)
    return _Entries(re.compile("|".join(groups)), [emotions[word] for word in ordered])
