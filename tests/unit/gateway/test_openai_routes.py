"""The emotion that OpenAI's instructions select."""

import pytest

from phonoscope.gateway.openai_routes import EMOTION_WORDS, emotion_of
from phonoscope.server.emotions import EMOTIONS


@pytest.mark.parametrize(
    ("instructions", "emotion"),
    [
        ("", ""),
        ("Speak like a pirate.", ""),
        ("Speak in a cheerful and positive tone.", "happy"),
        ("SAD, then happy", "sad"),
        ("As if soothing a child: gently.", "calm"),
        ("Unhappy is another word.", ""),
    ],
)
def test_the_first_word_for_an_emotion_selects_it(instructions: str, emotion: str) -> None:
    assert emotion_of(instructions) == emotion


def test_every_emotion_can_be_selected_and_no_other() -> None:
    assert set(EMOTION_WORDS.values()) == set(EMOTIONS)
    assert all(EMOTION_WORDS[name] == name for name in EMOTIONS)
