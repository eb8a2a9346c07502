"""Converts samples to the bytes of a reply: pitch, sample rate, gain, 16-bit PCM, WAV; other codecs in codecs.py.

`speech/synthesizer.py` creates one AudioEncoder per request; `audio_assembler.py` feeds it. LINEAR16 is a sample
times 32 767, rounded to the nearest (ties to even) and clipped to ±32 767, so that -1.0 and 1.0 are equally loud. WAV
is a 44-byte RIFF header (Microsoft and IBM, Multimedia Programming Interface, 1991) in front of that.

Loudness is not changed by default. Piper scales each sentence to full scale by its own peak; that needs the whole
sentence before its first sample, so a stream could not start early, and quiet sentences would become as loud as
others. `volume_gain_db` increases loudness on request; limiter.py then keeps peaks below full scale.
"""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.common.errors import EngineFailed
from phonoscope.server.audio.codecs import CODECS, CodecStream
from phonoscope.server.audio.limiter import Limiter
from phonoscope.server.audio.psola import PitchShifter
from phonoscope.server.audio.resample import Resampler
from phonoscope.server.audio.shaping import Fader
from phonoscope.server.emotions import Prosody
from phonoscope.server.types import Encoding

FULL_SCALE: Final = 32_767
BYTES_PER_SAMPLE: Final = 2

_OPEN_LENGTH: Final = 0xFFFFFFFF
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_RIFF_TAIL_BYTES: Final = _HEADER.size - 8  # header bytes included in the RIFF length


