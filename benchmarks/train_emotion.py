"""Trains the heads of the embedded emotion model, and writes them where the service reads them.

Run by hand, `python -m benchmarks.train_emotion`, after a change of features, lexicon or training sentences; it takes
some seconds. Softmax regression with an L2 penalty: convex, so the result depends on the sentences alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

import phonoscope.emotion
from benchmarks.emotion_sets import training_set
from phonoscope.emotion.models.embedded import HEADS_FILE
from phonoscope.emotion.models.features import chinese_features, english_features
from phonoscope.emotion.models.minilm import SentenceEncoder, package_dir
from phonoscope.emotion.types import CLASSES

# Chosen on the development part.
PENALTIES: Final = {"en": 1e-3, "zh": 1e-3}


def trained_heads() -> Mapping[str, Tensor]:
    """Returns weights and biases of both languages, by name."""
    encoder = SentenceEncoder(package_dir())
    heads: dict[str, Tensor] = {}
    for language, penalty in PENALTIES.items():
        rows = [one for one in training_set() if one.sentence.language == language]
        sentences = [one.sentence for one in rows]
        features = english_features(sentences, encoder) if language == "en" else chinese_features(sentences)
        labels = torch.tensor([CLASSES.index(one.emotion) for one in rows])
        weight, bias = _fit(features.clone(), labels, penalty)
        heads |= {f"{language}.weight": weight, f"{language}.bias": bias}
    return heads


def _fit(features: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Returns weight (features, 9) and bias (9) of the regression, in float16."""
    weight = torch.zeros(features.shape[1], len(CLASSES), requires_grad=True)
    bias = torch.zeros(len(CLASSES), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(features @ weight + bias, labels) + penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return weight.detach().half().contiguous(), bias.detach().half().contiguous()


if __name__ == "__main__":
    path = Path(next(iter(phonoscope.emotion.__path__))) / "data" / HEADS_FILE
    save_file(dict(trained_heads()), path)
    print(f"{path}: {path.stat().st_size} bytes")  # noqa: T201
