"""What requests become, and every way in which they are refused."""

import math
from dataclasses import replace
from typing import Any

import pytest

from phonoscope.common.errors import InvalidRequest, NotServed
from phonoscope.server.emotions import EMOTIONS, NEUTRAL
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.fields import accepted_request_id
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.request.voice_choice import speaks
from phonoscope.server.text.passage import Passage, Script
from phonoscope.server.types import Encoding, SpeechRequest, Voice

JOE = tone_voice("en_US-joe-medium", language="en-US")
CHOIR = replace(
    tone_voice("en_US-choir-high", language="en-US", sample_rate_hz=16_000, speakers=("anna", "7", "p225")),
    default_speaker=2,
)
EVA = tone_voice("de_DE-eva-low", language="de-DE")
RESOLVER = RequestResolver([JOE, CHOIR, EVA], max_characters=100)


def resolve(**fields: Any) -> ResolvedRequest:
    return RESOLVER.resolve(SpeechRequest(**({"text": "Hello."} | fields)))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        resolve(**fields)
    return caught.value


def fault(**fields: Any) -> tuple[str, str, str]:
    """Returns the reason, the field and the description of the one thing that is wrong."""
    error = refusal(**fields)
    (violation,) = error.violations
    assert error.reason in InvalidRequest.REASONS
    return error.reason, violation.field, violation.description


def test_a_request_of_text_alone_gets_every_default() -> None:
    first, second = resolve(), resolve()
    assert first == ResolvedRequest(
        source="Hello.",
        script=Script((Passage("Hello."),)),
        voice=JOE,
        speaker=0,
        speed=1.0,
        pitch=1.0,
        encoding=Encoding.LINEAR16,
        sample_rate_hz=22_050,
        volume_gain_db=0.0,
        seed=first.seed,
        request_id=first.request_id,
    )
    assert 0 <= first.seed < 2**64
    assert first.seed != second.seed
    assert first.request_id != second.request_id
    assert first.speaker_id == "en_US-joe-medium"


def test_what_is_asked_for_is_kept() -> None:
    resolved = resolve(
        text=" Two  words ",
        speaker_id="en_US-choir-high:anna",
        speed=2.0,
        pitch=1.0,
        emotion="Neutral",
        language="en",
        encoding="wav",
        sample_rate_hz=48_000,
        volume_gain_db=-6.0,
        seed=0,
        request_id="mine",
    )
    script = Script((Passage(" Two  words "),))
    assert resolved == ResolvedRequest(
        source=" Two  words ",
        script=script,
        voice=CHOIR,
        speaker=0,
        speed=2.0,
        pitch=1.0,
        encoding=Encoding.WAV,
        sample_rate_hz=48_000,
        volume_gain_db=-6.0,
        seed=0,
        request_id="mine",
        emotion_weights={"neutral": 1.0},
    )


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
def test_text_must_hold_something(text: str) -> None:
    assert fault(text=text) == ("TEXT_EMPTY", "text", "is empty; send at least one word, or ssml")


def test_a_text_over_the_limit_is_refused_with_the_limit() -> None:
    assert resolve(text="x" * 100).source == "x" * 100
    reason, field, description = fault(text="x" * 101)
    assert (reason, field) == ("TEXT_TOO_LONG", "text")
    assert description == "has 101 characters; the maximum is 100; send several requests"


@pytest.mark.parametrize(
    ("speaker_id", "voice", "speaker", "named_again"),
    [
        ("default", JOE, 0, "en_US-joe-medium"),
        ("en_US-joe-medium", JOE, 0, "en_US-joe-medium"),
        ("en_US-joe-medium:", JOE, 0, "en_US-joe-medium"),
        ("en_US-joe-medium:0", JOE, 0, "en_US-joe-medium"),
        ("en_US-choir-high", CHOIR, 2, "en_US-choir-high:p225"),
        ("en_US-choir-high:p225", CHOIR, 2, "en_US-choir-high:p225"),
        ("en_US-choir-high:1", CHOIR, 1, "en_US-choir-high:7"),
        ("en_US-choir-high:7", CHOIR, 1, "en_US-choir-high:7"),
        ("en_US-choir-high:02", CHOIR, 2, "en_US-choir-high:p225"),
    ],
)
def test_speakers_go_by_name_or_by_number(speaker_id: str, voice: Any, speaker: int, named_again: str) -> None:
    resolved = resolve(speaker_id=speaker_id)
    assert (resolved.voice, resolved.speaker, resolved.speaker_id) == (voice, speaker, named_again)
    again = resolve(speaker_id=resolved.speaker_id)
    assert (again.voice, again.speaker) == (voice, speaker)


