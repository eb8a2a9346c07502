"""Whether a decoded recording is one of speech that a voice can be taken from. Called by recordings.py.

The checks are those that can be made honestly from levels and pitch; docs/references.md says what they miss. The share
of quiet frames follows Scheirer and Slaney (1997), "Construction and evaluation of a robust multifeature speech/music
discriminator": speech has many frames below half of the mean level around them, music few.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.decode import Decoded, RecordingFault
from phonoscope.server.audio.f0 import F0Shape, F0Tracker

MIN_SECONDS: Final = 3.0
MAX_SECONDS: Final = 30.0
FRAME_SECONDS: Final = 0.02
# What is kept around the speech: a breath, and the end of a fading sound.
MARGIN_SECONDS: Final = 0.1
# Levels of frames, in decibels of full scale.
SILENCE_DB: Final = -60.0
MIN_SPEECH_DB: Final = -45.0
# A frame this far below the loud ones is silence.
SPEECH_RANGE_DB: Final = 40.0
LOUD_PERCENTILE: Final = 95
MIN_SOUNDING_RATIO: Final = 0.3
MAX_CLIPPED_RATIO: Final = 0.001
# benchmarks/reference_checks.py shows what they accept.
MIN_QUIET_RATIO: Final = 0.05
MIN_VOICED_RATIO: Final = 0.15
AROUND_SECONDS: Final = 1.0
_WANTED: Final = "record 3 to 30 s of one person who speaks in a quiet room, without music"


def speech_part(decoded: Decoded) -> NDArray[np.float32]:
    """Returns the samples without the silence at their ends.

    Raises:
        RecordingFault: they are silent, too quiet, clipped, too short or too long, or as even as music and noise are.
    """
    rate = decoded.sample_rate_hz
    _check_min_seconds(len(decoded.samples) / rate, "lasts")
    samples = decoded.samples - np.float32(decoded.samples.mean(dtype=np.float64))
    levels = _levels(samples, rate)  # (frames,)
    loud = float(np.percentile(_decibels(levels), LOUD_PERCENTILE))
    _check_loudness(loud, decoded.clipped_ratio)
    is_sounding = _decibels(levels) > max(SILENCE_DB, loud - SPEECH_RANGE_DB)
    first, last = (int(at) for at in np.flatnonzero(is_sounding)[[0, -1]])
    _check_changes(levels[first : last + 1], float(is_sounding[first : last + 1].mean()))
    frame, margin = round(FRAME_SECONDS * rate), round(MARGIN_SECONDS * rate)
    part = samples[max(first * frame - margin, 0) : (last + 1) * frame + margin]
    _check_min_seconds(len(part) / rate, "without the silence at its ends lasts")
    if len(part) > MAX_SECONDS * rate:
        raise RecordingFault("REFERENCE_TOO_LONG", f"lasts {len(part) / rate:.1f} s; {_WANTED}; 10 s is a good length")
    return part


def check_voiced(samples: NDArray[np.float32], rate_hz: int) -> None:
    """Raises RecordingFault if next to nothing in it has a pitch. Slow at high sample rates."""
    tracker = F0Tracker(F0Shape.of(rate_hz))
    tracker.track(samples, 0)
    voiced = sum(period > 0 for period in tracker.periods)
    if voiced < MIN_VOICED_RATIO * len(tracker.periods):
        raise RecordingFault("REFERENCE_NOT_SPEECH", f"has no voice, only noise or whispering; {_WANTED}")


def _check_min_seconds(seconds: float, lasts: str) -> None:
    if seconds < MIN_SECONDS:
        raise RecordingFault("REFERENCE_TOO_SHORT", f"{lasts} {seconds:.1f} s; {_WANTED}; 10 s is a good length")


def _levels(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Returns the root mean square of each frame."""
    frame = round(FRAME_SECONDS * rate_hz)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    levels: NDArray[np.float32] = np.sqrt(np.mean(frames**2, axis=1))
    return levels


def _decibels(levels: NDArray[np.float32]) -> NDArray[np.floating]:
    return 20.0 * np.log10(np.maximum(levels, np.float32(1e-6)))


def _check_loudness(loud_db: float, clipped_ratio: float) -> None:
    if loud_db < SILENCE_DB:
        raise RecordingFault("REFERENCE_SILENT", f"is silent; check the microphone and {_WANTED}")
    if loud_db < MIN_SPEECH_DB:
        raise RecordingFault(
            "REFERENCE_TOO_QUIET",
            f"is too quiet: its loud parts have {loud_db:.0f} dB of full scale; record at -30 to -10 dB, closer to "
            "the microphone or with a higher input level",
        )
    if clipped_ratio > MAX_CLIPPED_RATIO:
        raise RecordingFault(
            "REFERENCE_CLIPPED",
            f"is clipped: {clipped_ratio:.1%} of its samples are at full scale; record with a lower input level",
        )


def _check_changes(levels: NDArray[np.float32], sounding_ratio: float) -> None:
    """Refuses levels that are silence for the most part, or change as little as those of music and noise."""
    if sounding_ratio < MIN_SOUNDING_RATIO:
        raise RecordingFault("REFERENCE_SILENT", f"is silent for {1 - sounding_ratio:.0%} of its time; {_WANTED}")
    around = min(round(AROUND_SECONDS / FRAME_SECONDS), len(levels))
    mean = np.convolve(levels, np.full(around, 1.0 / around), "same")
    if np.mean(levels < 0.5 * mean) < MIN_QUIET_RATIO:
        raise RecordingFault(
            "REFERENCE_NOT_SPEECH", f"is as even in loudness as music, noise or a tone, and as no speech is; {_WANTED}"
        )
