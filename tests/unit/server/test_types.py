"""The nouns of the service, where they say more than they hold."""

import pytest

from phonoscope.server.types import PhonemeScheme, Utterance


def utterance(speed: float, rates: tuple[float, ...]) -> Utterance:
    return Utterance("v", (1, 2, 3), 0, 1.0, 0.667, 0.8, 0, speed, rates)


def test_without_rates_every_phoneme_has_the_utterances_speed() -> None:
    assert utterance(1.5, ()).speeds == (1.5, 1.5, 1.5)


def test_a_rate_is_a_ratio_to_the_speed() -> None:
    assert utterance(1.5, (1.0, 0.5, 2.0)).speeds == (1.5, 0.75, 3.0)


@pytest.mark.parametrize(("voice", "language"), [("en-us", "en"), ("pt-BR", "pt"), ("DE", "de"), ("", "")])
def test_a_language_is_without_its_variety(voice: str, language: str) -> None:
    assert PhonemeScheme("espeak", voice, {}).language == language
