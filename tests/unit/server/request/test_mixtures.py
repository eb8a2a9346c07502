"""Mixtures of voices: how they are written, their one name, and every way in which they cannot be mixed."""

import random
from dataclasses import replace

import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.mixtures import MAX_PARTS
from phonoscope.server.request.voice_aliases import with_aliases
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.types import Gender, Voice


def styled(voice_id: str, gender: Gender, language: str = "en-US", group: str = "kokoro-82m") -> Voice:
    """A voice of a model whose voices can be mixed."""
    return replace(
        tone_voice(voice_id, language=language), mixing_group=group, gender=gender, grade="B", quality="high"
    )


BELLA, SKY, ADAM = styled("af_bella", "female"), styled("af_sky", "female"), styled("am_adam", "male")
ALICE, OTHER = styled("bf_alice", "female", "en-GB"), styled("af_other", "female", group="kokoro-v2")
CHOIR = tone_voice("choir", language="de-DE", speakers=("anna", "bea"))
CHOICE = VoiceChoice(
    with_aliases(
        [BELLA, SKY, ADAM, ALICE, OTHER, CHOIR], {"eve": "af_sky", "duo": "af_bella+af_sky", "anna": "choir:0"}
    )
)


def refusal(written: str, choice: VoiceChoice = CHOICE) -> tuple[str, str]:
    """Returns the reason and the description."""
    with pytest.raises(InvalidRequest) as caught:
        choice.asked(written, "", "Hello.")
    (violation,) = caught.value.violations
    assert violation.field == "speaker_id"
    assert caught.value.reason in InvalidRequest.REASONS
    return caught.value.reason, violation.description


@pytest.mark.parametrize(
    ("written", "name", "mixture"),
    [
        ("af_bella(2)+af_sky(1)", "af_bella(2)+af_sky", (("af_bella", 2), ("af_sky", 1))),
        ("af_bella(2)+af_sky", "af_bella(2)+af_sky", (("af_bella", 2), ("af_sky", 1))),
        ("af_bella(0.5)+af_sky(0.25)", "af_bella(2)+af_sky", (("af_bella", 2), ("af_sky", 1))),
        (" af_bella ( 4 ) + af_sky(2.0) ", "af_bella(2)+af_sky", (("af_bella", 2), ("af_sky", 1))),
        ("af_sky(.3)+af_bella(0.7)", "af_sky(3)+af_bella(7)", (("af_sky", 3), ("af_bella", 7))),
        ("af_sky(0.0001)+af_bella(1000)", "af_sky(0.0001)+af_bella(1000)", (("af_sky", 1), ("af_bella", 10_000_000))),
        ("af_bella(0.33333)+af_sky", "af_bella(333.3)+af_sky(1000)", (("af_bella", 3333), ("af_sky", 10_000))),
        ("am_adam+eve", "am_adam+af_sky", (("am_adam", 1), ("af_sky", 1))),
        ("af_bella:0+af_sky:", "af_bella+af_sky", (("af_bella", 1), ("af_sky", 1))),
    ],
)
def test_a_mixture_has_one_name_however_it_is_written(
    written: str, name: str, mixture: tuple[tuple[str, int], ...]
) -> None:
    voice, speaker = CHOICE.asked(written, "", "Hello.")
    assert (voice.id, voice.mixture, speaker) == (name, mixture, 0)
    assert CHOICE.named(written) == (voice, 0)
    assert CHOICE.named(voice.id) == (voice, 0), "what a reply reports can be sent"


def test_the_name_of_a_mixture_of_any_weights_is_that_of_the_same_mixture() -> None:
    source = random.Random(1)
    for _ in range(500):
        weights = [f"{10 ** source.uniform(-4, 3):.{source.randint(4, 8)}f}" for _ in range(3)]
        written = "+".join(
            f"{name}({weight})" for name, weight in zip(("af_bella", "af_sky", "am_adam"), weights, strict=True)
        )
        voice, _ = CHOICE.named(written)
        assert CHOICE.named(voice.id) == (voice, 0), written


def test_a_mixture_is_a_voice_like_its_first_one_but_for_what_the_maker_states() -> None:
    voice, _ = CHOICE.named("am_adam(2)+bf_alice")
    assert (voice.language, voice.loaded_id, voice.gender, voice.grade, voice.quality) == (
        "en-US",
        "am_adam",
        "",
        "",
        "",
    )
    assert replace(voice, id="am_adam", mixture=(), gender="male", grade="B", quality="high") == ADAM
    assert CHOICE.named("af_sky+bf_alice")[0].gender == "female"


def test_the_language_is_that_of_the_first_voice() -> None:
    assert CHOICE.asked("bf_alice+af_sky", "en-GB", "Hello.")[0].language == "en-GB"
    with pytest.raises(InvalidRequest) as caught:
        CHOICE.asked("af_sky+bf_alice", "en-GB", "Hello.")
    assert caught.value.reason == "LANGUAGE_MISMATCH"


