"""Who speaks: by name, by language, by the script of the text; and every way in which nobody does."""

from dataclasses import replace

import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.types import Voice


def reader(voice_id: str, language: str, speakers: tuple[str, ...] = ()) -> Voice:
    """A voice of espeak-ng's phonemes: of letters that its language does not have it could say the names at best."""
    voice = tone_voice(voice_id, language=language, speakers=speakers)
    return replace(voice, phonemes=replace(voice.phonemes, kind="espeak", espeak_voice=language))


JOE, EVA, OLGA = reader("joe", "en-US"), reader("eva", "de-DE"), reader("olga", "ru-RU")
CHOIR = replace(reader("choir", "de-AT", ("anna", "bea", "7")), default_speaker=1)
YUKI = reader("yuki", "ja-JP")
CHOICE = VoiceChoice([JOE, EVA, CHOIR, OLGA, YUKI])
RUSSIAN, CHINESE, JAPANESE = "Привет, мир.", "你好。", "日本語です。"


def refusal(
    choice: VoiceChoice, speaker_id: str = "", language: str = "", text: str = "Hello."
) -> tuple[str, str, str]:
    """Returns the reason, the field and the description."""
    with pytest.raises(InvalidRequest) as caught:
        choice.asked(speaker_id, language, text)
    (violation,) = caught.value.violations
    assert caught.value.reason in InvalidRequest.REASONS
    return caught.value.reason, violation.field, violation.description


# --- by language ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speaker_id", ["", "default"])
@pytest.mark.parametrize(
    ("language", "voice", "speaker"),
    [("", JOE, 0), ("en", JOE, 0), ("de", EVA, 0), ("de-AT", CHOIR, 1), ("DE_at", CHOIR, 1), ("ja", YUKI, 0)],
)
def test_a_language_chooses_the_first_voice_that_speaks_it(
    speaker_id: str, language: str, voice: Voice, speaker: int
) -> None:
    text = JAPANESE if voice is YUKI else "Hallo."
    assert CHOICE.asked(speaker_id, language, text) == (voice, speaker)


def test_the_first_voice_goes_before_all_others() -> None:
    assert VoiceChoice([CHOIR, EVA]).asked("", "de", "Hallo.") == (CHOIR, 1)
    assert VoiceChoice([CHOIR, EVA]).default is CHOIR


def test_a_language_must_match_the_voice() -> None:
    assert CHOICE.asked("choir:anna", "de", "Hallo.") == (CHOIR, 0)
    reason, field, description = refusal(CHOICE, "choir:anna", "de-DE")
    assert (reason, field) == ("LANGUAGE_MISMATCH", "language")
    assert description == "'de-DE' is not the language of choir, which is de-AT; leave language or speaker_id empty"


def test_languages_of_loaded_voices_are_named_once_each() -> None:
    choice = VoiceChoice([JOE, reader("ann", "en-US"), EVA])
    assert refusal(choice, language="fr")[2] == "no loaded voice supports 'fr'; use one of de-DE, en-US"


# --- by name ----------------------------------------------------------------------------------------------------


def test_a_document_may_name_a_voice_and_a_speaker() -> None:
    assert [CHOICE.named(name) for name in ("joe", "choir", "choir:anna", "choir:0")] == [
        (JOE, 0),
        (CHOIR, 1),
        (CHOIR, 0),
        (CHOIR, 0),
    ]
    assert CHOICE.named("olga") == (OLGA, 0), "whatever it will have to read"
    for name in ("", "default", "nobody"):
        with pytest.raises(InvalidRequest) as caught:
            CHOICE.named(name)
        assert caught.value.reason == "VOICE_UNKNOWN"


def test_a_speakers_name_goes_before_its_number() -> None:
    assert CHOICE.named("choir:7") == (CHOIR, 2)
    assert CHOICE.named("choir:2") == (CHOIR, 2)


@pytest.mark.parametrize("speaker", ["3", "8", "-0", "1 ", "anna:bea"])
def test_an_unknown_speaker_of_a_voice_is_refused(speaker: str) -> None:
    reason, field, description = refusal(CHOICE, f"choir:{speaker}")
    assert (reason, field) == ("SPEAKER_UNKNOWN", "speaker_id")
    assert description.startswith(f"choir has no speaker {speaker!r}; use a number from 0 to 2")


def test_a_voice_of_one_speaker_has_number_zero_alone() -> None:
    assert CHOICE.named("joe:0") == CHOICE.named("joe:") == (JOE, 0)
    assert refusal(CHOICE, "joe:1") == (
        "SPEAKER_UNKNOWN",
        "speaker_id",
        "joe has only one speaker, not '1'; use 'joe'",
    )


# --- by the script of the text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["auto", "AUTO", "Auto"])
@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("Hello.", JOE),
        ("Ein Wort.", JOE),  # in Latin script, as the first voice's language is
        (RUSSIAN, OLGA),
        (JAPANESE, YUKI),
        ("漢字", YUKI),
        ("カタカナ", YUKI),
        ("123, 4!", JOE),
        ("", JOE),
    ],
)
def test_auto_chooses_the_first_voice_that_reads_the_texts_script(language: str, text: str, voice: Voice) -> None:
    assert CHOICE.asked("", language, text) == (voice, 0)
    assert CHOICE.asked("default", language, text) == (voice, 0)


