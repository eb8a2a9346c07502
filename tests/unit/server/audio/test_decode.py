"""Decoding a caller's file: which ones, within which bounds, and what damaged ones are answered."""

import contextlib
import io
import resource
import struct
import sys
import wave
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonoscope.server.audio import decode
from phonoscope.server.audio.decode import RecordingFault, decoded

CODECS = {
    "wav": ("wav", "pcm_s16le", "s16"),
    "wav24": ("wav", "pcm_s24le", "s32"),
    "float": ("wav", "pcm_f32le", "flt"),
    "flac": ("flac", "flac", "s16"),
    "mp3": ("mp3", "libmp3lame", "s16p"),
    "opus": ("ogg", "libopus", "s16"),
    "webm": ("webm", "libopus", "s16"),
    "m4a": ("ipod", "aac", "fltp"),
    "aac": ("adts", "aac", "fltp"),
    "aiff": ("aiff", "pcm_s16be", "s16"),
    "caf": ("caf", "pcm_s16le", "s16"),
}


def encoded(kind: str, samples: Any, rate_hz: int = 48_000, layout: str = "mono") -> bytes:
    """Encodes samples, shape (channels, n)."""
    muxer, codec, form = CODECS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(format=form, layout=layout, rate=rate_hz, frame_size=stream.frame_size or 4096)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def fault_of(content: bytes) -> RecordingFault:
    with pytest.raises(RecordingFault) as caught:
        decoded(content)
    return caught.value


def tone(seconds: float = 1.0, rate_hz: int = 48_000, hz: float = 440.0) -> Any:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)[None].astype(np.float32)


@pytest.mark.parametrize("kind", CODECS)
def test_each_named_format_is_decoded(kind: str) -> None:
    audio = decoded(encoded(kind, tone()))
    assert audio.sample_rate_hz == 48_000
    assert len(audio.samples) == pytest.approx(48_000, abs=4_000), "codecs pad"
    middle = audio.samples[20_000:28_000]
    assert float(np.sqrt(np.mean(middle**2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert audio.samples.dtype == np.float32


def test_two_channels_are_mixed_to_their_mean() -> None:
    both = np.concatenate([tone(), 0 * tone()])
    assert float(np.abs(decoded(encoded("wav", both, layout="stereo")).samples).max()) == pytest.approx(0.25, rel=0.01)


def test_more_channels_are_refused_before_they_are_decoded() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((8, 2, 96_000, 0, "NONE", ""))
        written.writeframes(bytes(8 * 2 * 96_000))
    fault = fault_of(file.getvalue())
    assert fault.reason == "REFERENCE_CHANNELS"
    assert "has 8 channels; record one person with one microphone: 1 or 2 channels" in str(fault)


def test_sample_rates_have_limits() -> None:
    fault = fault_of(encoded("wav", tone(rate_hz=4_000), 4_000))
    assert (fault.reason, "4000 Hz" in str(fault)) == ("REFERENCE_SAMPLE_RATE", True)


def test_ten_minutes_are_refused() -> None:
    fault = fault_of(encoded("mp3", tone(600.0, 16_000), 16_000))
    assert (fault.reason, "longer than 60 s" in str(fault)) == ("REFERENCE_TOO_LONG", True)


def test_a_file_that_unpacks_to_gigabytes_stops_after_a_minute(wav: Callable[..., bytes]) -> None:
    """Four hours of silence at 48 kHz are 2.6 GB as samples, and little as FLAC."""
    hour = 60 * 60 * 48_000
    bomb = _silent_flac(4 * hour)
    assert len(bomb) < 10 * 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault_of(bomb).reason == "REFERENCE_TOO_LONG"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024, "in KiB"


def _silent_flac(samples: int) -> bytes:
    """A FLAC file of silence, some bytes for each frame; encoded once for a part, and repeated."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=48_000, layout="mono")
        silence = np.zeros((1, 4608), np.int16)
        for _ in range(samples // 4608 // 64):
            frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            frame.sample_rate = 48_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part = file.getvalue()
    frames = part[part.index(b"\xff\xf8") :]
    return part + frames * 63


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"not audio at all",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD/>",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"fLaC" + bytes(40),
        b"OggS" + bytes(60),
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
        b"\x00\x00\x00\x18ftypM4A " + bytes(32),
        b"\x1a\x45\xdf\xa3" + bytes(64),
        b"\xff\xfb\x90\x64" + bytes(64),
        b"\xff\xf1\x50\x80" + bytes(64),
    ],
)
def test_what_is_not_audio_is_refused_with_the_formats(content: bytes) -> None:
    fault = fault_of(content)
    assert fault.reason == "REFERENCE_UNREADABLE"
    assert str(fault).endswith("; send a file as WAV, FLAC, MP3, Ogg (Vorbis, Opus), MP4 and AAC, WebM, AIFF or CAF")


def test_a_codec_that_is_not_listed_is_not_run() -> None:
    head = b"RIFF\xff\xff\xff\x7fWAVEfmt " + struct.pack("<IHHIIHH", 16, 0x11, 1, 16_000, 8_000, 256, 4)
    assert "has an encoding that is not supported" in str(fault_of(head + b"data\xff\xff\xff\x7f" + bytes(4096)))


def test_numbers_that_are_none_are_refused() -> None:
    samples = tone()
    samples[0, 100] = np.nan
    head = b"RIFF\xff\xff\xff\x7fWAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 48_000, 192_000, 4, 32)
    content = head + b"data" + struct.pack("<I", samples.nbytes) + samples.tobytes()
    assert "has samples that are not numbers" in str(fault_of(content))


def test_a_file_cut_short_is_decoded_as_far_as_it_goes() -> None:
    content = encoded("mp3", tone(4.0))
    assert len(decoded(content[: len(content) // 2]).samples) > 48_000


def test_decoding_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_DECODE_SECONDS", -1.0)
    assert "takes too long to decode" in str(fault_of(encoded("wav", tone())))


def test_clipped_samples_are_counted() -> None:
    assert decoded(encoded("wav", tone())).clipped_ratio == 0.0
    assert decoded(encoded("wav", np.clip(4 * tone(), -1, 1))).clipped_ratio > 0.3


WHOLE = {kind: encoded(kind, tone(0.5)) for kind in CODECS}


@given(kind=st.sampled_from(sorted(CODECS)), data=st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_files_are_decoded_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[kind])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=12)):
        content[at] = data.draw(st.integers(0, 255))
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    if data.draw(st.booleans()):
        del content[start:stop]
    with contextlib.suppress(RecordingFault):
        audio = decoded(bytes(content))
        assert len(audio.samples) <= 61 * audio.sample_rate_hz
        assert np.abs(audio.samples).max() <= 1.0


@given(head=st.sampled_from([magic for _, magic, _ in decode._MAGIC] + [b"\xff\xfb", b"\xff\xf1"]), rest=st.binary())
@settings(max_examples=100, deadline=None)
def test_any_bytes_after_a_known_beginning_are_no_crash(head: bytes, rest: bytes) -> None:
    content = bytes(4) + head + rest if head == b"ftyp" else head + rest
    with contextlib.suppress(RecordingFault):
        decoded(content)


def test_ffmpeg_writes_nothing_about_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    for content in (b"RIFF" + bytes(100), WHOLE["mp3"][:300] + b"planted" * 20 + WHOLE["mp3"][440:]):
        with contextlib.suppress(RecordingFault):
            decoded(content)
    sys.stderr.flush()
    assert "".join(capfd.readouterr()) == ""