@pytest.mark.parametrize("written", ["af_bella(2)", "af_bella (0.5)"])
def test_one_voice_alone_is_no_mixture(written: str) -> None:
    voice, _ = CHOICE.named(written)
    assert (voice.id, voice.mixture) == ("af_bella", ())


@pytest.mark.parametrize("written", ["+", "af_bella+", "+af_sky", "af_bella++af_sky", "af_bella+ +af_sky"])
def test_a_plus_without_a_voice_on_both_sides_is_refused(written: str) -> None:
    assert refusal(written) == (
        "MIXTURE_INVALID",
        "has a + without a voice on both sides; write a mixture such as af_bella(2)+af_sky(1)",
    )


def test_an_open_bracket_is_refused() -> None:
    for written in ("af_bella(2+af_sky", "af_bella(+af_sky", "af_sky+af_bella(1"):
        reason, description = refusal(written)
        assert reason == "MIXTURE_INVALID"
        assert "has no closing bracket; write NAME or NAME(WEIGHT), as in af_bella(2)+af_sky(1)" in description


@pytest.mark.parametrize(
    "part", ["(2)", "af_bella)2(", "af_bella(2)(3)", "af_bella(2)x", "af_bella2)", "af_bella((2))"]
)
def test_a_part_of_another_form_is_refused(part: str) -> None:
    assert refusal(f"{part}+af_sky") == (
        "MIXTURE_INVALID",
        f"{part!r} is not part of a mixture; write NAME or NAME(WEIGHT), as in af_bella(2)+af_sky(1)",
    )


@pytest.mark.parametrize(
    "weight",
    ["0", "-1", "0.00001", "1000.1", "1e9", "nan", "-nan", "snan", "inf", "-Infinity", "", "two", "1,5", "1 2"],
)
def test_a_weight_that_is_no_number_above_zero_is_refused(weight: str) -> None:
    assert refusal(f"af_bella({weight})+af_sky") == (
        "MIXTURE_INVALID",
        f"the weight {weight!r} of 'af_bella' is not valid; use a number from 0.0001 to 1000",
    )


def test_more_voices_than_are_mixed_are_refused_before_any_is_looked_up() -> None:
    many = [styled(f"af_{number}", "female") for number in range(MAX_PARTS)]
    assert len(VoiceChoice(many).named("+".join(voice.id for voice in many))[0].mixture) == MAX_PARTS
    reason, description = refusal("+".join(["nobody"] * (MAX_PARTS + 1)))
    assert (reason, description) == ("MIXTURE_INVALID", "has 9 voices; mix at most 8")


def test_an_unknown_voice_of_a_mixture_is_refused_with_those_near_it() -> None:
    reason, description = refusal("af_bella+af_skye(2)")
    assert reason == "VOICE_UNKNOWN"
    assert description.startswith("'af_skye' is not loaded (near it: af_sky); use one of af_bella, af_sky, am_adam")


@pytest.mark.parametrize("written", ["af_sky+af_bella+af_sky", "eve+af_sky(2)"])
def test_a_voice_that_occurs_twice_is_refused(written: str) -> None:
    assert refusal(written) == ("MIXTURE_INVALID", "has af_sky twice; write it once, with the sum of its weights")


def test_voices_of_two_models_cannot_be_mixed() -> None:
    reason, description = refusal("af_bella+af_other")
    assert reason == "MIXTURE_INVALID"
    assert description == (
        "af_bella and af_other cannot be mixed, because they are voices of two models, kokoro-82m and kokoro-v2; use "
        "voices of one model"
    )


@pytest.mark.parametrize("written", ["choir+af_bella", "af_bella+choir:bea", "anna(2)"])
def test_a_voice_of_an_engine_that_does_not_mix_is_refused_with_those_that_can(written: str) -> None:
    reason, description = refusal(written)
    assert reason == "MIXTURE_INVALID"
    assert description.startswith(
        "choir cannot be mixed, because its engine does not support it; mix voices such as af_bella, af_sky"
    )
    assert refusal("choir(2)", VoiceChoice([CHOIR]))[1].endswith("; no loaded voice can be mixed")


def test_a_mixture_in_a_mixture_is_refused() -> None:
    assert refusal("duo+am_adam") == (
        "MIXTURE_INVALID",
        "af_bella+af_sky is a mixture itself; write each of its voices with a weight",
    )


def test_a_loaded_voice_may_have_a_plus_in_its_name() -> None:
    odd = tone_voice("a+b", speakers=("x", "y"))
    assert VoiceChoice([odd]).named("a+b:y") == (odd, 1)


def test_a_long_name_is_refused_without_looking_for_others_near_it() -> None:
    name = "af_bell" * 100_000
    reason, description = refusal(name)
    assert reason == "VOICE_UNKNOWN"
    assert "near it" not in description
    assert len(description) < 300