@pytest.mark.parametrize("name", ["joe", "EN_US-joe-medium", ":0", "default:0", "../etc"])
def test_an_unknown_voice_is_refused_with_the_loaded_ones(name: str) -> None:
    reason, field, description = fault(speaker_id=name)
    assert (reason, field) == ("VOICE_UNKNOWN", "speaker_id")
    known = "en_US-joe-medium, en_US-choir-high, de_DE-eva-low"
    near = " (near it: en_US-joe-medium)" if name.startswith("EN_US") else ""
    assert description == f"{name.partition(':')[0]!r} is not loaded{near}; use one of {known}"


@pytest.mark.parametrize("speaker", ["3", "-1", "1.0", "Anna", "²", "٢", "9" * 5000, "0000000001", "4294967296"])
def test_an_unknown_speaker_is_refused_with_the_valid_ones(speaker: str) -> None:
    reason, field, description = fault(speaker_id=f"en_US-choir-high:{speaker}")
    assert (reason, field) == ("SPEAKER_UNKNOWN", "speaker_id")
    assert "a number from 0 to 2, or a name that ListVoices returns" in description
    assert len(description) < 250


def test_a_voice_of_one_speaker_has_no_other() -> None:
    reason, _, description = fault(speaker_id="en_US-joe-medium:1")
    assert reason == "SPEAKER_UNKNOWN"
    assert description == "en_US-joe-medium has only one speaker, not '1'; use 'en_US-joe-medium'"


def test_messages_are_short_with_hundreds_of_voices() -> None:
    voices = [tone_voice(f"xx_XX-voice{number}-high", language=f"x{number}") for number in range(300)]
    resolver = RequestResolver(voices, max_characters=100)
    for asked in (SpeechRequest("Hi.", speaker_id="joe"), SpeechRequest("Hi.", language="en")):
        with pytest.raises(InvalidRequest) as caught:
            resolver.resolve(asked)
        assert str(caught.value).endswith(" and 280 more (see ListVoices)")
        assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("language", "voice"),
    [("en", JOE), ("en_US", JOE), ("EN-us", JOE), ("de", EVA), ("de-DE", EVA), ("DE_de", EVA), ("", JOE)],
)
def test_a_language_picks_the_first_voice_that_speaks_it(language: str, voice: Any) -> None:
    assert resolve(language=language).voice is voice
    assert resolve(language=language, speaker_id="default").voice is voice


@pytest.mark.parametrize("language", ["fr", "en-GB", "e", "d", "en-US-x", "english", " "])
def test_a_language_that_no_voice_speaks_is_refused_with_those_spoken(language: str) -> None:
    reason, field, description = fault(language=language)
    assert (reason, field) == ("LANGUAGE_UNKNOWN", "language")
    assert description == f"no loaded voice supports {language!r}; use one of de-DE, en-US"


def test_a_language_must_match_the_named_voice() -> None:
    assert resolve(speaker_id=EVA.id, language="de").voice is EVA
    reason, field, description = fault(speaker_id=EVA.id, language="en")
    assert (reason, field) == ("LANGUAGE_MISMATCH", "language")
    assert "'en' is not the language of de_DE-eva-low, which is de-DE" in description


def test_a_language_covers_its_varieties_and_not_its_beginnings() -> None:
    assert speaks(JOE, "en")
    assert speaks(JOE, "en_us")
    assert not speaks(JOE, "en-")
    assert not speaks(tone_voice(language="en"), "en-US")


