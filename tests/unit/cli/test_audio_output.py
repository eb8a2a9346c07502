"""Destinations of `phonoscope say`: a WAV file, standard output, the loudspeakers."""

import io
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Self

import pytest


def test_a_wav_on_standard_output_is_alone_there_and_has_its_lengths(say, plain_audio, samples_of):
    result = say("Hello.", "-o", "-")
    assert samples_of(io.BytesIO(result.stdout_bytes)) == (plain_audio, 16_000)
    assert len(result.stdout_bytes) == 44 + len(plain_audio)
    assert result.stderr.startswith("standard output: 0.16 s of audio")


def test_a_wav_streamed_to_standard_output_leaves_its_lengths_open(say, plain_audio):
    content = say("Hello.", "-o", "-", "--stream").stdout_bytes
    assert content[44:] == plain_audio
    riff, length, form = struct.unpack("<4sI4s", content[:12])
    assert (riff, length, form) == (b"RIFF", 0xFFFFFFFF, b"WAVE")
    assert struct.unpack("<4sIHHIIHH", content[12:36]) == (b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    assert struct.unpack("<4sI", content[36:44]) == (b"data", 0xFFFFFFFF)


@pytest.mark.parametrize("where", ["no/such/folder/out.wav", "", "taken.txt/out.wav"])
def test_a_file_that_cannot_be_written_is_named_before_anything_is_asked(say, server, tmp_path, where):
    (tmp_path / "taken.txt").touch()
    result = say("Hello.", "-o", tmp_path / where)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"phonoscope: {tmp_path / where}: ")
    assert server.calls == []


def test_a_device_is_written_as_it_is(say):
    assert say("Hello.", "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


def test_play_without_its_extra_says_what_to_install(say, monkeypatch, server):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = say("Hello.", "--play")
    assert result.exit_code == 1
    assert result.stderr == "phonoscope: --play needs the sounddevice package: pip install 'phonoscope[play]'\n"
    assert server.calls == []


def test_play_streams_to_loudspeakers_and_file_at_once(say, monkeypatch, server, out, plain_audio, samples_of):
    played = bytearray()

    class Device:
        def __init__(self, *, samplerate: int, channels: int, dtype: str) -> None:
            assert (samplerate, channels, dtype) == (16_000, 1, "int16")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def write(self, block: bytes) -> None:
            played.extend(block)

    package = ModuleType("sounddevice")
    package.RawOutputStream, package.PortAudioError = Device, OSError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sounddevice", package)
    result = say("Hello.", "--play", "-o", out)
    assert result.exit_code == 0
    assert bytes(played) == plain_audio
    assert samples_of(str(out)) == (plain_audio, 16_000)
    assert [call.method for call in server.calls] == ["SynthesizeStream"]
