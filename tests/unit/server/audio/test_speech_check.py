"""Which recordings a voice is taken from, and what the others are answered."""

from typing import Any

import numpy as np
import pytest

from phonoscope.server.audio.decode import Decoded, RecordingFault
from phonoscope.server.audio.recordings import at_rate, recording_of
from phonoscope.server.audio.speech_check import check_voiced, speech_part
from phonoscope.server.types import Recording

RATE_HZ = 24_000


def fault_of(samples: Any, clipped_ratio: float = 0.0) -> RecordingFault:
    with pytest.raises(RecordingFault) as caught:
        speech_part(Decoded(np.asarray(samples, np.float32), RATE_HZ, clipped_ratio))
    return caught.value


def silence(seconds: float) -> Any:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def test_speech_is_accepted_without_the_silence_at_its_ends(speech: Any) -> None:
    part = speech_part(Decoded(np.concatenate([silence(2.0), speech(), silence(3.0)]), RATE_HZ, 0.0))
    assert len(part) / RATE_HZ == pytest.approx(5.0, abs=0.4)


def test_a_constant_offset_is_removed(speech: Any) -> None:
    part = speech_part(Decoded(speech() + np.float32(0.2), RATE_HZ, 0.0))
    assert abs(float(part.mean())) < 0.01


@pytest.mark.parametrize(
    ("seconds", "reason", "said"),
    [
        (0.2, "REFERENCE_TOO_SHORT", "lasts 0.2 s; record 3 to 30 s of one person"),
        (31.0, "REFERENCE_TOO_LONG", "lasts 3"),
    ],
)
def test_its_length_has_limits(speech: Any, seconds: float, reason: str, said: str) -> None:
    fault = fault_of(speech(seconds=seconds))
    assert (fault.reason, said in str(fault)) == (reason, True)


def test_silence_does_not_make_it_longer(speech: Any) -> None:
    fault = fault_of(np.concatenate([silence(4.0), speech(seconds=2.0), silence(4.0)]))
    assert fault.reason == "REFERENCE_TOO_SHORT"
    assert str(fault).startswith("without the silence at its ends lasts 2.")


def test_silence_is_refused() -> None:
    fault = fault_of(silence(5.0))
    assert (fault.reason, "check the microphone" in str(fault)) == ("REFERENCE_SILENT", True)


def test_a_little_speech_in_much_silence_is_refused(speech: Any) -> None:
    fault = fault_of(np.concatenate([speech(seconds=1.0), silence(15.0), speech(seconds=1.0)]))
    assert (fault.reason, "is silent for" in str(fault)) == ("REFERENCE_SILENT", True)


def test_quiet_speech_is_refused_with_its_level(speech: Any) -> None:
    fault = fault_of(speech(level=0.005))
    assert fault.reason == "REFERENCE_TOO_QUIET"
    assert "dB of full scale; record at -30 to -10 dB, closer to the microphone" in str(fault)


def test_clipped_speech_is_refused_with_the_share(speech: Any) -> None:
    fault = fault_of(speech(), clipped_ratio=0.02)
    assert (fault.reason, "2.0% of its samples" in str(fault)) == ("REFERENCE_CLIPPED", True)


def test_what_is_as_even_as_music_is_refused() -> None:
    at = np.arange(8 * RATE_HZ) / RATE_HZ
    chords = sum(np.sin(2 * np.pi * hz * at) for hz in (220.0, 277.2, 329.6)) * (0.2 + 0.02 * np.sin(6 * at))
    noise = 0.1 * np.random.default_rng(0).normal(size=8 * RATE_HZ)
    for samples in (chords, noise):
        fault = fault_of(samples)
        assert (fault.reason, "as no speech is" in str(fault)) == ("REFERENCE_NOT_SPEECH", True)


def test_whispering_is_refused(speech: Any) -> None:
    noise = np.random.default_rng(0).normal(size=5 * RATE_HZ) * np.abs(speech())
    with pytest.raises(RecordingFault, match="has no voice, only noise or whispering") as caught:
        check_voiced((0.5 * noise).astype(np.float32), RATE_HZ)
    assert caught.value.reason == "REFERENCE_NOT_SPEECH"
    check_voiced(speech(), RATE_HZ)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 44_100, 96_000])
def test_a_recording_has_the_rate_that_the_voice_wants(speech: Any, wav: Any, rate_hz: int) -> None:
    recording = recording_of(wav(speech(rate_hz=rate_hz), rate_hz), 22_050, "Its words.")
    assert (recording.sample_rate_hz, recording.transcript) == (22_050, "Its words.")
    assert recording.seconds == pytest.approx(5.0, abs=0.4)
    assert np.abs(recording.samples).max() <= 1.0


def test_a_recording_at_its_own_rate_is_itself() -> None:
    recording = Recording.of(np.zeros(8_000, np.float32), 16_000, "Its words.")
    assert at_rate(recording, 16_000) is recording
    other = at_rate(recording, 8_000)
    assert (other.seconds, other.transcript) == (0.5, "Its words.")
