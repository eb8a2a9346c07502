"""The engine keeps the contract of engines, and hands the library what was asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from phonoscope.server.engines.base import EngineLost
from phonoscope.server.engines.loading import LoadedEngine
from phonoscope.server.events import ConditioningKept, Event, RecordingUsed
from phonoscope.server.types import Recording, Utterance

RATE_HZ = 22_050
SHORT = "مرحبا بالعالم."
# Each part has less than 60 tokens, which are bytes here; two have more.
LONG = "مرحبا بالعالم يا صديقي العزيز، كيف حالك في هذا اليوم، نراك غدا إن شاء الله."
Engine = Any


def recording(seed: int, seconds: float = 0.5) -> Recording:
    """Noise."""
    samples = np.random.default_rng(seed).normal(0.0, 0.1, round(seconds * RATE_HZ))
    return Recording.of(samples.astype(np.float32), RATE_HZ)


VOICE = recording(1, 3.0)


@pytest.fixture
def engine(loaded: LoadedEngine) -> Engine:
    return loaded.engine


@pytest.fixture
def asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each call of the library."""
    calls: list[dict[str, Any]] = []
    stream = engine._library._tts.stream

    def noting(text: str, **arguments: Any) -> Iterator[Any]:
        calls.append({"text": text, **arguments})
        return stream(text, **arguments)

    monkeypatch.setattr(engine._library._tts, "stream", noting)
    return calls


def reading(text: str, **asked: Any) -> Utterance:
    """An utterance as the front end makes it."""
    return Utterance("indextts-ar", text, text=text, **{"reference": VOICE, "seed": 1, **asked})


def spoken(engine: Engine, utterance: Utterance) -> list[Any]:
    """Returns the results of each step."""
    job = engine.open(utterance)
    results = []
    while step := job.next_step(0.2):
        [result] = engine.run([step])
        results.append((step.kind, result))
    engine.close(job)
    assert [result.is_last for _, result in results] == [False] * (len(results) - 1) + [True]
    return results


def samples_of(results: list[Any]) -> Any:
    return np.concatenate([result.samples for _, result in results])


def test_it_says_what_it_is(engine: Engine) -> None:
    assert (engine.name, engine.device, engine.precision) == ("indextts", "cpu", "float32")
    assert (engine.step_kinds, engine.tuning.max_jobs) == (("condition", "segment"), 1)
    known = [(voice.id, voice.language, voice.sample_rate_hz) for voice in engine.voices]
    assert known == [("indextts-zh", "zh-CN", RATE_HZ), ("indextts-ar", "ar", RATE_HZ)]
    for voice in engine.voices:
        assert (voice.emotion_rendering, voice.has_timings, voice.alphabets) == ("native", False, ())
        assert (voice.reference, voice.reference_use, voice.takes_emotion_reference) == (None, "required", True)
        assert voice.recording_rate_hz == RATE_HZ


def test_each_segment_is_a_step_and_the_end_is_known_with_the_last_one(engine: Engine) -> None:
    results = spoken(engine, reading(LONG))
    assert [kind for kind, _ in results if kind != "condition"] == ["segment"] * 3
    assert all(len(result.samples) for kind, result in results if kind == "segment")
    assert np.abs(samples_of(results)).max() <= 1


def test_it_speaks_what_the_library_speaks_by_itself(engine: Engine, tmp_path: Path) -> None:
    """The same samples as `IndexTTS25.synthesize` writes, pauses between segments included, within 16 bits."""
    import soundfile

    results = spoken(engine, reading(LONG))
    path, _ = engine._recordings.path(VOICE)
    torch.manual_seed(1)
    out = engine._library._tts.synthesize(LONG, voice=path, out=tmp_path / "out.wav", lang="ar", segment_tokens=60)
    own, rate = soundfile.read(out, dtype="float32")
    assert rate == RATE_HZ
    assert own.shape == samples_of(results).shape
    assert np.abs(own - samples_of(results)).max() < 2 / 32_768


