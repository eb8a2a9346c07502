"""OpenAI's names of voices, and what the speech server gets for them."""

import pytest

from phonoscope.gateway.backend.base import BackendError, Voice
from phonoscope.gateway.backend.fake import FakeBackend
from phonoscope.gateway.openai_voices import KEPT_SECONDS, OpenAiVoices

NAMES = {"alloy": "", "echo": "", "nova": "", "onyx": "", "shimmer": "", "sage": "af_sky"}


def voice(name: str, language: str = "en-US", aliases: tuple[str, ...] = ()) -> Voice:
    return Voice(name, language, 24_000, (), False, "kokoro", "", aliases=aliases)


@pytest.fixture
def backend() -> FakeBackend:
    loaded = ("af_alloy", "af_sky", "am_echo", "nova")
    return FakeBackend(
        voices=[voice("joe"), *map(voice, loaded), voice("zf_xiaoxiao", "zh-CN", ("onyx",)), voice("ef_alloy", "es")]
    )


@pytest.mark.parametrize(
    ("name", "language", "sent"),
    [
        ("alloy", "", "af_alloy"),
        ("echo", "", "am_echo"),
        ("nova", "", "nova"),
        ("onyx", "", "onyx"),  # an alias of the server
        ("shimmer", "", ""),
        ("sage", "", "af_sky"),
        ("sage", "fr", "af_sky"),
        ("af_alloy", "", "af_alloy"),
        ("nobody", "", "nobody"),
        ("alloy", "en", "af_alloy"),
        ("alloy", "EN_us", "af_alloy"),
        ("alloy", "es", "ef_alloy"),
        ("alloy", "fr", ""),
        ("alloy", "auto", ""),
        ("onyx", "zh", "onyx"),
        ("alloy+echo", "", "af_alloy+am_echo"),
        ("alloy(2) + sage(0.5)", "", "af_alloy(2) +af_sky(0.5)"),
        ("af_sky(2)+shimmer", "", "af_sky(2)+shimmer"),
        ("alloy(2", "", "af_alloy(2"),
        ("", "", ""),
    ],
)
async def test_a_name_is_that_of_the_loaded_voice_or_the_default(backend, name, language, sent):
    assert await OpenAiVoices(backend, NAMES).find(name, language, 1.0) == sent


async def test_voices_are_listed_when_a_name_needs_it_and_then_kept_for_a_while(backend):
    now = 0.0
    voices = OpenAiVoices(backend, NAMES, lambda: now)
    await voices.find("af_sky", "", 1.0)
    await voices.find("sage", "", 1.0)
    assert backend.lists == 0
    assert await voices.find("alloy", "", 1.0) == "af_alloy"
    now = KEPT_SECONDS - 0.1
    assert await voices.find("shimmer", "", 1.0) == ""
    assert backend.lists == 1
    now, backend.voices = KEPT_SECONDS, (voice("am_shimmer"),)
    assert await voices.find("shimmer", "", 1.0) == "am_shimmer"
    assert backend.lists == 2


async def test_a_server_that_cannot_list_its_voices_is_an_error(backend):
    backend.error = BackendError("down", code="UNAVAILABLE")
    with pytest.raises(BackendError):
        await OpenAiVoices(backend, NAMES).find("alloy", "", 1.0)


def test_the_language_selects_a_voice_for_names_without_one(backend):
    voices = OpenAiVoices(backend, NAMES)
    assert [name for name in (*NAMES, "joe") if voices.follows_language(name)] == [
        "alloy",
        "echo",
        "nova",
        "onyx",
        "shimmer",
    ]
