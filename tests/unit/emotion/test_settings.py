"""The emotion service's settings share an environment with the speech server's."""

import pytest

from phonoscope.common.errors import SettingsError
from phonoscope.emotion.settings import EmotionSettings


def test_the_address_that_the_speech_server_reads_is_not_an_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONOSCOPE_EMOTION_ADDRESS", "localhost:50052")
    assert EmotionSettings.from_arguments([]).port == 50052


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONOSCOPE_EMOTION_PROT", "1")
    with pytest.raises(SettingsError, match="unknown environment variable PHONOSCOPE_EMOTION_PROT"):
        EmotionSettings.from_arguments([])


def test_the_qwen_backend_needs_a_directory() -> None:
    with pytest.raises(SettingsError, match="set --model-dir"):
        EmotionSettings.from_arguments(["--backend", "qwen"])
