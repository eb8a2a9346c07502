"""Voices have the other names of the settings, and only names that cannot be mistaken for another voice."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from phonoscope.common.errors import InvalidRequest, SettingsError
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.voice_aliases import with_aliases, with_default_mixture
from phonoscope.server.request.voice_choice import VoiceChoice

JOE = tone_voice("en_US-joe-medium", language="en-US")
BELLA, SKY = (replace(tone_voice(name), mixing_group="kokoro-82m") for name in ("af_bella", "af_sky"))
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
        ({"a+b": JOE.id}, "without a colon, plus or bracket"),
        ({"duo": "joe+choir"}, r"duo=joe\+choir: 'joe' is not loaded"),
        ({"duo": "choir(0)"}, "the weight '0' of 'choir' is not valid"),
        ({"eva": "lost"}, "eva=lost: 'lost' is not loaded; use one of"),
        ({"eva": "choir:eva"}, "choir has no speaker 'eva'"),
        ({"eva": "joe:anna"}, "'joe' is not loaded"),
    ],
)
def test_an_alias_that_cannot_be_used_is_refused_at_start(aliases: Mapping[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        with_aliases([JOE, CHOIR], aliases)


def test_a_mixture_with_an_alias_is_listed_after_the_loaded_voices() -> None:
    loaded = [JOE, BELLA, SKY]
    voices = with_aliases(loaded, {"duo": "af_bella(4)+af_sky(2)", "same": "af_bella(2)+af_sky", "eve": "af_sky"})
    assert voices[:2] == [JOE, BELLA]
    assert [voice.aliases for voice in voices[2:]] == [(("eve", 0),), (("duo", 0), ("same", 0))]
    mixture, choice = voices[3], VoiceChoice(voices)
    assert (mixture.id, mixture.mixture) == ("af_bella(2)+af_sky", (("af_bella", 2), ("af_sky", 1)))
    for name in ("duo", "same", mixture.id, "af_bella(0.2)+af_sky(0.1)"):
        assert choice.asked(name, "", "Hello.") == (mixture, 0)


def test_a_mixture_can_be_the_default() -> None:
    voices = with_default_mixture(with_aliases([JOE, BELLA, SKY], {"duo": "af_bella+af_sky"}), "af_bella(3)+af_sky(3)")
    assert [voice.id for voice in voices] == ["af_bella+af_sky", JOE.id, BELLA.id, SKY.id]
    assert VoiceChoice(voices).asked("", "", "Hello.") == (voices[0], 0)
    with pytest.raises(SettingsError, match="default_voice: 'nobody' is not loaded"):
        with_default_mixture([JOE, BELLA], "af_bella+nobody")


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
