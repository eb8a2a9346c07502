"""Trains the heads of the embedded emotion model, and writes them where the service reads them.

Run by hand, `python -m benchmarks.train_emotion`, after a change of features, lexicon or training sentences; it takes
some seconds. Softmax regression with an L2 penalty: convex, so the result depends on the sentences alone. The penalty
makes the weights too even; they are sharpened until they are as sure as they are right on the development part.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

import phonoscope.emotion
from benchmarks.emotion_sets import Labelled, evaluation_set, training_set
from phonoscope.emotion.models.embedded import HEADS_FILE
from phonoscope.emotion.models.features import chinese_features, english_features
from phonoscope.emotion.models.minilm import SentenceEncoder, package_dir
from phonoscope.emotion.types import CLASSES

# Chosen on the development part.
PENALTIES: Final = {"en": 1e-3, "zh": 1e-3}
SHARPNESSES: Final = tuple(1.0 + step / 10 for step in range(60))


def trained_heads() -> Mapping[str, Tensor]:
    """Returns weights and biases of both languages, by name."""
    encoder = SentenceEncoder(package_dir())
    development = [one for one in evaluation_set() if one.part == "development"]
    heads: dict[str, Tensor] = {}
    for language, penalty in PENALTIES.items():
        weight, bias = _fit(*_examples(training_set(), language, encoder), penalty)
        sharpness = _sharpness(weight, bias, *_examples(development, language, encoder))
        heads[f"{language}.weight"] = (weight * sharpness).half().contiguous()
        heads[f"{language}.bias"] = (bias * sharpness).half().contiguous()
    return heads


def _examples(rows: Sequence[Labelled], language: str, encoder: SentenceEncoder) -> tuple[Tensor, Tensor]:
    """Returns the features (sentences, width) and labels (sentences) of one language."""
    of_language = [one for one in rows if one.sentence.language == language]
    sentences = [one.sentence for one in of_language]
    features = english_features(sentences, encoder) if language == "en" else chinese_features(sentences)
    return features.clone(), torch.tensor([CLASSES.index(one.emotion) for one in of_language])


def _sharpness(weight: Tensor, bias: Tensor, features: Tensor, labels: Tensor) -> float:
    """Returns the factor of the scores with the least loss."""
    scores = features @ weight + bias
    return min(SHARPNESSES, key=lambda factor: cross_entropy(scores * factor, labels).item())


def _fit(features: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Returns weight (features, 9) and bias (9) of the regression."""
    weight = torch.zeros(features.shape[1], len(CLASSES), requires_grad=True)
    bias = torch.zeros(len(CLASSES), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(features @ weight + bias, labels) + penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return weight.detach(), bias.detach()


if __name__ == "__main__":
    path = Path(next(iter(phonoscope.emotion.__path__))) / "data" / HEADS_FILE
    save_file(dict(trained_heads()), path)
    print(f"{path}: {path.stat().st_size} bytes")  # noqa: T201
