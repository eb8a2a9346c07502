"""Voices have the other names of the settings, and only names that cannot be mistaken for another voice."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from phonoscope.common.errors import InvalidRequest, SettingsError
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.voice_aliases import with_aliases
from phonoscope.server.request.voice_choice import VoiceChoice

JOE = tone_voice("en_US-joe-medium", language="en-US")
CHOIR = replace(tone_voice("choir", language="de-DE", speakers=("anna", "bea")), default_speaker=1)


def test_an_alias_stands_for_a_voice_or_for_one_of_its_speakers() -> None:
    voices = with_aliases(
        [JOE, CHOIR], {"male1": JOE.id, "female1": "choir:anna", "female2": "choir", "f3": "choir:1"}
    )
    assert [voice.aliases for voice in voices] == [(("male1", 0),), (("female1", 0), ("female2", 1), ("f3", 1))]
    choice = VoiceChoice(voices)
    for name, voice, speaker in (("male1", voices[0], 0), ("female1", voices[1], 0), ("female2", voices[1], 1)):
        assert choice.asked(name, "", "Hello.") == (voice, speaker)
        assert choice.named(name) == (voice, speaker)


def test_without_aliases_the_voices_stay_as_they_are() -> None:
    assert with_aliases([JOE, CHOIR], {}) == [JOE, CHOIR]


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ({"choir": JOE.id}, "'choir' cannot be an alias"),
        ({"default": JOE.id}, "'default' cannot be an alias"),
        ({"a:b": JOE.id}, "without a colon"),
        ({"eva": "lost"}, "eva=lost: 'lost' is not loaded; use one of"),
        ({"eva": "choir:eva"}, "choir has no speaker 'eva'"),
        ({"eva": "joe:anna"}, "'joe' is not loaded"),
    ],
)
def test_an_alias_that_cannot_be_used_is_refused_at_start(aliases: Mapping[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        with_aliases([JOE, CHOIR], aliases)


def test_an_alias_speaks_the_language_of_its_voice_only() -> None:
    choice = VoiceChoice(with_aliases([JOE, CHOIR], {"female1": "choir:anna"}))
    with pytest.raises(InvalidRequest, match="is not the language of choir") as caught:
        choice.asked("female1", "en", "Hello.")
    assert caught.value.reason == "LANGUAGE_MISMATCH"


def test_an_unknown_name_is_answered_with_the_aliases_too() -> None:
    choice = VoiceChoice(with_aliases([JOE, CHOIR], {"female1": "choir:anna"}))
    for name in ("female2", "female1:anna"):
        with pytest.raises(InvalidRequest, match="female1") as caught:
            choice.asked(name, "", "Hello.")
        assert caught.value.reason == "VOICE_UNKNOWN"
