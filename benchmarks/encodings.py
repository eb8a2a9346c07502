"""What each encoding costs: processor time for a second of speech, and time from the first samples to the first bytes.

Speech of the voice in the windows of a stream, encoded at the rate that a request gets which names none, and at that
of telephones. Audio is at hand at once: the engine's time, and waiting for a second window, are not in these figures.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.ours import Ours
from benchmarks.rows import Row
from benchmarks.texts import TEXTS
from benchmarks.turns import in_turns, median
from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.engines.vits.plan import Window
from phonoscope.server.types import Encoding

TEXT: Final = TEXTS[235]
FIRST_WINDOW_FRAMES: Final = 21  # of a stream; 0.24 s of a voice of medium quality
TELEPHONE_RATE_HZ: Final = 8000
MAX_FIRST_BYTES_MS: Final = 60.0
OGG_HEADER_PAGES: Final = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """One text encoded.

    Attributes:
        cpu_ms: processor time for a second of audio.
        first_bytes_ms: from the first samples to the first bytes that are more than a header.
    """

    cpu_ms: float
    first_bytes_ms: float


def measure_encodings(ours: Ours, rounds: int) -> Iterator[Row]:
    """Yields two rows for each encoding and rate: first bytes, then processor time."""
    windows = _windows(ours)
    voice_rate_hz = ours.voice.sample_rate_hz
    for rate_of in (_usual_rate_hz, lambda _encoding, _voice_rate_hz: TELEPHONE_RATE_HZ):
        rates = {encoding: rate_of(encoding, voice_rate_hz) for encoding in Encoding}
        costs = in_turns(
            rounds,
            {
                encoding.value: partial(_encode, windows, encoding, voice_rate_hz, rates[encoding])
                for encoding in Encoding
            },
        )
        for encoding in Encoding:
            yield from _rows(f"{encoding.value}, {rates[encoding]} Hz", costs[encoding.value])


def _rows(what: str, costs: Sequence[Cost]) -> Iterator[Row]:
    firsts, works = [cost.first_bytes_ms for cost in costs], [cost.cpu_ms for cost in costs]
    first = median(firsts)
    yield Row(
        "encodings",
        f"{what}: first bytes",
        "ms",
        first,
        required=f"at most {MAX_FIRST_BYTES_MS:.0f} ms",
        is_met=first <= MAX_FIRST_BYTES_MS,
        samples={"ours": firsts},
    )
    yield Row("encodings", f"{what}: CPU, a second of audio", "ms", median(works), samples={"ours": works})


def _usual_rate_hz(encoding: Encoding, voice_rate_hz: int) -> int:
    return CODECS[encoding].rate_for(voice_rate_hz) if encoding in CODECS else voice_rate_hz


def _windows(ours: Ours) -> list[NDArray[np.float32]]:
    """Returns the text's samples as a stream gets them: a short window first, then the engine's largest."""
    plans = [ours.plan(ids) for ids in ours.sentences(TEXT)]
    spoken = np.concatenate([ours.engine.render([Window(plan, 0, plan.frames)])[0] for plan in plans])
    per_frame, largest = plans[0].samples_per_frame, ours.engine.window_frames[-1]
    cuts = range(FIRST_WINDOW_FRAMES * per_frame, len(spoken), largest * per_frame)
    return np.split(spoken, cuts)


def _encode(windows: Sequence[NDArray[np.float32]], encoding: Encoding, voice_rate_hz: int, rate_hz: int) -> Cost:
    encoder = AudioEncoder(encoding=encoding, source_rate_hz=voice_rate_hz, target_rate_hz=rate_hz)
    audio, first_bytes_ms = b"", 0.0
    began, cpu_began = time.perf_counter(), time.thread_time()
    for samples in windows:
        audio += encoder.encode(samples)
        if not first_bytes_ms and _is_more_than_a_header(audio, encoding):
            first_bytes_ms = (time.perf_counter() - began) * 1000
    encoder.finish()
    cpu_ms = (time.thread_time() - cpu_began) * 1000
    return Cost(cpu_ms * rate_hz / encoder.samples_out, first_bytes_ms)


def _is_more_than_a_header(audio: bytes, encoding: Encoding) -> bool:
    return audio.count(b"OggS") > OGG_HEADER_PAGES if encoding is Encoding.OGG_OPUS else bool(audio)