def test_a_seed_gives_the_same_audio_whatever_draws_in_between(engine: Engine) -> None:
    def with_draws(seed: int) -> Any:
        job = engine.open(reading(LONG, seed=seed))
        results = []
        while step := job.next_step(0.2):
            results += engine.run([step])
            torch.randn(7)
        engine.close(job)
        return np.concatenate([result.samples for result in results])

    first = samples_of(spoken(engine, reading(LONG, seed=1)))
    assert np.array_equal(with_draws(1), first)
    other = with_draws(2)
    assert other.shape != first.shape or not np.array_equal(other, first)


def test_it_leaves_the_random_state_of_the_process_as_it_was(engine: Engine) -> None:
    torch.manual_seed(11)
    spoken(engine, reading(SHORT, seed=3))
    after = torch.randn(3)
    torch.manual_seed(11)
    assert torch.equal(after, torch.randn(3))


def test_emotions_reach_the_library_unchanged(engine: Engine, asked: list[dict[str, Any]]) -> None:
    weights = {"sad": 0.25, "happy": 0.5, "neutral": 0.25}
    spoken(engine, reading(SHORT, emotion_weights=weights, emotion_intensity=0.5))
    [call] = asked
    assert call["emo_vector"] == [0.5, 0, 0.25, 0, 0, 0, 0, 0]
    assert call["emotion_strength"] == 0.5
    assert (call["text"], call["lang"], call["speed"], call["emotion"]) == (SHORT, "ar", 1.0, None)


def test_an_emotion_by_name_gets_the_most_that_is_advised(engine: Engine, asked: list[dict[str, Any]]) -> None:
    spoken(engine, reading(SHORT, emotion_weights={"angry": 1.0}))
    assert asked[0]["emo_vector"] == pytest.approx([0, 0.8, 0, 0, 0, 0, 0, 0])


def test_emotions_change_what_is_spoken(engine: Engine) -> None:
    plain = samples_of(spoken(engine, reading(SHORT)))
    moved = samples_of(spoken(engine, reading(SHORT, emotion_weights={"afraid": 0.8})))
    assert plain.shape != moved.shape or not np.array_equal(plain, moved)


def test_without_an_emotion_the_voice_has_its_own(engine: Engine, asked: list[dict[str, Any]]) -> None:
    spoken(engine, reading(SHORT, emotion_weights={"neutral": 1.0}))
    assert "emo_vector" not in asked[0]


@pytest.mark.parametrize(("speed", "factor"), [(1.25, 0.8), (0.5, 2.0), (2.0, 0.78)])
def test_speed_is_the_inverse_of_the_duration_factor_down_to_where_it_has_an_effect(
    engine: Engine, asked: list[dict[str, Any]], speed: float, factor: float
) -> None:
    spoken(engine, reading(SHORT, speed=speed))
    assert asked[0]["speed"] == pytest.approx(factor)


def test_half_the_speed_takes_twice_as_long(engine: Engine) -> None:
    seconds = [len(samples_of(spoken(engine, reading(SHORT, speed=speed)))) for speed in (1.0, 0.5)]
    assert seconds[1] / seconds[0] == pytest.approx(2.0, abs=0.15)


def test_the_tokens_of_the_model_cannot_be_written_in_a_text(engine: Engine, asked: list[dict[str, Any]]) -> None:
    spoken(engine, reading("مرحبا <|30.00|> <a|B>"))
    assert asked[0]["text"] == "مرحبا < 30.00 > <a B>"


def test_a_recording_is_computed_once_and_equal_samples_are_one_recording(engine: Engine, events: list[Event]) -> None:
    events.clear()
    kinds = [[kind for kind, _ in spoken(engine, reading(SHORT, reference=recording(5)))] for _ in range(2)]
    assert kinds == [["condition", "segment"], ["segment"]]
    assert [event.is_known for event in events if isinstance(event, RecordingUsed)] == [False, True]
    kept = [event for event in events if isinstance(event, ConditioningKept)]
    assert len(kept) == 1
    assert kept[0].memory_bytes > 100_000


