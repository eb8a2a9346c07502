"""The nouns of the service, where they say more than they hold."""

from dataclasses import replace

import numpy as np
import pytest

from phonoscope.server.types import PhonemeScheme, Recording, Utterance, Voice


def test_without_rates_every_symbol_has_the_utterances_speed() -> None:
    assert Utterance("v", (1, 2, 3), speed=1.5).speeds == (1.5, 1.5, 1.5)


def test_a_text_has_a_speed_for_each_character() -> None:
    assert Utterance("v", "ab c", speed=1.5).speeds == (1.5, 1.5, 1.5, 1.5)


def test_a_rate_is_a_ratio_to_the_speed() -> None:
    assert Utterance("v", (1, 2, 3), speed=1.5, rates=(1.0, 0.5, 2.0)).speeds == (1.5, 0.75, 3.0)


@pytest.mark.parametrize(("voice", "language"), [("en-us", "en"), ("pt-BR", "pt"), ("DE", "de"), ("", "")])
def test_a_language_is_without_its_variety(voice: str, language: str) -> None:
    assert PhonemeScheme("espeak", voice, {}).language == language


def test_a_recordings_digest_is_that_of_its_samples_rate_and_transcript() -> None:
    digest = Recording.of(np.zeros(8, np.float32), 16_000, "Hello.").digest
    assert Recording.of(np.zeros(8, np.float32), 16_000, "Hello.").digest == digest
    others = [
        Recording.of(np.ones(8, np.float32), 16_000, "Hello."),
        Recording.of(np.zeros(8, np.float32), 8_000, "Hello."),
        Recording.of(np.zeros(8, np.float32), 16_000),
    ]
    assert len({digest, *(other.digest for other in others)}) == 4


def test_a_recording_shows_neither_its_samples_nor_its_words() -> None:
    recording = Recording.of(np.full(8, 0.125, np.float32), 16_000, "a secret")
    assert "secret" not in repr(recording)
    assert "0.125" not in repr(recording)


def test_a_recordings_samples_do_not_change() -> None:
    recording = Recording.of(np.zeros(8, np.float32), 16_000)
    assert recording.seconds == 8 / 16_000
    with pytest.raises(ValueError, match="read-only"):
        recording.samples[0] = 1.0


def test_a_named_recording_is_spoken_by_the_voice_that_is_loaded() -> None:
    loaded = Voice("base", "en-US", 22_050, PhonemeScheme("plain", "", {}))
    assert loaded.loaded_id == "base"
    assert replace(loaded, id="me", base="base").loaded_id == "base"
