"""The nouns of the service, where they say more than they hold."""

import pytest

from phonoscope.server.types import PhonemeScheme, Utterance


def test_without_rates_every_symbol_has_the_utterances_speed() -> None:
    assert Utterance("v", (1, 2, 3), speed=1.5).speeds == (1.5, 1.5, 1.5)


def test_a_text_has_a_speed_for_each_character() -> None:
    assert Utterance("v", "ab c", speed=1.5).speeds == (1.5, 1.5, 1.5, 1.5)


def test_a_rate_is_a_ratio_to_the_speed() -> None:
    assert Utterance("v", (1, 2, 3), speed=1.5, rates=(1.0, 0.5, 2.0)).speeds == (1.5, 0.75, 3.0)


@pytest.mark.parametrize(("voice", "language"), [("en-us", "en"), ("pt-BR", "pt"), ("DE", "de"), ("", "")])
def test_a_language_is_without_its_variety(voice: str, language: str) -> None:
    assert PhonemeScheme("espeak", voice, {}).language == language
