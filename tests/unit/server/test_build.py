"""The composition root passes the settings on to what it builds."""

from dataclasses import replace

import pytest
from structlog.testing import CapturingLogger

from phonoscope.server.build import build_emotion_client, build_front_end, loaded_voices
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.pipeline import build_telemetry
from phonoscope.server.types import PhonemeScheme

_SOUNDS = " .,:;?!ˈˌːaæbdðeəɚɛfɡhiɪklmnŋoɔpɹsʃtθuʊvwzʌɑ"
_IDS = {symbol: (index,) for index, symbol in enumerate(("_", "^", "$", *_SOUNDS))}


@pytest.mark.parametrize(
    ("default", "aliases", "ids"),
    [
        ("", "", ["joe", "af_bella", "af_sky"]),
        ("af_sky", "", ["af_sky", "af_bella", "joe"]),
        ("", "duo=af_bella+af_sky", ["joe", "af_bella", "af_sky", "af_bella+af_sky"]),
        ("af_sky+af_bella(2)", "", ["af_sky+af_bella(2)", "joe", "af_bella", "af_sky"]),
    ],
)
def test_voices_are_the_loaded_ones_and_the_mixtures_of_the_settings(
    default: str, aliases: str, ids: list[str]
) -> None:
    kokoro = (replace(tone_voice(name), mixing_group="kokoro-82m") for name in ("af_bella", "af_sky"))
    engine = ToneEngine([tone_voice("joe"), *kokoro])
    voices = loaded_voices([engine], ServerSettings(default_voice=default, voice_aliases=aliases))
    assert [voice.id for voice in voices] == ids


@pytest.mark.parametrize(("normalization", "word"), [("full", "5 dollars"), ("plain", "$5")])
def test_text_normalization_decides_whether_numbers_become_words(normalization: str, word: str) -> None:
    settings = ServerSettings(text_normalization=normalization)  # type: ignore[arg-type]  # checked when it is loaded
    scheme = PhonemeScheme("espeak", "en-us", _IDS)
    (sentence,) = build_front_end(settings).sentences("$5", scheme)
    assert sentence.text == word


async def test_without_an_address_there_is_no_client_of_the_emotion_service() -> None:
    settings = ServerSettings()
    telemetry = build_telemetry(settings, CapturingLogger(), [])
    assert build_emotion_client(settings, telemetry) is None
    client = build_emotion_client(ServerSettings(emotion_address="localhost:1"), telemetry)
    assert client is not None
    await client.close()
    assert telemetry.registry.get_sample_value("tts_emotion_calls_total", {"outcome": "ok"}) == 0