@pytest.mark.parametrize("speed", [0.25, 4.0, 1.5])
def test_speeds_of_the_contract_are_taken(speed: float) -> None:
    assert resolve(speed=speed).speed == speed


@pytest.mark.parametrize("absent", [0.0, -0.0])
def test_a_speed_of_zero_is_an_absent_one(absent: float) -> None:
    resolved = resolve(speed=absent, pitch=absent)
    assert (resolved.speed, resolved.pitch) == (1.0, 1.0)


def test_a_speed_that_a_voice_cannot_reach_is_refused_with_what_it_can() -> None:
    slow = RequestResolver([replace(JOE, max_speed=1.28, emotion_rendering="native"), EVA], max_characters=100)
    assert slow.resolve(SpeechRequest("Hello.", speed=1.28, emotion="angry")).speed == 1.28
    with pytest.raises(
        InvalidRequest, match=r"1\.5 is out of range for en_US-joe-medium; use 0\.25 to 1\.28"
    ) as caught:
        slow.resolve(SpeechRequest("Hello.", speed=1.5))
    assert caught.value.reason == "SPEED_OUT_OF_RANGE"
    assert slow.resolve(SpeechRequest("Hello.", speed=4.0, emotion="afraid", speaker_id=EVA.id)).speed > 4.0


@pytest.mark.parametrize("value", [0.5, 0.999, 1.25, 2.0])
def test_a_pitch_within_the_range_is_kept(value: float) -> None:
    assert resolve(pitch=value).pitch == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.2499, 4.001, 1e-30])
def test_speeds_out_of_range_are_refused(value: float) -> None:
    reason, field, description = fault(speed=value)
    assert (reason, field) == ("SPEED_OUT_OF_RANGE", "speed")
    assert description == f"{value:g} is out of range; use 0.25 to 4"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.49, 2.01])
def test_pitches_out_of_range_are_invalid(value: float) -> None:
    reason, field, description = fault(pitch=value)
    assert (reason, field) == ("PITCH_OUT_OF_RANGE", "pitch")
    assert description == f"{value:g} is out of range; use 0.5 to 2"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -96.1, 16.1])
def test_volume_gains_out_of_range_are_refused(value: float) -> None:
    reason, field, description = fault(volume_gain_db=value)
    assert (reason, field) == ("VOLUME_GAIN_OUT_OF_RANGE", "audio_config.volume_gain_db")
    assert description == f"{value:g} is out of range; use -96 to 16"


@pytest.mark.parametrize("value", [-96.0, 16.0])
def test_volume_gains_of_the_contract_are_taken(value: float) -> None:
    assert resolve(volume_gain_db=value).volume_gain_db == value


@pytest.mark.parametrize("rate", [-1, 1, 7_999, 48_001, -(2**31), 2**31 - 1])
def test_sample_rates_out_of_range_are_refused(rate: int) -> None:
    reason, field, description = fault(sample_rate_hz=rate)
    assert (reason, field) == ("SAMPLE_RATE_OUT_OF_RANGE", "audio_config.sample_rate_hertz")
    assert description == f"{rate} is out of range; use 8000 to 48000, or 0 for the voice's own rate"


def test_sample_rates_of_the_contract_are_taken_and_zero_is_the_voices_own() -> None:
    assert [resolve(sample_rate_hz=rate).sample_rate_hz for rate in (8_000, 48_000)] == [8_000, 48_000]
    assert resolve(speaker_id=CHOIR.id).sample_rate_hz == 16_000


def test_an_unknown_encoding_is_refused_with_the_supported_ones() -> None:
    assert fault(encoding="99") == (
        "ENCODING_UNKNOWN",
        "audio_config.encoding",
        "'99' is unknown; use one of LINEAR16, WAV, FLAC, OGG_OPUS, MP3, AAC, MULAW, ALAW",
    )


def test_an_unknown_emotion_is_refused_with_the_known_ones() -> None:
    reason, field, description = fault(emotion="hungry")
    assert (reason, field) == ("EMOTION_UNKNOWN", "emotion")
    assert description == f"'hungry' is unknown; use one of auto, neutral, {', '.join(EMOTIONS)}"


