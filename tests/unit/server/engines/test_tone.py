"""ToneEngine: the contract of engines/base.py, heard as sines."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.engines.base import Engine, Plan, Tuning, Window
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.types import Utterance


def utterance(text: str = "Hello, you two.", **changes: object) -> Utterance:
    ids = tone_voice().phonemes.ids
    spelled = tuple(number for sign in ("^", *text, "$") for number in (*ids[sign], *ids["_"]))
    plain = Utterance("tone", spelled, 0, 1.0, noise_scale=0.667, noise_w_scale=0.8, seed=1)
    return replace(plain, **changes)


def plan_of(engine: Engine, said: Utterance) -> Plan:
    (plan,) = engine.prepare([said])
    return plan


def audio_of(engine: Engine, said: Utterance) -> NDArray[np.float32]:
    plan = plan_of(engine, said)
    (samples,) = engine.render([Window(plan, 0, plan.frames)])
    return samples


def loudest_hz(samples: NDArray[np.float32], sample_rate_hz: int = 22050) -> float:
    spectrum = np.abs(np.fft.rfft(samples, 2**16))
    return float(np.argmax(spectrum) * sample_rate_hz / 2**16)


@pytest.fixture
def engine() -> ToneEngine:
    return ToneEngine()


def test_a_plan_tells_its_length_before_any_sample_is_made(engine: ToneEngine) -> None:
    said = utterance()
    plan = plan_of(engine, said)
    assert len(plan.phoneme_frames) == len(said.phoneme_ids)
    assert min(plan.phoneme_frames) >= 1
    assert sum(plan.phoneme_frames) == plan.frames
    samples = audio_of(engine, said)
    assert samples.dtype == np.float32
    assert samples.shape == (plan.frames * 256,)
    assert plan.audio_seconds == len(samples) / 22050
    assert 0.4 < np.abs(samples).max() <= 0.5


def test_each_phoneme_lasts_by_its_own_rate_besides_the_speed(engine: ToneEngine) -> None:
    said = utterance("abc", noise_w_scale=0.0)
    rates = tuple(0.5 if at in (2, 3) else 2.0 if at == 4 else 1.0 for at in range(len(said.phoneme_ids)))
    plain, rated = plan_of(engine, said), plan_of(engine, replace(said, rates=rates))
    wanted = [max(1, round(frames / rate)) for frames, rate in zip(plain.phoneme_frames, rates, strict=True)]
    assert list(rated.phoneme_frames) == wanted
    ones = replace(said, rates=(1.0,) * len(rates))
    assert plan_of(engine, ones).phoneme_frames == plain.phoneme_frames
    both, fast = (plan_of(engine, replace(one, speed=2.0)) for one in (replace(said, rates=rates), said))
    assert both.phoneme_frames[2] == 2 * fast.phoneme_frames[2]
    assert both.phoneme_frames[6:] == fast.phoneme_frames[6:]


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_windows_of_any_size_concatenate_to_the_whole(engine: ToneEngine, size: int) -> None:
    plan = plan_of(engine, utterance())
    windows = [Window(plan, start, min(start + size, plan.frames)) for start in range(0, plan.frames, size)]
    parts = [samples for window in windows for samples in engine.render([window])]
    assert np.array_equal(np.concatenate(parts), audio_of(engine, utterance()))


def test_a_batch_gives_what_each_gives_alone(engine: ToneEngine) -> None:
    said = [utterance("a"), utterance("Quite a long one, this."), utterance("bc", seed=2)]
    plans = engine.prepare(said)
    rendered = engine.render([Window(plan, 0, plan.frames) for plan in plans])
    for samples, alone in zip(rendered, said, strict=True):
        assert np.array_equal(samples, audio_of(ToneEngine(), alone))


def test_the_same_seed_gives_the_same_audio_and_another_does_not(engine: ToneEngine) -> None:
    first = audio_of(engine, utterance(seed=2**64 - 1))
    assert np.array_equal(first, audio_of(engine, utterance(seed=2**64 - 1)))
    assert not np.array_equal(first, audio_of(engine, utterance(seed=0)))


def test_without_noise_the_seed_changes_nothing(engine: ToneEngine) -> None:
    quiet = utterance(noise_scale=0.0, noise_w_scale=0.0)
    assert np.array_equal(audio_of(engine, quiet), audio_of(engine, replace(quiet, seed=99)))


def test_each_noise_varies_its_own_half(engine: ToneEngine) -> None:
    still = plan_of(engine, utterance(noise_scale=0.0, noise_w_scale=0.0))
    rhythm = plan_of(engine, utterance(noise_scale=0.0, noise_w_scale=0.8))
    pitch = plan_of(engine, utterance(noise_scale=0.667, noise_w_scale=0.0))
    assert rhythm.phoneme_frames != still.phoneme_frames
    assert rhythm.pitches_hz == still.pitches_hz
    assert pitch.phoneme_frames == still.phoneme_frames
    assert pitch.pitches_hz != still.pitches_hz


def test_speed_shortens_the_utterance(engine: ToneEngine) -> None:
    half, plain, double = (
        plan_of(engine, utterance(speed=speed, noise_w_scale=0.0)).frames for speed in (0.5, 1.0, 2.0)
    )
    assert half == 2 * plain
    assert plain / 2 <= double < 0.7 * plain


def test_length_scale_stretches_the_utterance(engine: ToneEngine) -> None:
    frames = {
        scale: plan_of(engine, utterance(length_scale=scale, noise_w_scale=0.0)).frames for scale in (0.5, 1.0, 2.0)
    }
    assert frames[2.0] == 2 * frames[1.0]
    assert frames[0.5] < 0.7 * frames[1.0]


def test_every_phoneme_lasts_a_frame_however_fast_it_is(engine: ToneEngine) -> None:
    assert min(plan_of(engine, utterance(length_scale=0.25)).phoneme_frames) == 1


def test_each_id_has_its_own_pitch(engine: ToneEngine) -> None:
    heard = [loudest_hz(audio_of(engine, utterance(sign, noise_scale=0.0))) for sign in "abz09"]
    ids = [tone_voice().phonemes.ids[sign][0] for sign in "abz09"]
    np.testing.assert_allclose(heard, [150 * 2 ** (number / 24) for number in ids], rtol=0.01)


def test_capital_letters_sound_like_small_ones(engine: ToneEngine) -> None:
    assert np.array_equal(audio_of(engine, utterance("ABC")), audio_of(engine, utterance("abc")))


def test_pauses_are_silent(engine: ToneEngine) -> None:
    assert not audio_of(engine, utterance(" .,!?-")).any()
    frames = [plan_of(engine, utterance(sign, noise_w_scale=0.0)).frames for sign in ("-", ",", "a")]
    assert frames == [4 + 5, 12 + 5, 8 + 5]


def test_tones_begin_and_end_in_silence_so_that_nothing_clicks(engine: ToneEngine) -> None:
    plan = plan_of(engine, utterance("abcxyz"))
    samples = audio_of(engine, utterance("abcxyz"))
    edges = np.cumsum(plan.phoneme_frames)[:-1] * 256
    for offset in range(8):
        assert np.abs(samples[edges + offset]).max() < 0.01
        assert np.abs(samples[edges - 1 - offset]).max() < 0.01


def test_speakers_and_voices_differ() -> None:
    voices = [
        tone_voice("duo", speakers=["low", "high"]),
        tone_voice("other", language="de", sample_rate_hz=16000),
    ]
    engine = ToneEngine(voices)
    assert list(engine.voices) == voices
    low, high = (audio_of(engine, utterance("a", voice_id="duo", speaker=number)) for number in (0, 1))
    assert not np.array_equal(low, high)
    assert plan_of(engine, utterance(voice_id="other")).sample_rate_hz == 16000


def test_the_default_voice_reads_plain_text() -> None:
    (voice,) = ToneEngine().voices
    assert (voice.id, voice.language, voice.sample_rate_hz, voice.engine) == ("tone", "en-US", 22050, "tone")
    assert voice.phonemes.kind == "text"
    assert {"_", "^", "$", " ", "a", "A", "9", "?"} <= voice.phonemes.ids.keys()


def test_warm_up_reaches_every_voice() -> None:
    ToneEngine([tone_voice("a"), tone_voice("b", speakers=["x", "y"])]).warm_up()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voice_id": "nobody"}, "voice 'nobody' is not loaded; loaded are \\['tone'\\]"),
        ({"speaker": 1}, "voice 'tone' has no speaker 1"),
        ({"speaker": -1}, "voice 'tone' has no speaker -1"),
    ],
)
def test_an_utterance_that_no_voice_can_say_is_refused(
    engine: ToneEngine, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine.prepare([utterance(**change)])


def test_a_batch_that_breaks_the_contract_is_refused() -> None:
    tuning = Tuning(prepare_batch=2, render_batch=3, first_window_frames=4, largest_window_frames=8)
    engine = ToneEngine([tone_voice(), tone_voice("b")], tuning=tuning)
    assert engine.tuning is tuning
    with pytest.raises(ValueError, match="a batch of 0; 1 to 2"):
        engine.prepare([])
    with pytest.raises(ValueError, match="a batch of 3; 1 to 2"):
        engine.prepare([utterance()] * 3)
    with pytest.raises(ValueError, match="several voices"):
        engine.prepare([utterance(), utterance(voice_id="b")])
    window = Window(plan_of(engine, utterance()), 0, 1)
    with pytest.raises(ValueError, match="a batch of 4; 1 to 3"):
        engine.render([window] * 4)
    with pytest.raises(ValueError, match="several voices"):
        engine.render([window, Window(plan_of(engine, utterance(voice_id="b")), 0, 1)])


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 0), (2, 1), (0, 10_000)])
def test_a_window_beyond_its_plan_is_refused(engine: ToneEngine, start: int, stop: int) -> None:
    with pytest.raises(ValueError, match=f"frames {start} to {stop} of a plan"):
        engine.render([Window(plan_of(engine, utterance()), start, stop)])


def test_a_plan_of_another_engine_is_refused(engine: ToneEngine) -> None:
    with pytest.raises(TypeError, match="not a plan of this engine"):
        engine.render([Window(Plan("tone", 1, 256, 22050, (1,)), 0, 1)])


def test_it_needs_no_torch() -> None:
    program = "import sys, phonoscope.server.engines.tone; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
