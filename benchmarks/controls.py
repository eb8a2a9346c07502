"""What the controls of a voice cost beside plain speech: time for the same audio, and time to first audio."""

import contextlib
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.ours import Ours
from benchmarks.rows import Row
from benchmarks.served import Served
from benchmarks.texts import TEXTS
from benchmarks.turns import in_turns, median
from phonoscope.client import SpeechOptions
from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.engines.vits.plan import Window
from phonoscope.server.types import Encoding

PITCH: Final = 1.3
# What an encoder is asked for when every control is on: another pitch, another range of it, and a limiter that works.
ALL_ON: Final = Prosody(pitch=PITCH, pitch_range=1.4, gain_db=-3.0)
CENTRE_HZ: Final = 90.0
GAIN_DB: Final = 6.0
HAPPY: Final[SpeechOptions] = {"pitch": PITCH, "emotion": "happy", "volume_gain_db": 3.0}
TEXT: Final = TEXTS[235]
MAX_TIME: Final = 1.15
MAX_LATER_MS: Final = 10.0
FIRST_AUDIO_ROUNDS: Final = 5  # for each round of the rest: it is short, and varies more


def measure_controls(ours: Ours, served: Served, rounds: int) -> Iterator[Row]:
    """Yields the rows: engine and encoding together, then the first message of a stream."""
    sentences = ours.sentences(TEXT)
    times = in_turns(
        rounds,
        {"plain": lambda: _speak(ours, sentences, NEUTRAL), "controls": lambda: _speak(ours, sentences, ALL_ON)},
    )
    own, plain = median(times["controls"]), median(times["plain"])
    yield Row(
        "controls",
        "engine and encoding, all controls, beside plain",
        "RTF",
        own,
        plain,
        required=f"at most {MAX_TIME} ×",
        is_met=own <= MAX_TIME * plain,
        samples=times,
    )
    firsts = in_turns(
        FIRST_AUDIO_ROUNDS * rounds,
        {"plain": lambda: _first_audio_ms(served, {}), "controls": lambda: _first_audio_ms(served, HAPPY)},
    )
    own, plain = median(firsts["controls"]), median(firsts["plain"])
    yield Row(
        "controls",
        f"first audio, happy and pitch {PITCH}, beside plain",
        "ms",
        own,
        plain,
        required=f"at most {MAX_LATER_MS:.0f} ms more",
        is_met=own <= plain + MAX_LATER_MS,
        samples=firsts,
    )


def _speak(ours: Ours, sentences: list[tuple[int, ...]], manner: Prosody) -> float:
    """Renders windows as a stream has them, and encodes each; returns the real-time factor."""
    encoder = AudioEncoder(
        encoding=Encoding.LINEAR16,
        source_rate_hz=ours.voice.sample_rate_hz,
        target_rate_hz=ours.voice.sample_rate_hz,
        volume_gain_db=0.0 if manner is NEUTRAL else GAIN_DB,
        changes_pitch=manner.pitch != 1.0,
    )
    encoder.set_prosody(ours.voice.sample_rate_hz, manner, CENTRE_HZ)
    began = time.perf_counter()
    for ids in sentences:
        for samples in _windows(ours, ids):
            encoder.encode(samples)
    encoder.finish()
    return (time.perf_counter() - began) * ours.voice.sample_rate_hz / encoder.samples_out


def _windows(ours: Ours, ids: tuple[int, ...]) -> Iterator[NDArray[np.float32]]:
    plan, largest = ours.plan(ids), ours.engine.window_frames[-1]
    for start in range(0, plan.frames, largest):
        yield ours.engine.render([Window(plan, start, min(start + largest, plan.frames))])[0]


def _first_audio_ms(served: Served, options: SpeechOptions) -> float:
    began = time.perf_counter()
    with contextlib.closing(served.client.stream(TEXT, **options)) as stream:
        next(stream)
        return (time.perf_counter() - began) * 1000
