"""How often the emotion models are right, and how long they take: `python -m benchmarks.emotion --part held`.

Prints the accuracy over nine classes and the confusion table of the embedded model, what the lexicon alone reaches,
and the time of single sentences. `--model-dir` measures the model of IndexTTS2 too.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from benchmarks.emotion_sets import Labelled, evaluation_set
from benchmarks.machine import this_machine
from phonoscope.emotion.models.base import EmotionModel
from phonoscope.emotion.models.embedded import EmbeddedModel
from phonoscope.emotion.models.lexicon import LexiconModel
from phonoscope.emotion.models.minilm import SentenceEncoder, package_dir
from phonoscope.emotion.models.qwen import QwenModel
from phonoscope.emotion.types import CLASSES

ROUNDS: Final = 5


def main() -> None:
    """Prints the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("development", "held"), default="development")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model-dir", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [one for one in evaluation_set() if one.part == options.part]
    models: list[EmotionModel] = [EmbeddedModel(SentenceEncoder(package_dir())), LexiconModel()]
    if options.model_dir:
        models.append(QwenModel(options.model_dir))
    head = f"{this_machine().line}, {options.threads} threads\n{len(rows)} sentences of the part {options.part}"
    print("\n\n".join([head, *(_report(model, rows) for model in models)]))  # noqa: T201


def _report(model: EmotionModel, rows: Sequence[Labelled]) -> str:
    found = [model.estimate([one.sentence])[0].strongest for one in rows]
    lines = []
    for language in ("en", "zh", ""):
        right = [
            guess == one.emotion
            for guess, one in zip(found, rows, strict=True)
            if one.sentence.language == language or not language
        ]
        lines.append(f"{model.name} {language or 'both'}: accuracy {statistics.mean(right):.3f} of {len(right)}")
    return "\n".join([*lines, _confusion(rows, found), *_times(model, rows)])


def _confusion(rows: Sequence[Labelled], found: Sequence[str]) -> str:
    """Returns the table: a row for each meant emotion, a column for each found one."""
    counts = Counter((one.emotion, guess) for one, guess in zip(rows, found, strict=True))
    lines = ["| meant \\ found | " + " | ".join(CLASSES) + " |", "| --- " * (len(CLASSES) + 1) + "|"]
    for meant in CLASSES:
        cells = (str(counts[meant, guess] or "·") for guess in CLASSES)
        lines.append(f"| {meant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _times(model: EmotionModel, rows: Sequence[Labelled]) -> list[str]:
    """Returns a line with the time of single sentences for each language."""
    lines = []
    for language in ("en", "zh"):
        waited, worked = [], []
        for one in [one for one in rows if one.sentence.language == language] * ROUNDS:
            began, cpu_began = time.perf_counter(), time.process_time()
            model.estimate([one.sentence])
            worked.append((time.process_time() - cpu_began) * 1000)
            waited.append((time.perf_counter() - began) * 1000)
        figures = [f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms" for cuts in map(_percentiles, (waited, worked))]
        lines.append(f"{model.name} {language}, a sentence: {figures[0]}; of CPU time, {figures[1]}")
    return lines


def _percentiles(values: Sequence[float]) -> list[float]:
    return statistics.quantiles(values, n=100)


if __name__ == "__main__":
    main()