def test_auto_goes_by_most_of_the_letters() -> None:
    assert CHOICE.asked("", "auto", "Слово word слово.") == (OLGA, 0)
    assert CHOICE.asked("", "auto", "Words and слово.") == (JOE, 0)
    assert CHOICE.asked("", "auto", "1234567890 да") == (OLGA, 0), "numbers are of no script"


def test_han_alone_is_chinese_and_with_kana_japanese() -> None:
    xiaoxiao = reader("xiaoxiao", "zh-CN")
    choice = VoiceChoice([JOE, YUKI, xiaoxiao])
    assert choice.asked("", "auto", CHINESE) == (xiaoxiao, 0)
    assert choice.asked("", "auto", JAPANESE) == (YUKI, 0)
    assert choice.asked("", "ja", CHINESE) == choice.asked("yuki", "auto", CHINESE) == (YUKI, 0)
    assert VoiceChoice([JOE, YUKI]).asked("", "auto", CHINESE) == (YUKI, 0), "nobody else reads Han"


def test_auto_takes_the_default_speaker_of_the_voice() -> None:
    assert VoiceChoice([OLGA, CHOIR]).asked("", "auto", "Hallo.") == (CHOIR, 1)
    assert VoiceChoice([CHOIR, OLGA]).asked("", "auto", "123") == (CHOIR, 1)


def test_auto_refuses_a_script_that_nobody_reads_with_a_language_that_would() -> None:
    reason, field, description = refusal(VoiceChoice([JOE, EVA]), language="auto", text=RUSSIAN)
    assert (reason, field) == ("SCRIPT_NOT_SPOKEN", "text")
    assert description == (
        "is in Cyrillic script, which no loaded voice supports; load a voice that does, of one of the languages "
        "ru, uk, be"
    )


def test_a_voice_that_also_reads_another_script_is_not_refused_it() -> None:
    xiaoxiao = reader("xiaoxiao", "zh-CN")
    xiaoxiao = replace(xiaoxiao, phonemes=replace(xiaoxiao.phonemes, other_scripts=frozenset({"Latin"})))
    choice = VoiceChoice([xiaoxiao, JOE])
    assert choice.asked("xiaoxiao", "", "OK.") == (xiaoxiao, 0)
    assert choice.asked("", "auto", "你好") == (xiaoxiao, 0)
    assert choice.asked("", "auto", "OK.") == (JOE, 0), "its language has another script"
    assert refusal(choice, "xiaoxiao", text=RUSSIAN)[0] == "SCRIPT_NOT_SPOKEN"


def test_auto_beside_a_voice_leaves_the_choice_to_the_caller() -> None:
    assert CHOICE.asked("eva", "auto", "Hello.") == (EVA, 0)
    assert CHOICE.asked("olga", "auto", RUSSIAN) == (OLGA, 0)


@pytest.mark.parametrize(
    ("speaker_id", "language"), [("", ""), ("joe", ""), ("", "en"), ("joe", "en"), ("joe", "auto")]
)
def test_a_text_without_a_letter_that_the_voice_reads_is_refused(speaker_id: str, language: str) -> None:
    reason, field, description = refusal(CHOICE, speaker_id, language, CHINESE)
    assert (reason, field) == ("SCRIPT_NOT_SPOKEN", "text")
    assert description == (
        'is in Han script, which joe (en-US) does not support; send language "auto", or use another speaker_id: yuki'
    )


@pytest.mark.parametrize("text", ["Say привет to the world, мир.", "привет a", "42", "", "?!", "😀"])
def test_one_letter_of_its_own_is_enough_and_so_is_none_at_all(text: str) -> None:
    assert CHOICE.asked("", "", text) == (JOE, 0)


@pytest.mark.parametrize("text", ["π ≈ 3.14", "Δ = 5 µ", "𝛑", "5 Ω"])
@pytest.mark.parametrize("language", ["", "auto"])
def test_single_greek_letters_are_symbols_for_any_voice(text: str, language: str) -> None:
    assert VoiceChoice([JOE, EVA]).asked("", language, text) == (JOE, 0)


@pytest.mark.parametrize("text", ["Καλημέρα.", "το π είναι"])
def test_a_text_in_greek_words_is_refused_by_a_voice_of_latin_letters(text: str) -> None:
    assert refusal(VoiceChoice([JOE, EVA]), text=text)[0] == "SCRIPT_NOT_SPOKEN"


def test_a_language_with_several_scripts_reads_each() -> None:
    for text in ("漢字", "ひらがな", "日本"):
        assert CHOICE.asked("yuki", "", text) == (YUKI, 0)
    assert refusal(CHOICE, "yuki", text="Hello.")[0] == "SCRIPT_NOT_SPOKEN"


def test_a_voice_of_plain_text_reads_whatever_there_is() -> None:
    plain = tone_voice("tone")
    assert VoiceChoice([plain]).asked("", "", CHINESE) == (plain, 0)
    assert refusal(VoiceChoice([plain]), language="auto", text=CHINESE)[0] == "SCRIPT_NOT_SPOKEN"


def test_of_a_script_without_a_known_language_no_voice_is_proposed() -> None:
    description = refusal(CHOICE, text="ཨ་མ")[2]  # Tibetan
    assert description == "is in Tibetan script, which joe (en-US) does not support; load a voice that does"
