"""Makes a recording of an audio file: decoded, checked, trimmed, at a voice's sample rate.

Called by `speech/recording_checks.py` for requests, and by `request/recorded_voices.py` for the voices folder; on a
thread: it takes up to a second.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.decode import decoded
from phonoscope.server.audio.resample import Resampler
from phonoscope.server.audio.speech_check import check_voiced, speech_part
from phonoscope.server.types import Recording

# Pitch is measured at a rate that is not higher.
VOICED_CHECK_HZ: Final = 16_000


def recording_of(content: bytes, sample_rate_hz: int, transcript: str = "") -> Recording:
    """Returns the recording in an audio file, at this sample rate.

    Raises:
        RecordingFault: it cannot be decoded, or is not speech that a voice can be taken from.
    """
    audio = decoded(content)
    speech = speech_part(audio)
    check_voiced(_resampled(speech, audio.sample_rate_hz, VOICED_CHECK_HZ), VOICED_CHECK_HZ)
    return Recording.of(_resampled(speech, audio.sample_rate_hz, sample_rate_hz), sample_rate_hz, transcript)


def at_rate(recording: Recording, sample_rate_hz: int) -> Recording:
    """Returns a recording at another sample rate, itself at its own."""
    if recording.sample_rate_hz == sample_rate_hz:
        return recording
    samples = _resampled(recording.samples, recording.sample_rate_hz, sample_rate_hz)
    return Recording.of(samples, sample_rate_hz, recording.transcript)


def _resampled(samples: NDArray[np.float32], source_hz: int, target_hz: int) -> NDArray[np.float32]:
    resampler = Resampler(source_rate_hz=source_hz, target_rate_hz=target_hz)
    return np.clip(np.concatenate((resampler.feed(samples), resampler.flush())), -1.0, 1.0)
