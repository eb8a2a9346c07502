"""The labelled sentences of benchmarks/emotion_data: for training, development, and the part kept apart."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phonoscope.emotion.types import Sentence

DATA: Final = Path(__file__).parent / "emotion_data"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence, the emotion that its writer meant, and the part of the set that it belongs to."""

    sentence: Sentence
    emotion: str
    part: str


def training_set() -> Sequence[Labelled]:
    """Returns the sentences that the heads are trained on."""
    return _read(DATA / "training.tsv")


def evaluation_set() -> Sequence[Labelled]:
    """Returns the sentences of both parts: "development", and "held", which nothing was chosen by."""
    return _read(DATA / "evaluation.tsv")


def _read(path: Path) -> Sequence[Labelled]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Labelled(Sentence(row["text"], row["language"]), row["emotion"], row.get("part", "training")) for row in rows
    ]
