"""Recordings in the voices folder as voices."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.recorded_voices import recorded_voices
from phonoscope.server.types import Voice

TONE, GERMAN = tone_voice("tone"), tone_voice("ton", language="de-DE", sample_rate_hz=16_000)
PLAIN = replace(tone_voice("joe"), reference_use="none")
FACTS = {"language": "en-GB", "consent": "Ann agreed.", "transcript": "Its words."}


def raises(_path: Path, error: VoiceFileError) -> None:
    raise error


@pytest.fixture
def put(tmp_path: Path, speech: Any, wav: Any) -> Any:
    def put(name: str = "ann", content: bytes | None = None, **facts: Any) -> Path:
        (tmp_path / f"{name}.wav").write_bytes(wav(speech()) if content is None else content)
        (tmp_path / f"{name}.json").write_text(json.dumps(FACTS | facts))
        return tmp_path

    return put


def made(folder: Path, *voices: Voice, skip: Any = raises, logger: Any = None) -> list[Voice]:
    return recorded_voices(folder, voices or (PLAIN, TONE, GERMAN), skip, logger or CapturingLogger())


def test_a_recording_is_a_voice_that_a_loaded_one_speaks(put: Any) -> None:
    [voice] = made(put())
    assert (voice.id, voice.language, voice.base, voice.loaded_id) == ("ann", "en-GB", "tone", "tone")
    assert voice.reference is not None
    assert (voice.reference.transcript, voice.reference.sample_rate_hz) == ("Its words.", TONE.recording_rate_hz)
    assert not voice.needs_reference


def test_its_language_or_its_voice_says_who_speaks_it(put: Any) -> None:
    assert made(put(language="de"))[0].base == "ton"
    assert made(put(language="de", voice="tone"))[0].base == "tone"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"language": "fr"}, "ann.json: no loaded voice that takes recordings speaks 'fr'; use one of de-DE, en-US"),
        ({"voice": "joe"}, "no loaded voice 'joe' takes recordings; use tone, ton"),
        ({"consent": " "}, "ann.json: has no consent; write"),
        ({"language": ""}, "ann.json: has no language; write"),
        ({"speaker": "Ann"}, "has an unknown key 'speaker'; use language, consent, transcript, voice"),
        ({"transcript": 7}, "is not an object of strings"),
        ({"transcript": "x" * 1001}, "more than 1000 characters"),
    ],
)
def test_what_its_file_says_is_checked(put: Any, facts: Any, said: str) -> None:
    with pytest.raises(VoiceFileError) as caught:
        made(put(**facts))
    assert said in str(caught.value)
    assert "Its words" not in str(caught.value)


def test_its_audio_is_checked(put: Any) -> None:
    with pytest.raises(VoiceFileError, match=r"ann\.wav: is not an audio file of a known format; send a file as WAV"):
        made(put(content=b"none"))
    with pytest.raises(VoiceFileError, match=r"ann\.wav: has 10\.0 MiB; the maximum is 10 MiB"):
        made(put(content=bytes(10 * 2**20 + 1)))


@pytest.mark.parametrize("name", ["tone", "default", "a+b", "a:b", "a(2)"])
def test_its_name_is_one_that_requests_can_send(put: Any, name: str) -> None:
    with pytest.raises(VoiceFileError, match=r"rename the recording|cannot be the name of a voice"):
        made(put(name))


def test_an_invalid_one_can_be_skipped(put: Any) -> None:
    put("bad", content=b"none")
    skipped: list[Path] = []
    voices = made(put(), skip=lambda path, _error: skipped.append(path))
    assert ([voice.id for voice in voices], [path.name for path in skipped]) == (["ann"], ["bad.wav"])


def test_what_is_no_recording_of_this_server_is_ignored_with_a_line(put: Any, wav: Any, speech: Any) -> None:
    folder = put()
    (folder / "music.flac").write_bytes(b"none")
    logger = CapturingLogger()
    assert [voice.id for voice in made(folder, logger=logger)] == ["ann"]
    assert made(folder, PLAIN, logger=logger) == []
    ignored = [call.kwargs["missing"] for call in logger.calls if call.args[0] == "recording_ignored"]
    assert ignored == ["music.json", "a voice that takes recordings", "music.json"]
    assert made(folder / "nowhere") == []
