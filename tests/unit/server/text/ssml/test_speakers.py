"""Who speaks within an element, asked of `Speakers` itself; test_conformance.py has whole documents."""

from dataclasses import replace

import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.text.safe_xml import Refusal
from phonoscope.server.text.ssml.elements import Frame
from phonoscope.server.text.ssml.speakers import NobodySpeaks, Speakers
from phonoscope.server.types import Voice

ANN = tone_voice("ann", language="en-US")
BEN = tone_voice("ben", language="en-GB")
DUO = replace(tone_voice("duo", language="de-AT", speakers=("eins", "zwei")), default_speaker=1)
EVA = tone_voice("eva", language="de-DE")


class Asked(VoiceChoice):
    """Writes down who is looked for."""

    def __init__(self) -> None:
        super().__init__((ANN, BEN, DUO, EVA))
        self.looked_for: list[str] = []

    def named(self, speaker_id: str) -> tuple[Voice, int]:
        self.looked_for.append(speaker_id)
        return super().named(speaker_id)

    def of_language(self, language: str) -> Voice:
        self.looked_for.append(language)
        return super().of_language(language)


@pytest.fixture
def voices() -> Asked:
    return Asked()


@pytest.fixture
def speakers(voices: Asked) -> Speakers:
    return Speakers(ANN, voices)


def element(local: str = "voice", /, **attributes: str) -> Frame:
    return Frame(local, 7, attributes=attributes)


def test_who_is_named_nowhere_is_the_requests_own(speakers: Speakers) -> None:
    assert speakers.voice(Frame("s", 0)) is ANN
    assert speakers.voice(Frame("s", 0, voice=EVA)) is EVA


def test_names_are_tried_in_order_and_no_further_than_the_first_that_is_there(
    speakers: Speakers, voices: Asked
) -> None:
    frame = speakers.named(element(name="zoe  duo:7 duo:eins\teva"))
    assert (frame.voice, frame.speaker) == (DUO, 0)
    assert voices.looked_for == ["zoe", "duo:7", "duo:eins"]


def test_a_name_may_be_that_of_a_mixture() -> None:
    mixable = [replace(voice, mixing_group="model") for voice in (ANN, BEN)]
    frame = Speakers(EVA, VoiceChoice([EVA, *mixable])).named(element(name="zoe+ann ann(2)+ben"))
    assert frame.voice is not None
    assert (frame.voice.id, frame.voice.mixture, frame.speaker) == ("ann(2)+ben", (("ann", 2), ("ben", 1)), 0)


def test_a_voice_without_a_speakers_name_is_its_default_speaker(speakers: Speakers) -> None:
    assert speakers.named(element(name="duo")).speaker == 1
    assert speakers.of_language(element("lang"), "de-AT").speaker == 1


def test_if_no_voice_of_a_list_is_loaded_the_error_names_the_last_one_and_its_place(speakers: Speakers) -> None:
    with pytest.raises(NobodySpeaks) as caught:
        speakers.named(element(name="zoe max"))
    assert (caught.value.at, caught.value.error.reason) == (7, "VOICE_UNKNOWN")
    assert str(caught.value) == str(caught.value.error)
    assert "'max' is not loaded" in str(caught.value)


def test_an_unknown_speaker_of_a_voice_is_an_error(speakers: Speakers) -> None:
    with pytest.raises(NobodySpeaks) as caught:
        speakers.named(element(name="duo:drei"))
    assert caught.value.error.reason == "SPEAKER_UNKNOWN"


@pytest.mark.parametrize("attributes", [{}, {"name": " "}, {"languages": "\t"}, {"name": "", "languages": ""}])
def test_a_voice_element_that_names_nobody_is_refused_with_its_position(
    speakers: Speakers, attributes: dict[str, str]
) -> None:
    with pytest.raises(Refusal, match="<voice> has neither name nor languages; add one of them") as caught:
        speakers.named(element(**attributes))
    assert caught.value.at == 7


@pytest.mark.parametrize(
    ("languages", "voice"), [("de", DUO), ("de-DE", EVA), ("de:en", DUO), ("de-DE:fr en", EVA), ("fr de", None)]
)
def test_of_languages_the_first_counts_without_its_accent(
    speakers: Speakers, languages: str, voice: Voice | None
) -> None:
    if voice is not None:
        assert speakers.named(element(languages=languages)).voice is voice
        return
    with pytest.raises(NobodySpeaks) as caught:
        speakers.named(element(languages=languages))
    assert caught.value.error.reason == "LANGUAGE_UNKNOWN"


@pytest.mark.parametrize("language", ["en", "EN-gb", "en_GB", "en-AU"])
def test_a_voice_that_speaks_any_variety_of_the_language_continues(
    speakers: Speakers, voices: Asked, language: str
) -> None:
    frame = element("lang")
    assert speakers.of_language(frame, language) is frame
    assert voices.looked_for == []


def test_the_language_of_the_element_around_counts_and_not_the_requests(speakers: Speakers) -> None:
    within = replace(element("lang"), voice=EVA, speaker=0)
    assert speakers.of_language(within, "de-AT") is within
    assert speakers.of_language(within, "en-GB").voice is BEN
    assert speakers.of_language(within, "en").voice is ANN


@pytest.mark.parametrize(
    ("language", "looked_for", "voice"),
    [("de-DE", ["de-DE"], EVA), ("de-CH", ["de-CH", "de"], DUO), ("de_CH", ["de_CH", "de"], DUO), ("de", ["de"], DUO)],
)
def test_the_language_itself_goes_before_another_variety(
    speakers: Speakers, voices: Asked, language: str, looked_for: list[str], voice: Voice
) -> None:
    assert speakers.of_language(element("lang"), language).voice is voice
    assert voices.looked_for == looked_for


def test_where_nobody_speaks_a_language_the_element_may_say_what_to_do(speakers: Speakers) -> None:
    around = replace(element("lang"), voice=EVA, speaker=0)
    ignored = replace(around, language_failure="ignorelang")
    assert speakers.of_language(ignored, "pt") is ignored
    unheard = replace(around, language_failure="ignoretext")
    assert speakers.of_language(unheard, "pt") == replace(unheard, is_heard=False)
    assert speakers.of_language(unheard, "en").is_heard
    for choice in ("changevoice", "processorchoice"):
        with pytest.raises(NobodySpeaks) as caught:
            speakers.of_language(replace(around, language_failure=choice), "pt")
        assert (caught.value.at, caught.value.error.reason) == (7, "LANGUAGE_UNKNOWN")
        assert isinstance(caught.value.error, InvalidRequest)


def test_a_lang_element_without_a_language_is_refused(speakers: Speakers) -> None:
    with pytest.raises(Refusal, match='add one, such as xml:lang="fr-FR"') as caught:
        speakers.of_language(element("lang"), "")
    assert caught.value.at == 7