@pytest.mark.parametrize("given", ["x" * 129, "naïve", "a\nb", "tab\t", "\x7f"])
def test_a_request_id_must_fit_a_log_line(given: str) -> None:
    reason, field, description = fault(request_id=given)
    assert (reason, field) == ("REQUEST_ID_INVALID", "request_id")
    assert description == "is not valid; use at most 128 characters, all of them printable ASCII"


def test_a_good_request_id_is_kept() -> None:
    assert resolve(request_id="a b~" + "x" * 124).request_id == "a b~" + "x" * 124


@pytest.mark.parametrize("given", ["", "x" * 129, "naïve", "a\nb", "tab\t", "\x7f"])
def test_an_id_that_does_not_fit_a_log_line_is_replaced(given: str) -> None:
    first, second = accepted_request_id(given), accepted_request_id(given)
    assert resolve(request_id=first).request_id == first
    assert len({given, first, second}) == 3


@pytest.mark.parametrize("given", ["mine", "a b~" + "x" * 124])
def test_an_id_that_fits_is_the_callers_own(given: str) -> None:
    assert accepted_request_id(given) == given


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_a_seed_is_kept_zero_included(seed: int) -> None:
    assert resolve(seed=seed).seed == seed


def test_a_voice_that_renders_no_emotions_says_so_unless_something_is_wrong() -> None:
    flat = RequestResolver([replace(JOE, emotion_rendering="none")], max_characters=100)
    with pytest.raises(NotServed, match="en_US-joe-medium does not support emotions") as caught:
        flat.resolve(SpeechRequest("Hello.", emotion="sad"))
    assert caught.value.reason in NotServed.REASONS
    with pytest.raises(InvalidRequest):
        flat.resolve(SpeechRequest("Hello.", emotion="sad", speed=9.0))
    assert flat.resolve(SpeechRequest("Hello.", emotion="neutral")).prosody == NEUTRAL


ACTOR = replace(tone_voice("en_US-actor-high", language="en-US"), emotion_rendering="native")
FLAT = replace(tone_voice("en_US-flat-low", language="en-US"), emotion_rendering="none")
UNTIMED = replace(tone_voice("en_US-untimed-high", language="en-US"), has_timings=False)


def refused(*voices: Voice, **fields: Any) -> NotServed:
    with pytest.raises(NotServed) as caught:
        RequestResolver(voices, max_characters=1000).resolve(SpeechRequest(**({"text": "Hello."} | fields)))
    assert caught.value.reason in NotServed.REASONS
    return caught.value


def beside(other: Voice) -> dict[str, str]:
    """A document of which another voice than the request's speaks a part."""
    return {"text": "", "ssml": f'<speak>One. <voice name="{other.id}">Two.</voice></speak>'}


def test_where_an_emotion_cannot_be_rendered_voices_are_named_that_can() -> None:
    error = refused(FLAT, JOE, ACTOR, emotion="sad")
    assert error.reason == "EMOTION_NOT_SERVED"
    assert str(error) == (
        "en_US-flat-low does not support emotions; remove them, or use another speaker_id: "
        "en_US-joe-medium, en_US-actor-high"
    )


def test_where_no_voice_renders_emotions_the_advice_is_another_voice_file() -> None:
    assert str(refused(FLAT, emotion="sad")).endswith("or load a voice that does (no loaded voice does)")


def test_a_voice_that_a_document_names_must_render_its_emotions_too() -> None:
    assert str(refused(JOE, FLAT, emotion="sad", **beside(FLAT))).startswith(
        "en_US-flat-low does not support emotions"
    )


@pytest.mark.parametrize(
    "fields",
    [{}, {"emotion": "neutral"}, {"emotion_weights": {"sad": 0.0}}, {"emotion": "sad", "emotion_intensity": 0.0}],
)
def test_a_voice_that_renders_no_emotions_speaks_without_them(fields: dict[str, Any]) -> None:
    resolver = RequestResolver([FLAT], max_characters=100)
    assert resolver.resolve(SpeechRequest("Hello.", **fields)).prosody == NEUTRAL


