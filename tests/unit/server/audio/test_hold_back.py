"""What encoders hold back, in time of audio: how much goes in before bytes come out, and how far behind sound stays.

Counted in samples, so that it is the same on every machine; `make bench ARGS="--parts encodings"` has the seconds.
docs/encodings.md has the table, and is held to it.
"""

import io
import math
import re
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError

from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.types import Encoding

SECONDS = 0.6
RAW = {Encoding.LINEAR16: "s16le", Encoding.MULAW: "mulaw", Encoding.ALAW: "alaw"}
DELAY_SAMPLES = {Encoding.AAC: 1024}  # played before the first of ours
PAGE = Path(__file__).parents[4] / "docs" / "encodings.md"
# Encoding, rate of the voice, rate of the audio: milliseconds that go in before the first bytes that are sound, and by
# which what can be played is behind, at most.
HELD_BACK = {
    (Encoding.LINEAR16, 24_000, 24_000): (1, 0),
    (Encoding.WAV, 24_000, 24_000): (1, 0),
    (Encoding.FLAC, 24_000, 24_000): (30, 29),
    (Encoding.OGG_OPUS, 24_000, 24_000): (40, 46),
    (Encoding.MP3, 24_000, 24_000): (48, 94),
    (Encoding.AAC, 24_000, 24_000): (86, 128),
    (Encoding.MULAW, 24_000, 24_000): (1, 0),
    (Encoding.ALAW, 24_000, 24_000): (1, 0),
    (Encoding.FLAC, 22_050, 22_050): (30, 29),
    (Encoding.OGG_OPUS, 22_050, 24_000): (80, 86),
    (Encoding.MP3, 22_050, 22_050): (53, 103),
    (Encoding.AAC, 22_050, 22_050): (94, 140),
    (Encoding.MULAW, 22_050, 8000): (81, 81),
    (Encoding.MP3, 22_050, 8000): (216, 344),
    (Encoding.AAC, 22_050, 8000): (284, 424),
}


def is_more_than_a_header(audio: bytes, encoding: Encoding) -> bool:
    """Whether there is sound in the bytes so far; Ogg's header has two pages, any other comes with the first sound."""
    return audio.count(b"OggS") > 2 if encoding is Encoding.OGG_OPUS else bool(audio)


def playable_seconds(audio: bytes, encoding: Encoding, rate: int) -> float:
    """Returns how much of our sound a decoder makes of the bytes so far."""
    options = {"format": RAW[encoding], "options": {"sample_rate": str(rate)}} if encoding in RAW else {}
    try:
        with av.open(io.BytesIO(audio), **options) as container:
            samples = sum(frame.samples for frame in container.decode(audio=0))
            decoded_rate = container.streams.audio[0].rate
    except FFmpegError:  # too few bytes to know what they are
        return 0.0
    return max(samples - DELAY_SAMPLES.get(encoding, 0), 0) / decoded_rate


def held_back(encoding: Encoding, voice_rate: int, rate: int) -> tuple[int, int]:
    """Feeds an encoder a millisecond at a time; returns the two figures of HELD_BACK."""
    encoder = AudioEncoder(encoding=encoding, source_rate_hz=voice_rate, target_rate_hz=rate)
    samples = (np.random.default_rng(3).standard_normal(int(SECONDS * voice_rate)) * 0.1).astype(np.float32)
    step = voice_rate // 1000
    audio, first, behind, heard = b"", 0.0, 0.0, 0.0
    for fed in range(step, len(samples) + 1, step):
        if came := encoder.encode(samples[fed - step : fed]):
            audio += came
            heard = playable_seconds(audio, encoding, rate)
            first = first or is_more_than_a_header(audio, encoding) * fed / voice_rate
        behind = max(behind, fed / voice_rate - heard) if heard else 0.0
    return math.ceil(round(first * 1000, 3)), math.ceil(round(behind * 1000, 3))


@pytest.mark.parametrize(("encoding", "voice_rate", "rate"), HELD_BACK)
def test_what_is_held_back(encoding: Encoding, voice_rate: int, rate: int) -> None:
    assert held_back(encoding, voice_rate, rate) == HELD_BACK[encoding, voice_rate, rate]


def test_the_page_tells_the_same() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    told = {
        (Encoding(name), int(voice), int(rate)): (int(first), int(behind)) for name, voice, rate, first, behind in rows
    }
    assert told == HELD_BACK