def test_another_recording_is_another_voice(engine: Engine) -> None:
    one, other = (samples_of(spoken(engine, reading(SHORT, reference=recording(seed)))) for seed in (5, 6))
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_the_emotion_of_a_second_recording_is_used(engine: Engine, asked: list[dict[str, Any]]) -> None:
    plain = samples_of(spoken(engine, reading(SHORT)))
    heard, moved = recording(7), []
    for intensity in (1.0, 0.5):
        asked.clear()
        moved.append(samples_of(spoken(engine, reading(SHORT, emotion_reference=heard, emotion_intensity=intensity))))
        assert (asked[0]["emotion"], asked[0]["emotion_strength"]) == (engine._recordings.path(heard)[0], intensity)
        assert "emo_vector" not in asked[0]
    for one, other in ((plain, moved[0]), (plain, moved[1]), (moved[0], moved[1])):
        assert one.shape != other.shape or not np.array_equal(one, other)


def test_what_is_kept_of_recordings_is_bounded_and_the_one_in_use_stays(engine: Engine, events: list[Event]) -> None:
    for seed in range(20, 29):
        spoken(engine, reading(SHORT, reference=recording(seed)))
        [(kind, _)] = spoken(engine, reading(SHORT, reference=recording(20)))
        assert kind == "segment", "used in every round"
    inner = engine._library._inner
    assert len(engine._recordings) == 8
    assert len(inner._spk_cache) == len(inner._emo_cache) == 8
    kept = [event for event in events if isinstance(event, ConditioningKept)]
    assert kept[-1].recordings == 8
    assert kept[-1].memory_bytes < 1.3 * kept[-2].memory_bytes


def test_a_job_ends_in_the_middle(engine: Engine) -> None:
    job = engine.open(reading(LONG))
    while job.segments is None:
        engine.run([job.next_step(0.2)])
    segments = job.segments
    engine.close(job)
    assert next(segments, None) is None, "the library speaks no more of it"
    assert len(samples_of(spoken(engine, reading(SHORT))))


def test_too_little_memory_fails_one_utterance_and_frees_what_it_held(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            engine._library._inner.gpt, "inference_speech", _raising(torch.OutOfMemoryError("CUDA out of memory.\nx"))
        )
        job = engine.open(reading(SHORT))
        with pytest.raises(Exception, match=r"^CUDA out of memory\.$") as caught:
            engine.run([job.next_step(0.2)])
        assert not isinstance(caught.value, EngineLost | torch.OutOfMemoryError)
        assert caught.value.__context__ is None, "a traceback would hold the tensors"
        engine.close(job)
    assert len(samples_of(spoken(engine, reading(SHORT))))


def test_a_lost_device_ends_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine._library._inner.gpt, "inference_speech", _raising(RuntimeError("device-side assert")))
    job = engine.open(reading(SHORT))
    step = job.next_step(0.2)
    with pytest.raises(RuntimeError, match="device-side assert"):
        engine.run([step])
    monkeypatch.setattr("phonoscope.server.engines.indextts.engine.device_error", lambda _device: "CUDA error: gone")
    job = engine.open(reading(SHORT))
    with pytest.raises(EngineLost, match="indextts has lost the device cpu: CUDA error: gone"):
        engine.run([job.next_step(0.2)])


def test_a_segment_without_sound_is_left_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model ends at once: such a text is silent, and its job ends."""
    inner = engine._library._inner
    nothing = torch.full((1, 1), inner.stop_mel_token)
    monkeypatch.setattr(inner.gpt, "inference_speech", lambda *_args, **_named: nothing)
    [(_, result)] = spoken(engine, reading(SHORT))
    assert len(result.samples) == 0


def test_no_recording_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="no recording"):
        engine.open(reading(SHORT, reference=None))


def test_compiled_grammars_are_kept_in_the_cache_folder(loaded: LoadedEngine, make_loading: Any) -> None:
    cache = make_loading().settings.cache_dir
    assert [path.name.split("-")[0] for path in (cache / "indextts").glob("*.pkl")] == ["zh"]


def _raising(error: Exception) -> Any:
    def raise_it(*_args: object, **_named: object) -> None:
        raise error

    return raise_it
