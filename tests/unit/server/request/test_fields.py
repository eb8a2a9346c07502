"""Each field by itself: ranges at their very edges, every name that is served, and what is refused how.

What requests make of several fields at once, and the plainest refusals, are in test_resolver.py.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.emotions import EMOTIONS, NEUTRAL, Prosody, mixed
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request import fields
from phonoscope.server.text.lexicon import EMPTY, Lexicon
from phonoscope.server.text.passage import Passage
from phonoscope.server.types import TIMING_TYPES, Encoding, Pronunciation, SpeechRequest

VOICE = tone_voice("joe")
NOT_FINITE = (math.nan, math.inf, -math.inf)


def request(**given: Any) -> SpeechRequest:
    return SpeechRequest("Hello.", **given)


def prosody(**given: Any) -> Prosody:
    """Returns what the emotions of a request make of a voice."""
    asked = request(**given)
    return fields.prosody(fields.emotion_weights(asked), fields.emotion_intensity(asked))


def refusal(check: Callable[[], object]) -> tuple[str, str, str]:
    """Returns the reason, the field and the description."""
    with pytest.raises(InvalidRequest) as caught:
        check()
    (violation,) = caught.value.violations
    assert caught.value.reason in InvalidRequest.REASONS
    return caught.value.reason, violation.field, violation.description


# --- numbers ----------------------------------------------------------------------------------------------------

RANGES = [
    ("speed", fields.speed, 0.25, 4.0, "SPEED_OUT_OF_RANGE", "speed"),
    ("pitch", fields.pitch, 0.5, 2.0, "PITCH_OUT_OF_RANGE", "pitch"),
    ("volume_gain_db", fields.volume_gain, -96.0, 16.0, "VOLUME_GAIN_OUT_OF_RANGE", "audio_config.volume_gain_db"),
]


@pytest.mark.parametrize(("name", "check", "low", "high", "reason", "field"), RANGES)
def test_a_range_is_valid_up_to_its_exact_limits(
    name: str, check: Callable[[SpeechRequest], float], low: float, high: float, reason: str, field: str
) -> None:
    for inside in (low, math.nextafter(low, math.inf), math.nextafter(high, -math.inf), high):
        assert check(request(**{name: inside})) == inside
    for outside in (math.nextafter(low, -math.inf), math.nextafter(high, math.inf), -1e300, 1e300, *NOT_FINITE):
        assert refusal(lambda outside=outside: check(request(**{name: outside})))[:2] == (reason, field)


@pytest.mark.parametrize("check", [fields.speed, fields.pitch])
@pytest.mark.parametrize("absent", [0.0, -0.0])
def test_a_ratio_of_zero_is_an_absent_one(check: Callable[[SpeechRequest], float], absent: float) -> None:
    assert check(request(speed=absent, pitch=absent)) == 1.0


def test_a_gain_of_zero_is_none() -> None:
    assert fields.volume_gain(request()) == 0.0


@pytest.mark.parametrize("rate_hz", [8_000, 8_001, 22_050, 47_999, 48_000])
def test_every_rate_between_the_edges_is_taken(rate_hz: int) -> None:
    assert fields.sample_rate(request(sample_rate_hz=rate_hz)) == rate_hz


@pytest.mark.parametrize("rate_hz", [7_999, 48_001, -8_000])
@pytest.mark.parametrize("encoding", ["", "linear16", "ogg_opus", "unheard-of"])
def test_other_rates_are_refused_whatever_the_encoding(rate_hz: int, encoding: str) -> None:
    reason, field, description = refusal(
        lambda: fields.sample_rate(request(sample_rate_hz=rate_hz, encoding=encoding))
    )
    assert (reason, field) == ("SAMPLE_RATE_OUT_OF_RANGE", "audio_config.sample_rate_hertz")
    assert description == f"{rate_hz} is out of range; use 8000 to 48000, or 0 for the voice's own rate"


@pytest.mark.parametrize("encoding", Encoding)
def test_an_encoding_has_its_own_rates_or_all(encoding: Encoding) -> None:
    own = CODECS[encoding].rates_hz if encoding in CODECS else ()
    for rate_hz in (0, 8_000, 11_025, 12_345, 22_050, 24_000, 44_100, 48_000):
        asked = request(sample_rate_hz=rate_hz, encoding=encoding.value)
        if rate_hz == 0 or not own or rate_hz in own:
            assert fields.sample_rate(asked) == rate_hz
        else:
            reason, _, description = refusal(lambda asked=asked: fields.sample_rate(asked))
            assert reason == "SAMPLE_RATE_OUT_OF_RANGE"
            assert description == (
                f"{rate_hz} is not supported by {encoding.name}; use one of {', '.join(map(str, own))}, "
                "or 0 for the one that suits the voice"
            )


def test_the_rate_of_an_encoding_that_does_not_exist_is_not_a_second_fault() -> None:
    assert fields.sample_rate(request(sample_rate_hz=12_345, encoding="unheard-of")) == 12_345


@pytest.mark.parametrize(
    ("encoding", "voice_rate_hz", "own_rate_hz"),
    [
        (Encoding.LINEAR16, 22_050, 22_050),
        (Encoding.WAV, 16_000, 16_000),
        (Encoding.FLAC, 22_050, 22_050),
        (Encoding.MULAW, 22_050, 22_050),
        (Encoding.OGG_OPUS, 22_050, 24_000),
        (Encoding.OGG_OPUS, 16_000, 16_000),
        (Encoding.MP3, 22_050, 22_050),
        (Encoding.AAC, 96_000, 48_000),
    ],
)
def test_the_own_rate_is_the_voices_or_the_next_that_the_encoding_has(
    encoding: Encoding, voice_rate_hz: int, own_rate_hz: int
) -> None:
    assert fields.own_rate(tone_voice(sample_rate_hz=voice_rate_hz), encoding) == own_rate_hz


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", Encoding)
def test_every_encoding_goes_by_its_value_and_by_no_other_name(encoding: Encoding) -> None:
    assert fields.encoding(request(encoding=encoding.value)) is encoding
    for other in (encoding.name, f" {encoding.value}", f"{encoding.value}x"):
        assert refusal(lambda other=other: fields.encoding(request(encoding=other)))[0] == "ENCODING_UNKNOWN"


def test_no_encoding_is_linear16() -> None:
    assert fields.encoding(request()) is Encoding.LINEAR16


@pytest.mark.parametrize("encoding", Encoding)
def test_timings_are_supported_with_every_encoding_but_those_with_an_undeclared_delay(encoding: Encoding) -> None:
    asked = request(timing_types=["word"])
    if encoding in (Encoding.MP3, Encoding.AAC):
        reason, field, description = refusal(lambda: fields.timing_types(asked, encoding))
        assert (reason, field) == ("TIMINGS_NOT_CARRIED", "timing_types")
        assert description.startswith(f"are not supported with {encoding.name}, whose decoders add a delay")
        assert fields.timing_types(request(), encoding) == frozenset()
    else:
        assert fields.timing_types(asked, encoding) == {"word"}


def test_every_timing_type_is_taken_however_often_it_is_named() -> None:
    assert fields.timing_types(request(timing_types=TIMING_TYPES * 2), Encoding.WAV) == set(TIMING_TYPES)
    for kind in TIMING_TYPES:
        assert fields.timing_types(request(timing_types=[kind]), Encoding.WAV) == {kind}


@pytest.mark.parametrize("unknown", ["99", "WORD", "", "words", "x" * 5000])
@pytest.mark.parametrize("encoding", [Encoding.LINEAR16, Encoding.MP3])
def test_an_unknown_timing_type_is_refused_with_the_known_ones(unknown: str, encoding: Encoding) -> None:
    reason, field, description = refusal(
        lambda: fields.timing_types(request(timing_types=["word", unknown]), encoding)
    )
    assert (reason, field) == ("TIMING_TYPE_UNKNOWN", "timing_types")
    assert description.startswith(f"'{unknown[:61]}")
    assert description.endswith("is unknown; use one or more of WORD, PHONEME, VISEME, MARK")
    assert len(description) < 200


@pytest.mark.parametrize(("length", "is_good"), [(1, True), (128, True), (129, False)])
def test_a_request_id_has_a_length(length: int, is_good: bool) -> None:
    asked = request(request_id="x" * length)
    if is_good:
        assert fields.request_id(asked) == fields.accepted_request_id(asked.request_id) == asked.request_id
    else:
        assert refusal(lambda: fields.request_id(asked))[:2] == ("REQUEST_ID_INVALID", "request_id")
        assert fields.accepted_request_id(asked.request_id) != asked.request_id


def test_without_a_request_id_each_has_one_of_our_own() -> None:
    given = {fields.request_id(request()) for _ in range(100)}
    assert len(given) == 100
    assert all(len(one) == 16 for one in given)


# --- emotions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EMOTIONS)
def test_an_emotion_goes_by_its_name_in_letters_of_any_size(name: str) -> None:
    for given in (name, name.upper(), name.capitalize()):
        assert prosody(emotion=given) == EMOTIONS[name]
        assert prosody(emotion_weights={given: 1.0}) == EMOTIONS[name]


@pytest.mark.parametrize("given", [{}, {"emotion": "neutral"}, {"emotion_weights": {"Neutral": 0.7}}])
def test_no_emotion_is_the_neutral_one(given: dict[str, Any]) -> None:
    assert prosody(**given) is NEUTRAL


@pytest.mark.parametrize("intensity", [0.0, -0.0])
def test_an_emotion_without_weight_is_the_neutral_one(intensity: float) -> None:
    assert prosody(emotion="sad", emotion_intensity=intensity) is NEUTRAL
    assert prosody(emotion_weights={"sad": intensity}) is NEUTRAL


@pytest.mark.parametrize("intensity", [5e-324, 0.5, math.nextafter(1, 0), 1.0, None])
def test_an_intensity_scales_every_weight(intensity: float | None) -> None:
    weights = {"sad": 0.5, "calm": 0.25, "neutral": 0.25}
    scale = 1.0 if intensity is None else intensity
    expected = mixed({"sad": 0.5 * scale, "calm": 0.25 * scale})
    assert prosody(emotion_weights=weights, emotion_intensity=intensity) == expected


@pytest.mark.parametrize("intensity", [math.nextafter(0, -1), math.nextafter(1, 2), *NOT_FINITE])
def test_an_intensity_is_valid_up_to_its_exact_limits(intensity: float) -> None:
    reason, field, description = refusal(lambda: prosody(emotion_intensity=intensity))
    assert (reason, field) == ("EMOTION_INTENSITY_OUT_OF_RANGE", "emotion_intensity")
    assert description.endswith(" is out of range; use 0 to 1")


@pytest.mark.parametrize("weight", [math.nextafter(0, -1), math.nextafter(1, 2), *NOT_FINITE])
def test_a_weight_is_valid_up_to_its_exact_limits(weight: float) -> None:
    reason, field, description = refusal(lambda: prosody(emotion_weights={"Sad": weight}))
    assert (reason, field) == ("EMOTION_WEIGHTS_INVALID", "emotion_weights")
    assert description == f"'sad': {weight:g} is out of range; use 0 to 1"


def test_weights_add_up_to_one_within_the_precision_of_32_bits() -> None:
    eighths = {name: float(np.float32(1 / 8)) for name in EMOTIONS}
    thirds = {name: float(np.float32(1 / 3)) for name in ("sad", "calm", "happy")}
    assert sum(thirds.values()) > 1.0
    for weights in (eighths, thirds, {"sad": 1.0, "calm": 9e-6}):
        assert prosody(emotion_weights=weights) == mixed(weights)
    for weights in ({"sad": 1.0, "calm": 2e-5}, {"sad": 0.6, "neutral": 0.5}):
        reason, field, description = refusal(lambda weights=weights: prosody(emotion_weights=weights))
        assert (reason, field) == ("EMOTION_WEIGHTS_INVALID", "emotion_weights")
        assert description.startswith("the weights add up to 1")


# --- pronunciations ---------------------------------------------------------------------------------------------


def test_own_pronunciations_go_before_the_servers() -> None:
    server = Lexicon.of([Pronunciation("one", respelling="server"), Pronunciation("two", respelling="server")])
    own = fields.own_lexicon(request(pronunciations=[Pronunciation("one", respelling="own")]), VOICE, server)
    assert own.rewrite(Passage("one two three")).text == "own server three"
    assert fields.own_lexicon(request(), VOICE, EMPTY).size == 0


def test_so_many_pronunciations_are_taken_and_no_more() -> None:
    entries = [Pronunciation(f"word{number}", respelling="a") for number in range(fields.MAX_PRONUNCIATIONS + 1)]
    assert fields.own_lexicon(request(pronunciations=entries[:-1]), VOICE, EMPTY).size == fields.MAX_PRONUNCIATIONS
    assert refusal(lambda: fields.own_lexicon(request(pronunciations=entries), VOICE, EMPTY)) == (
        "PRONUNCIATION_INVALID",
        "pronunciations",
        "has 1001 entries; send at most 1000",
    )


@pytest.mark.parametrize(
    ("entry", "part", "fault"),
    [
        (
            Pronunciation("word", ipa="wɜːd"),
            "ipa",
            "joe does not support 'ɜ' (U+025C, LATIN SMALL LETTER REVERSED OPEN E); use another symbol",
        ),
        (Pronunciation("word", ipa="w☺d"), "ipa", "'☺' (U+263A, WHITE SMILING FACE) is not an IPA symbol"),
        (Pronunciation("", ipa="wad"), "phrase", None),
    ],
)
def test_an_entry_that_is_not_valid_is_named_by_its_place_and_its_part(
    entry: Pronunciation, part: str, fault: str | None
) -> None:
    entries = [Pronunciation("put", ipa="put"), entry]
    reason, field, description = refusal(lambda: fields.own_lexicon(request(pronunciations=entries), VOICE, EMPTY))
    assert (reason, field) == ("PRONUNCIATION_INVALID", f"pronunciations[1].{part}")
    assert fault is None or description == fault


def test_a_text_with_nothing_to_pronounce_is_an_error_unless_silence_is_asked_for() -> None:
    assert fields.unpronounceable_text(request()) == "error"
    assert fields.unpronounceable_text(request(unpronounceable_text="silence")) == "silence"


def test_another_answer_to_such_a_text_is_refused_with_the_known_ones() -> None:
    reason, field, description = refusal(lambda: fields.unpronounceable_text(request(unpronounceable_text="9")))
    assert (reason, field) == ("UNPRONOUNCEABLE_TEXT_UNKNOWN", "unpronounceable_text")
    assert description == ("'9' is unknown; use one of UNPRONOUNCEABLE_TEXT_ERROR, UNPRONOUNCEABLE_TEXT_SILENCE")


def test_a_text_is_plain_unless_it_is_said_to_be_markdown() -> None:
    assert fields.text_format(request()) == "plain"
    assert fields.text_format(request(text_format="markdown")) == "markdown"
    assert fields.text_format(request(text_format="plain", ssml="<speak/>")) == "plain"


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    reason, field, description = refusal(lambda: fields.text_format(request(text_format="html")))
    assert (reason, field) == ("TEXT_FORMAT_UNKNOWN", "text_format")
    assert description == "'html' is unknown; use one of TEXT_FORMAT_PLAIN, TEXT_FORMAT_MARKDOWN"


def test_a_document_is_not_markdown() -> None:
    reason, field, description = refusal(lambda: fields.text_format(request(text_format="markdown", ssml="<speak/>")))
    assert (reason, field) == ("TEXT_FORMAT_OF_SSML", "text_format")
    assert "send the text in the field text" in description
