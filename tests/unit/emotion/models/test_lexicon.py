"""Words by emotion, with beginnings of words, negations and the longest entry first."""

import pytest

from phonoscope.emotion.models.lexicon import LexiconModel, counts_of
from phonoscope.emotion.types import EMOTIONS, Sentence


def counted(text: str, language: str) -> dict[str, float]:
    counts = zip(EMOTIONS, counts_of(Sentence(text, language)), strict=True)
    return {name: count for name, count in counts if count}


@pytest.mark.parametrize(
    ("text", "language", "counts"),
    [
        ("They laughed.", "en", {"happy": 1.0}),
        ("JOY!", "en", {"happy": 1.0}),
        ("I am not happy.", "en", {}),
        ("I don’t really enjoy it.", "en", {}),
        ("A joyful day, and a sunny one.", "en", {"happy": 1.0}),
        ("我今天很高兴", "zh", {"happy": 1.0}),
        ("我不高兴", "zh", {}),
        ("The table is brown.", "en", {}),
        ("桌子是木头的", "zh", {}),
    ],
)
def test_words_are_counted_by_emotion(text: str, language: str, counts: dict[str, float]) -> None:
    assert counted(text, language) == counts


@pytest.mark.parametrize(("text", "emotion"), [("I am terrified.", "afraid"), ("The table is brown.", "neutral")])
def test_alone_it_answers_with_the_emotion_of_most_words(text: str, emotion: str) -> None:
    assert LexiconModel().estimate([Sentence(text, "en")])[0].strongest == emotion