def test_where_there_are_no_timings_voices_are_named_that_have_them() -> None:
    error = refused(UNTIMED, JOE, CHOIR, timing_types=["word"])
    assert error.reason == "TIMINGS_NOT_SERVED"
    assert str(error) == (
        "en_US-untimed-high does not support timings; leave timing_types empty, "
        "or use another speaker_id: en_US-joe-medium, en_US-choir-high"
    )


def test_where_no_voice_has_timings_the_advice_is_another_voice_file() -> None:
    error = refused(UNTIMED, timing_types=["mark"])
    assert str(error).endswith("or load a voice that does (no loaded voice does)")


def test_a_voice_that_a_document_names_must_have_timings_too() -> None:
    error = refused(JOE, UNTIMED, timing_types=["word"], **beside(UNTIMED))
    assert (error.reason, str(error).split()[0]) == ("TIMINGS_NOT_SERVED", "en_US-untimed-high")


def test_text_in_pieces_needs_a_voice_with_timings_too() -> None:
    with pytest.raises(NotServed, match="does not support timings"):
        RequestResolver([UNTIMED], max_characters=100).resolve(
            SpeechRequest("", timing_types=["word"]), in_pieces=True
        )


def test_a_voice_without_timings_speaks_for_whoever_wants_none() -> None:
    resolver = RequestResolver([UNTIMED], max_characters=100)
    assert resolver.resolve(SpeechRequest("Hello.")).voice is UNTIMED


def test_what_is_wrong_with_a_field_comes_before_what_a_voice_cannot_do() -> None:
    resolver = RequestResolver([UNTIMED], max_characters=100)
    with pytest.raises(InvalidRequest):
        resolver.resolve(SpeechRequest("Hello.", timing_types=["word"], speed=9.0))


def acted(**fields: Any) -> ResolvedRequest:
    request = SpeechRequest(**({"text": "Hello."} | fields))
    return RequestResolver([ACTOR, JOE], max_characters=1000).resolve(request)


def test_emotions_are_kept_as_they_were_asked_for_beside_what_becomes_of_them() -> None:
    resolved = acted(emotion_weights={"SAD": 0.5, "calm": 0.25}, emotion_intensity=0.5)
    assert (resolved.emotion_weights, resolved.emotion_intensity) == ({"sad": 0.5, "calm": 0.25}, 0.5)


def test_one_emotion_by_its_name_weighs_one() -> None:
    assert (acted(emotion="Sad").emotion_weights, acted(emotion="Sad").emotion_intensity) == ({"sad": 1.0}, 1.0)


def test_a_voice_that_renders_emotions_natively_keeps_speed_pitch_and_volume() -> None:
    resolved = acted(emotion="sad", speed=2.0, pitch=0.5, volume_gain_db=-6.0)
    assert (resolved.speed, resolved.pitch, resolved.volume_gain_db) == (2.0, 0.5, -6.0)
    assert resolved.prosody_of(resolved.voice) is NEUTRAL


@pytest.mark.parametrize("speaker_id", [JOE.id, ACTOR.id])
def test_each_voice_of_a_document_has_the_speed_and_the_pitch_of_its_own_rendering(speaker_id: str) -> None:
    resolved, sad = acted(speaker_id=speaker_id, emotion="sad", speed=2.0, pitch=0.5), EMOTIONS["sad"]
    assert (resolved.speed_of(ACTOR), resolved.pitch_of(ACTOR)) == (pytest.approx(2.0), pytest.approx(0.5))
    assert resolved.speed_of(JOE) == pytest.approx(2.0 * sad.rate)
    assert resolved.pitch_of(JOE) == pytest.approx(0.5 * sad.pitch)


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"emotion": "sad"}, False),
        ({"emotion": "sad", **beside(JOE)}, True),
        ({"emotion": "sad", "speaker_id": JOE.id}, True),
        ({"pitch": 1.1}, True),
    ],
)
def test_pitch_is_changed_where_any_voice_renders_emotions_by_it(fields: dict[str, Any], changes: bool) -> None:
    assert acted(**fields).changes_pitch is changes


