"""Decodes a caller's audio file, within bounds. Called by recordings.py, on a thread.

FFmpeg would guess the format and follow playlists to other files: the first bytes decide here, and only the listed
demuxers and decoders run. Samples are mixed to one channel and counted as they come, so that a small file that unpacks
to gigabytes is refused after a minute's worth of them.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

import av
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer

RecordingReason = Literal[
    "REFERENCE_UNREADABLE",
    "REFERENCE_CHANNELS",
    "REFERENCE_SAMPLE_RATE",
    "REFERENCE_TOO_SHORT",
    "REFERENCE_TOO_LONG",
    "REFERENCE_SILENT",
    "REFERENCE_TOO_QUIET",
    "REFERENCE_CLIPPED",
    "REFERENCE_NOT_SPEECH",
]
RECORDING_REASONS: Final[tuple[RecordingReason, ...]] = get_args(RecordingReason)

# Silence at the ends is removed later: a recording of 30 s of speech may be longer.
MAX_SECONDS: Final = 60.0
MAX_CHANNELS: Final = 2
RATES_HZ: Final = (8_000, 192_000)
# Many times what a minute of audio takes.
MAX_DECODE_SECONDS: Final = 5.0
# Files cut at an arbitrary byte, and tags after the audio, make a few packets that are no audio.
MAX_BAD_PACKETS: Final = 4
# Full scale, where a converter or an encoder had no larger number.
FULL_SCALE: Final = 0.999
FORMATS: Final = "WAV, FLAC, MP3, Ogg (Vorbis, Opus), MP4 and AAC, WebM, AIFF or CAF"
_CODECS: Final = frozenset(("flac", "mp3", "mp3float", "vorbis", "opus", "libopus", "libvorbis", "aac"))
_PCM: Final = "pcm_"
_MPEG_SYNC: Final = 0xFFE0
_MPEG_LAYER: Final = 0x0006  # 0 in AAC's frames
_MAGIC: Final = (
    (0, b"RIFF", "wav"),
    (0, b"RF64", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"ID3", "mp3"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"FORM", "aiff"),
    (0, b"caff", "caf"),
    (4, b"ftyp", "mp4"),
)


class RecordingFault(Exception):
    """A recording cannot be used; the message says what is wrong and what to record or send instead."""

    def __init__(self, reason: RecordingReason, description: str) -> None:
        super().__init__(description)
        self.reason: RecordingReason = reason


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded file.

    Attributes:
        samples: in [-1, 1], shape (n,), the mean of its channels.
        sample_rate_hz: of the samples.
        clipped_ratio: share of the values that begin a row of three at full scale, 0 to 1.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    clipped_ratio: float


def decoded(content: bytes) -> Decoded:
    """Returns the samples of an audio file.

    Raises:
        RecordingFault: it is no audio that is decoded here, is damaged, or exceeds a bound.
    """
    format_name = _format_of(content)
    try:
        with av.open(io.BytesIO(content), "r", format=format_name, metadata_errors="ignore") as container:
            return _read(container)
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise _unreadable("is damaged or incomplete") from error


def _format_of(content: bytes) -> str:
    """Returns FFmpeg's name of the format that the first bytes say."""
    for at, magic, name in _MAGIC:
        if content[at : at + len(magic)] == magic:
            return name
    head = int.from_bytes(content[:2])
    if head & _MPEG_SYNC == _MPEG_SYNC:
        return "mp3" if head & _MPEG_LAYER else "aac"
    raise _unreadable("is not an audio file of a known format")


def _read(container: "InputContainer") -> Decoded:
    if not container.streams.audio:
        raise _unreadable("has no audio in it")
    stream = container.streams.audio[0]
    codec = cast("AudioCodecContext | None", stream.codec_context)  # None for a codec that FFmpeg does not know
    if codec is None or not (codec.name in _CODECS or codec.name.startswith(_PCM)):
        raise _unreadable("has an encoding that is not supported")
    rate, channels = codec.sample_rate, codec.layout.nb_channels
    _check_shape(rate, channels)
    mixer = _Mixer()
    resampler = av.AudioResampler(format="fltp")  # of the same rate and channels: it only converts numbers
    for frame in _frames(container, stream):
        if (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
            rate, channels = _changed_shape(mixer, frame)
        for part in resampler.resample(frame):
            mixer.add(np.asarray(part.to_ndarray(), np.float32))
        if mixer.samples > MAX_SECONDS * rate:
            raise RecordingFault(
                "REFERENCE_TOO_LONG",
                f"is longer than {MAX_SECONDS:g} s; record 3 to 30 s of one person's speech, 10 s is a good length",
            )
    if not mixer.samples:
        raise _unreadable("has no audio in it")
    return Decoded(mixer.mixed(), rate, mixer.clipped_ratio)


def _changed_shape(mixer: "_Mixer", frame: av.AudioFrame) -> tuple[int, int]:
    """Returns the rate and channels of a stream whose header did not state them: some are known once decoded."""
    if mixer.samples:
        raise _unreadable("changes its sample rate or channels on the way")
    _check_shape(frame.sample_rate, frame.layout.nb_channels)
    return frame.sample_rate, frame.layout.nb_channels


def _check_shape(rate_hz: int, channels: int) -> None:
    low, high = RATES_HZ
    if channels > MAX_CHANNELS:
        raise RecordingFault(
            "REFERENCE_CHANNELS", f"has {channels} channels; record one person with one microphone: 1 or 2 channels"
        )
    if rate_hz and not low <= rate_hz <= high:
        raise RecordingFault(
            "REFERENCE_SAMPLE_RATE", f"has a sample rate of {rate_hz} Hz; record at 16000 to 48000 Hz"
        )


def _frames(container: "InputContainer", stream: "AudioStream") -> Iterator[av.AudioFrame]:
    """Yields the frames of a stream; passes over a few packets that are no audio."""
    latest = time.monotonic() + MAX_DECODE_SECONDS
    bad = 0
    for packet in container.demux(stream):
        if time.monotonic() > latest:
            raise _unreadable("takes too long to decode")
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            bad += 1
            if bad > MAX_BAD_PACKETS:
                raise


class _Mixer:
    """Mixes frames to one channel as they come, and counts the values at full scale."""

    def __init__(self) -> None:
        self.samples = 0
        self._parts: list[NDArray[np.float32]] = []
        self._values = 0
        self._clipped = 0

    @property
    def clipped_ratio(self) -> float:
        """Share of the values so far that begin a row of three at full scale."""
        return self._clipped / max(self._values, 1)

    def add(self, values: NDArray[np.float32]) -> None:
        """Adds a frame, shape (channels, n)."""
        if not np.isfinite(values).all():
            raise _unreadable("has samples that are not numbers")
        is_full = np.abs(values) >= FULL_SCALE
        self._clipped += int((is_full[:, 2:] & is_full[:, 1:-1] & is_full[:, :-2]).sum())
        self._values += values.size
        self.samples += values.shape[1]
        self._parts.append(values.mean(axis=0, dtype=np.float32))

    def mixed(self) -> NDArray[np.float32]:
        """Returns all samples."""
        return np.clip(np.concatenate(self._parts), -1.0, 1.0)


def _unreadable(fault: str) -> RecordingFault:
    return RecordingFault("REFERENCE_UNREADABLE", f"{fault}; send a file as {FORMATS}")
