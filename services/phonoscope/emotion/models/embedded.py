"""The default model: needs no files besides its packages, and knows English and Chinese.

For each language a linear head over `features.py`, trained by benchmarks/train_emotion.py on sentences written for it.
"""

from collections.abc import Sequence
from importlib.resources import as_file, files
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from phonoscope.emotion.models.features import chinese_features, english_features
from phonoscope.emotion.models.minilm import SentenceEncoder
from phonoscope.emotion.types import CLASSES, Estimate, Sentence, estimate_from_scores

HEADS_FILE: Final = "heads.safetensors"


class EmbeddedModel:
    """Sentence embeddings for English, hashed characters for Chinese, a lexicon for both.

    Args:
        encoder: of English.
    """

    name = "embedded"
    languages: Sequence[str] = ("en", "zh")

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        with as_file(files("phonoscope.emotion").joinpath("data", HEADS_FILE)) as path:
            self._heads = {name: value.float() for name, value in load_file(path).items()}

    @torch.inference_mode()
    def estimate(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        """Returns the estimates of the sentences."""
        scores = torch.zeros(len(sentences), len(CLASSES))
        for language in self.languages:
            rows = [row for row, one in enumerate(sentences) if one.language == language]
            if rows:
                features = self._features(language, [sentences[row] for row in rows])
                scores[rows] = features @ self._heads[f"{language}.weight"] + self._heads[f"{language}.bias"]
        return [estimate_from_scores(row) for row in scores.tolist()]

    def _features(self, language: str, sentences: Sequence[Sentence]) -> Tensor:
        return english_features(sentences, self._encoder) if language == "en" else chinese_features(sentences)