@pytest.mark.parametrize("name", EMOTIONS)
def test_an_emotion_moves_speed_pitch_and_volume_beside_what_is_asked_for(name: str) -> None:
    stated = EMOTIONS[name]
    resolved = resolve(emotion=name.upper(), speed=2.0, pitch=0.5, volume_gain_db=-6.0)
    assert resolved.prosody == stated
    assert resolved.speed == pytest.approx(2.0 * stated.rate)
    assert resolved.pitch == pytest.approx(0.5 * stated.pitch)
    assert resolved.volume_gain_db == pytest.approx(-6.0 + stated.gain_db)


def test_weights_and_intensity_go_part_of_the_way() -> None:
    half = resolve(emotion="sad", emotion_intensity=0.5)
    assert half.prosody == resolve(emotion_weights={"SAD": 0.5, "neutral": 0.5}).prosody
    assert half.speed == pytest.approx(EMOTIONS["sad"].rate ** 0.5)
    both = resolve(emotion_weights={"sad": 0.5, "calm": 0.5}).prosody
    assert both.gain_db == pytest.approx((EMOTIONS["sad"].gain_db + EMOTIONS["calm"].gain_db) / 2)
    assert resolve(emotion="sad", emotion_intensity=0.0).prosody is NEUTRAL


@pytest.mark.parametrize(
    ("fields", "reason", "field", "told"),
    [
        ({"emotion": "sad", "emotion_weights": {"sad": 1.0}}, "EMOTION_TWICE", "emotion", "one of the two"),
        ({"emotion_weights": {"hungry": 1.0}}, "EMOTION_UNKNOWN", "emotion_weights", "use one of neutral, happy"),
        (
            {"emotion_weights": {"sad": 0.6, "calm": 0.6}},
            "EMOTION_WEIGHTS_INVALID",
            "emotion_weights",
            "add up to 1.2",
        ),
        (
            {"emotion_weights": {"sad": -0.1}},
            "EMOTION_WEIGHTS_INVALID",
            "emotion_weights",
            "'sad': -0.1 is out of range",
        ),
        (
            {"emotion_weights": {"sad": math.nan}},
            "EMOTION_WEIGHTS_INVALID",
            "emotion_weights",
            "'sad': nan is out of range",
        ),
        ({"emotion_weights": {"sad": 0.1, "Sad": 0.1}}, "EMOTION_WEIGHTS_INVALID", "emotion_weights", "duplicate"),
        ({"emotion": "sad", "emotion_intensity": 1.5}, "EMOTION_INTENSITY_OUT_OF_RANGE", "emotion_intensity", "1.5"),
        ({"emotion_intensity": math.nan}, "EMOTION_INTENSITY_OUT_OF_RANGE", "emotion_intensity", "nan"),
    ],
)
def test_invalid_emotions_are_refused(fields: dict[str, Any], reason: str, field: str, told: str) -> None:
    assert fault(**fields)[:2] == (reason, field)
    assert told in fault(**fields)[2]


def test_all_that_is_wrong_is_reported_at_once() -> None:
    error = refusal(
        text="",
        speaker_id="nobody",
        speed=9.0,
        pitch=9.0,
        emotion="hungry",
        encoding="99",
        sample_rate_hz=1,
        volume_gain_db=99.0,
        request_id="é",
    )
    assert error.reason == "SEVERAL_FIELDS"
    assert {violation.field for violation in error.violations} == {
        "text",
        "speaker_id",
        "speed",
        "pitch",
        "emotion",
        "audio_config.encoding",
        "audio_config.sample_rate_hertz",
        "audio_config.volume_gain_db",
        "request_id",
    }
    assert len(error.violations) == 9


@pytest.mark.parametrize("field", ["speaker_id", "emotion", "language", "encoding"])
@pytest.mark.parametrize("character", ["x", "\x00", "🙂"])
def test_a_huge_value_is_shortened_in_the_message(field: str, character: str) -> None:
    _, _, description = fault(**{field: character * 5000})
    assert len(description) < 500
    assert "..." in description
