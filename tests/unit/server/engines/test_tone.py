"""ToneEngine: the contract of engines/base.py, heard as sines."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.engines.base import Engine, Step
from phonoscope.server.engines.tone import ToneEngine, TonePlan, tone_voice
from phonoscope.server.types import Recording, Utterance


def utterance(text: str = "Hello, you two.", **changes: object) -> Utterance:
    ids = tone_voice().phonemes.ids
    spelled = tuple(number for sign in ("^", *text, "$") for number in (*ids[sign], *ids["_"]))
    plain = Utterance("tone", spelled, seed=1)
    return replace(plain, **changes)


def planned(engine: Engine, said: Utterance) -> Any:
    """Opens an utterance and runs its first step."""
    job = engine.open(said)
    engine.run([job.next_step(1.0)])
    return job


def plan_of(engine: Engine, said: Utterance) -> TonePlan:
    return planned(engine, said).plan


def rendered(engine: Engine, job: Any, audio_seconds: float = 60.0) -> NDArray[np.float32]:
    """Runs the steps of a planned utterance, each of about so much audio."""
    parts = []
    while step := job.next_step(audio_seconds):
        [result] = engine.run([step])
        parts.append(result.samples)
    assert result.is_last
    return np.concatenate(parts)


def audio_of(engine: Engine, said: Utterance) -> NDArray[np.float32]:
    return rendered(engine, planned(engine, said))


def loudest_hz(samples: NDArray[np.float32], sample_rate_hz: int = 22050) -> float:
    spectrum = np.abs(np.fft.rfft(samples, 2**16))
    return float(np.argmax(spectrum) * sample_rate_hz / 2**16)


@pytest.fixture
def engine() -> ToneEngine:
    return ToneEngine()


def test_a_plan_tells_its_length_before_any_sample_is_made(engine: ToneEngine) -> None:
    said = utterance()
    plan = plan_of(engine, said)
    assert len(plan.symbol_frames) == len(said.symbols)
    assert min(plan.symbol_frames) >= 1
    assert sum(plan.symbol_frames) == plan.frames
    samples = audio_of(engine, said)
    assert samples.dtype == np.float32
    assert samples.shape == (plan.frames * 256,)
    assert 0.4 < np.abs(samples).max() <= 0.5


def test_each_phoneme_lasts_by_its_own_rate_besides_the_speed(engine: ToneEngine) -> None:
    said = utterance("abc", rhythm_variation=0.0)
    rates = tuple(0.5 if at in (2, 3) else 2.0 if at == 4 else 1.0 for at in range(len(said.symbols)))
    plain, rated = plan_of(engine, said), plan_of(engine, replace(said, rates=rates))
    wanted = [max(1, round(frames / rate)) for frames, rate in zip(plain.symbol_frames, rates, strict=True)]
    assert list(rated.symbol_frames) == wanted
    ones = replace(said, rates=(1.0,) * len(rates))
    assert plan_of(engine, ones).symbol_frames == plain.symbol_frames
    both, fast = (plan_of(engine, replace(one, speed=2.0)) for one in (replace(said, rates=rates), said))
    assert both.symbol_frames[2] == 2 * fast.symbol_frames[2]
    assert both.symbol_frames[6:] == fast.symbol_frames[6:]


@pytest.mark.parametrize("sizes", [(1,), (3,), (7, 9), (64,)])
def test_windows_of_any_size_concatenate_to_the_whole(engine: ToneEngine, sizes: tuple[int, ...]) -> None:
    cut = ToneEngine(sizes=sizes)
    parts = rendered(cut, planned(cut, utterance()), 0.0)
    assert np.array_equal(parts, audio_of(engine, utterance()))


def test_a_batch_gives_what_each_gives_alone(engine: ToneEngine) -> None:
    said = [utterance("a"), utterance("Quite a long one, this."), utterance("bc", seed=2)]
    jobs = [engine.open(one) for one in said]
    engine.run([job.next_step(1.0) for job in jobs])
    results = engine.run([job.next_step(60.0) for job in jobs])
    for result, job, alone in zip(results, jobs, said, strict=True):
        whole = audio_of(ToneEngine(), alone)
        assert np.array_equal(result.samples, whole[: len(result.samples)])
        assert result.total_samples == len(whole) == sum(result.symbol_samples)
        assert result.is_last == (job.next_step(1.0) is None)


def test_asking_for_a_step_changes_nothing(engine: ToneEngine) -> None:
    job = planned(engine, utterance("a long enough utterance"))
    small, large = job.next_step(0.0), job.next_step(60.0)
    assert (small.start, large.start) == (0, 0)
    assert small.audio_seconds < large.audio_seconds
    assert (small.cost, small.audio_seconds) == (16, 16 * 256 / 22050)


def test_closing_a_job_frees_its_plan(engine: ToneEngine) -> None:
    job = planned(engine, utterance())
    engine.close(job)
    assert job.plan is None


def test_the_same_seed_gives_the_same_audio_and_another_does_not(engine: ToneEngine) -> None:
    first = audio_of(engine, utterance(seed=2**64 - 1))
    assert np.array_equal(first, audio_of(engine, utterance(seed=2**64 - 1)))
    assert not np.array_equal(first, audio_of(engine, utterance(seed=0)))


def test_without_noise_the_seed_changes_nothing(engine: ToneEngine) -> None:
    quiet = utterance(variation=0.0, rhythm_variation=0.0)
    assert np.array_equal(audio_of(engine, quiet), audio_of(engine, replace(quiet, seed=99)))


def test_each_noise_varies_its_own_half(engine: ToneEngine) -> None:
    still = plan_of(engine, utterance(variation=0.0, rhythm_variation=0.0))
    rhythm = plan_of(engine, utterance(variation=0.0))
    pitch = plan_of(engine, utterance(rhythm_variation=0.0))
    assert rhythm.symbol_frames != still.symbol_frames
    assert rhythm.pitches_hz == still.pitches_hz
    assert pitch.symbol_frames == still.symbol_frames
    assert pitch.pitches_hz != still.pitches_hz


def test_speed_shortens_the_utterance(engine: ToneEngine) -> None:
    half, plain, double = (
        plan_of(engine, utterance(speed=speed, rhythm_variation=0.0)).frames for speed in (0.5, 1.0, 2.0)
    )
    assert half == 2 * plain
    assert plain / 2 <= double < 0.7 * plain


def test_every_symbol_lasts_a_frame_however_fast_it_is(engine: ToneEngine) -> None:
    assert min(plan_of(engine, utterance(speed=4.0)).symbol_frames) == 1


def test_each_id_has_its_own_pitch(engine: ToneEngine) -> None:
    heard = [loudest_hz(audio_of(engine, utterance(sign, variation=0.0))) for sign in "abz09"]
    ids = [tone_voice().phonemes.ids[sign][0] for sign in "abz09"]
    np.testing.assert_allclose(heard, [150 * 2 ** (number / 24) for number in ids], rtol=0.01)


def test_capital_letters_sound_like_small_ones(engine: ToneEngine) -> None:
    assert np.array_equal(audio_of(engine, utterance("ABC")), audio_of(engine, utterance("abc")))


def test_pauses_are_silent(engine: ToneEngine) -> None:
    assert not audio_of(engine, utterance(" .,!?-")).any()
    frames = [plan_of(engine, utterance(sign, rhythm_variation=0.0)).frames for sign in ("-", ",", "a")]
    assert frames == [4 + 5, 12 + 5, 8 + 5]


def test_tones_begin_and_end_in_silence_so_that_nothing_clicks(engine: ToneEngine) -> None:
    plan = plan_of(engine, utterance("abcxyz"))
    samples = audio_of(engine, utterance("abcxyz"))
    edges = np.cumsum(plan.symbol_frames)[:-1] * 256
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
        engine.open(utterance(**change))


def test_a_batch_that_breaks_the_contract_is_refused() -> None:
    engine = ToneEngine([tone_voice(), tone_voice("b")], max_batch=2)
    assert dict(engine.tuning.max_batch) == {"prepare": 2, "render": 2}
    first, second, other = (engine.open(utterance(voice_id=voice)) for voice in ("tone", "tone", "b"))
    with pytest.raises(ValueError, match="a batch of 0 steps; 1 to 2"):
        engine.run([])
    with pytest.raises(ValueError, match="a batch of 3 steps; 1 to 2"):
        engine.run([first.next_step(1.0)] * 3)
    with pytest.raises(ValueError, match="several kinds or voices"):
        engine.run([first.next_step(1.0), other.next_step(1.0)])
    engine.run([first.next_step(1.0)])
    with pytest.raises(ValueError, match="several kinds or voices"):
        engine.run([first.next_step(1.0), second.next_step(1.0)])
    stale = first.next_step(0.0)
    engine.run([stale])
    with pytest.raises(ValueError, match=r"frames 0 to 16 of .*, of which 16 are rendered"):
        engine.run([stale])
    with pytest.raises(TypeError, match="no window to render"):
        engine.run([Step(first, "render", "tone", 1.0, 0.0)])
    with pytest.raises(TypeError, match="object is not a job of the tone engine"):
        engine.close(object())


def test_it_needs_no_torch() -> None:
    program = "import sys, phonoscope.server.engines.tone; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("hz", [90.0, 180.0])
def test_it_speaks_at_the_pitch_of_a_recording(engine: ToneEngine, speech: Any, hz: float) -> None:
    recording = Recording.of(speech(hz=hz, rate_hz=16_000), 16_000)
    pitches = [pitch for pitch in plan_of(engine, utterance(reference=recording)).pitches_hz if pitch]
    assert min(pitches) > 0.9 * hz
    assert max(pitches) < 4.5 * hz
    assert plan_of(engine, utterance()).pitches_hz != plan_of(engine, utterance(reference=recording)).pitches_hz


def test_a_recording_without_a_pitch_changes_nothing(engine: ToneEngine) -> None:
    silent = Recording.of(np.zeros(48_000, np.float32), 16_000)
    assert plan_of(engine, utterance(reference=silent)) == plan_of(engine, utterance())
