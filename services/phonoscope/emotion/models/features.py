"""The features of the embedded model's heads, shared by the model and by its training (benchmarks/train_emotion.py).

English: the sentence embedding. Chinese: the characters and pairs and triples of them, hashed, since no package has a
small encoder of Chinese. Both: the words of the lexicon by emotion, and whether the text exclaims or asks.
"""

import zlib
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from phonoscope.emotion.models.lexicon import counts_of
from phonoscope.emotion.models.minilm import SentenceEncoder
from phonoscope.emotion.types import Sentence

HASHED_WIDTH: Final = 4096
LONGEST_GRAM: Final = 3
MAX_COUNT: Final = 2.0
# How much a word of the lexicon weighs beside the other features, which have length 1; chosen on the development part.
LEXICON_SCALES: Final = {"en": 0.2, "zh": 0.2}


def english_features(sentences: Sequence[Sentence], encoder: SentenceEncoder) -> Tensor:
    """Returns one row for each sentence: (sentences, 384 + 10)."""
    return torch.cat([encoder.encode([one.text for one in sentences]), _cues(sentences)], dim=1)


def chinese_features(sentences: Sequence[Sentence]) -> Tensor:
    """Returns one row for each sentence: (sentences, 4096 + 10)."""
    grams = torch.zeros(len(sentences), HASHED_WIDTH)
    for row, sentence in zip(grams, sentences, strict=True):
        for column in _columns(sentence.text):
            row[column] += 1.0
    return torch.cat([normalize(grams, dim=1), _cues(sentences)], dim=1)


def _columns(text: str) -> list[int]:
    grams = (text[at : at + length] for length in range(1, LONGEST_GRAM + 1) for at in range(len(text) - length + 1))
    return [zlib.crc32(gram.encode()) % HASHED_WIDTH for gram in grams]


def _cues(sentences: Sequence[Sentence]) -> Tensor:
    """Returns the words of each emotion, and the marks: (sentences, 8 + 2)."""
    rows = []
    for one in sentences:
        words = [min(count, MAX_COUNT) for count in counts_of(one)]
        marks = [float(any(mark in one.text for mark in marks)) for marks in ("!！", "?？")]
        rows.append([LEXICON_SCALES[one.language] * value for value in (*words, *marks)])
    return torch.tensor(rows)