class AudioEncoder:
    """Encodes one request's samples as bytes: mono, always whole samples or whole frames.

    The first bytes of a WAV start with a header of unknown length (0xFFFFFFFF). A unary reply, whose length is known
    before it is sent, encodes a WAV as LINEAR16 and wraps it with `whole_file` instead.

    Args:
        encoding: of the bytes.
        source_rate_hz: of the samples, until `set_prosody` names another.
        target_rate_hz: of the bytes.
        volume_gain_db: of the whole stream.
        changes_pitch: whether any part has a changed pitch; otherwise samples bypass PSOLA.
        may_be_loud: whether any part is made louder other than by `volume_gain_db`.
        is_whole: whether the bytes are one reply, so that its length can be in its header: compressed audio is then
            all returned by `finish`.
    """

    def __init__(
        self,
        *,
        encoding: Encoding,
        source_rate_hz: int,
        target_rate_hz: int,
        volume_gain_db: float = 0.0,
        changes_pitch: bool = False,
        may_be_loud: bool = False,
        is_whole: bool = False,
    ) -> None:
        self._source_rate_hz = source_rate_hz
        self._target_rate_hz = target_rate_hz
        self._changes_pitch = changes_pitch
        self._fader = Fader(source_rate_hz)
        self._shifter = PitchShifter(source_rate_hz, 1.0) if changes_pitch else None
        self._resampler = Resampler(source_rate_hz=source_rate_hz, target_rate_hz=target_rate_hz)
        self._gain = np.float32(10 ** (volume_gain_db / 20))
        # The limiter is needed if samples may become louder: by gain, or by overlapping grains.
        self._limiter = Limiter(target_rate_hz) if volume_gain_db > 0 or changes_pitch or may_be_loud else None
        self._seconds_in = 0.0  # at previous rates
        self._samples_in = 0  # at this rate
        self._samples_out = 0
        self._is_finished = False
        self._header = b""
        self._codec = CodecStream(encoding, target_rate_hz, is_whole=is_whole) if encoding in CODECS else None
        if encoding is Encoding.WAV:
            self._header = wav_header(sample_rate_hz=target_rate_hz, pcm_bytes=None)

    @property
    def samples_out(self) -> int:
        """Number of samples returned so far, at the target rate."""
        return self._samples_out

    @property
    def seconds_in(self) -> float:
        """Duration of the input so far: the position of the next sample in the output."""
        return self._seconds_in + self._samples_in / self._source_rate_hz

    def set_prosody(self, source_rate_hz: int, manner: Prosody, centre_hz: float = 0.0) -> bytes:
        """Sets the rate and the prosody of the next samples; returns the bytes that are ready.

        Args:
            source_rate_hz: of the next samples.
            manner: pitch, pitch range, and gain.
            centre_hz: the speaker's own pitch; used only with a pitch range.
        """
        ready = b"" if source_rate_hz == self._source_rate_hz else self._change_rate(source_rate_hz)
        self._fader.set_gain(manner.gain_db)
        if self._shifter:
            self._shifter.set_pitch(manner.pitch, manner.pitch_range, centre_hz)
        return ready

    def pause(self, seconds: float) -> bytes:
        """Adds silence; returns the bytes that are ready."""
        return self.encode(np.zeros(round(seconds * self._source_rate_hz), np.float32)) if seconds else b""

    def encode(self, samples: NDArray[np.float32]) -> bytes:
        """Encodes the next samples, shape (n,); returns the bytes that are ready, empty while filters fill.

        Raises:
            EngineFailed: a sample is not a finite number.
        """
        if self._is_finished:
            raise RuntimeError("encode after finish: an AudioEncoder is for one stream")
        if not np.isfinite(samples).all():
            raise EngineFailed("the engine returned samples that are not finite; the voice file may be damaged")
        self._samples_in += len(samples)
        shaped = self._fader.feed(samples)
        return self._out(self._resampler.feed(self._shifter.feed(shaped) if self._shifter else shaped))

    def finish(self) -> bytes:
        """Ends the stream and returns its last bytes, including the header if the stream is empty."""
        if self._is_finished:
            raise RuntimeError("finish after finish: an AudioEncoder is for one stream")
        self._is_finished = True
        rest = self._rest()
        rest += self._bytes(self._limiter.flush()) if self._limiter else b""
        header, self._header = self._header, b""
        return header + rest + (self._codec.finish() if self._codec else b"")

    def _change_rate(self, source_rate_hz: int) -> bytes:
        """Flushes the filters at the current rate and creates new ones at another."""
        rest = self._rest()
        self._seconds_in, self._samples_in = self.seconds_in, 0
        self._source_rate_hz = source_rate_hz
        self._fader = Fader(source_rate_hz)
        self._shifter = PitchShifter(source_rate_hz, 1.0) if self._changes_pitch else None
        self._resampler = Resampler(source_rate_hz=source_rate_hz, target_rate_hz=self._target_rate_hz)
        return rest

    def _rest(self) -> bytes:
        """Returns the samples that the filters before the gain still buffer."""
        rest = self._out(self._resampler.feed(self._shifter.flush())) if self._shifter else b""
        return rest + self._out(self._resampler.flush())

    def _out(self, samples: NDArray[np.float32]) -> bytes:
        samples = samples * self._gain
        return self._bytes(self._limiter.feed(samples) if self._limiter else samples)

    def _bytes(self, samples: NDArray[np.float32]) -> bytes:
        if not len(samples):
            return b""
        self._samples_out += len(samples)
        pcm = np.clip(np.rint(samples * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE).astype("<i2")
        if self._codec:
            return self._codec.encode(pcm)
        header, self._header = self._header, b""
        return header + bytes(pcm.tobytes())


def wav_header(*, sample_rate_hz: int, pcm_bytes: int | None) -> bytes:
    """Returns the 44-byte header of 16-bit mono PCM.

    The lengths are unknown (0xFFFFFFFF) when `pcm_bytes` is None, for a stream, or too large for RIFF's 32 bits.
    """
    riff_bytes = data_bytes = _OPEN_LENGTH
    if pcm_bytes is not None and pcm_bytes + _RIFF_TAIL_BYTES < _OPEN_LENGTH:
        riff_bytes, data_bytes = pcm_bytes + _RIFF_TAIL_BYTES, pcm_bytes
    pcm_format, channels, bits = 1, 1, 8 * BYTES_PER_SAMPLE
    bytes_per_second = sample_rate_hz * BYTES_PER_SAMPLE
    return _HEADER.pack(
        *(b"RIFF", riff_bytes, b"WAVE"),
        *(b"fmt ", 16, pcm_format, channels, sample_rate_hz, bytes_per_second, BYTES_PER_SAMPLE, bits),
        *(b"data", data_bytes),
    )


def whole_file(pcm: bytes, *, encoding: Encoding, sample_rate_hz: int) -> bytes:
    """Returns a complete reply: for WAV, samples after a header with exact lengths; otherwise the bytes unchanged."""
    if encoding is not Encoding.WAV:
        return pcm
    return wav_header(sample_rate_hz=sample_rate_hz, pcm_bytes=len(pcm)) + pcm
