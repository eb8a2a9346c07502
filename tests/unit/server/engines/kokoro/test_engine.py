"""The Kokoro engine keeps the contract of engines."""

import copy
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from phonoscope.server.engines.base import Engine, EngineLost
from phonoscope.server.engines.kokoro import engine as engine_module
from phonoscope.server.engines.kokoro import precision_check
from phonoscope.server.engines.kokoro.engine import KokoroEngine
from phonoscope.server.engines.kokoro.loading import load_folders
from phonoscope.server.types import Utterance

FRAME = 600
SYMBOLS = (0, 43, 57, 16, 48, 71, 4, 0)
LONG_STREAMED = Utterance("af_one", (0, *((43, 57, 16) * 10), 0), seed=3, speed=0.4, is_streamed=True)


@pytest.fixture
def engine(folder, loading) -> Engine:
    cpu = torch.device("cpu")
    return KokoroEngine(load_folders([folder], loading(), cpu), cpu)


def spoken(engine, utterance, audio_seconds=0.2):
    """Returns an utterance's samples and its last result."""
    job = engine.open(utterance)
    results = []
    while step := job.next_step(audio_seconds):
        [result] = engine.run([step])
        if step.audio_seconds is not None:
            assert len(result.samples) == round(step.audio_seconds * 24_000)
        results.append(result)
    engine.close(job)
    assert [result.is_last for result in results] == [False] * (len(results) - 1) + [True]
    return np.concatenate([result.samples for result in results]), results[-1]


class TestKokoroEngine:
    def test_it_says_what_it_is(self, engine):
        assert (engine.name, engine.device, engine.precision) == ("kokoro", "cpu", "float32")
        assert engine.step_kinds == ("prepare", "decode", "measure", "render")
        assert [voice.id for voice in engine.voices] == ["af_one", "im_two"]
        assert dict(engine.tuning.max_batch) == dict.fromkeys(engine.step_kinds, 1)
        assert engine.tuning.audio_seconds == (0.25, 0.5, 1.0, 2.0)
        assert engine.tuning.plans_ahead

    def test_it_warms_up(self, engine):
        before, _ = spoken(engine, Utterance("af_one", SYMBOLS))
        engine.warm_up()
        assert engine.idle_work() == 0
        after, _ = spoken(engine, Utterance("af_one", SYMBOLS))
        np.testing.assert_allclose(after, before, atol=1e-4)

    def test_the_length_of_each_symbol_is_known_before_the_audio(self, engine):
        job = engine.open(Utterance("af_one", SYMBOLS))
        [planned] = engine.run([job.next_step(0.2)])
        assert len(planned.samples) == 0
        assert len(planned.symbol_samples) == len(SYMBOLS)
        assert planned.total_samples == sum(planned.symbol_samples)
        assert all(samples % FRAME == 0 and samples >= FRAME for samples in planned.symbol_samples)
        samples, last = spoken(engine, Utterance("af_one", SYMBOLS))
        assert len(samples) == planned.total_samples == last.total_samples
        assert samples.dtype == np.float32
        assert np.abs(samples).max() <= 1

    def test_the_same_seed_has_the_same_audio_and_another_has_another(self, engine):
        first, again, other = (spoken(engine, Utterance("af_one", SYMBOLS, seed=seed))[0] for seed in (1, 1, 2))
        assert np.array_equal(first, again)
        assert first.shape == other.shape
        assert not np.array_equal(first, other)

    def test_utterances_in_between_change_nothing(self, engine):
        alone, _ = spoken(engine, Utterance("af_one", SYMBOLS, seed=1))
        job, mate = engine.open(Utterance("af_one", SYMBOLS, seed=1)), engine.open(Utterance("im_two", SYMBOLS[2:]))
        engine.run([job.next_step(0.2)])
        engine.run([mate.next_step(0.2)])
        engine.run([mate.next_step(0.2)])
        [result] = engine.run([job.next_step(0.2)])
        assert np.array_equal(result.samples, alone)

    def test_a_long_sentence_is_streamed_in_windows(self, engine):
        kinds = Counter()
        job = engine.open(LONG_STREAMED)
        while step := job.next_step(0.5):
            kinds[step.kind] += 1
            engine.run([step])
        assert kinds["prepare"] == kinds["decode"] == kinds["measure"] == 1
        assert kinds["render"] > 4

    def test_windows_of_any_length_make_the_same_samples(self, engine):
        short, _ = spoken(engine, LONG_STREAMED, audio_seconds=0.25)
        long, _ = spoken(engine, LONG_STREAMED, audio_seconds=2.0)
        np.testing.assert_allclose(short, long, atol=2e-4)

    def test_a_stream_is_near_the_whole(self, engine):
        streamed, _ = spoken(engine, LONG_STREAMED)
        whole, _ = spoken(engine, replace(LONG_STREAMED, is_streamed=False))
        assert len(streamed) == len(whole)
        assert np.corrcoef(streamed, whole)[0, 1] > 0.9
        other, _ = spoken(engine, replace(LONG_STREAMED, is_streamed=False, seed=9))
        assert np.corrcoef(other, whole)[0, 1] < 0.9, "or any two utterances are near"

    def test_a_short_sentence_is_the_same_streamed_or_not(self, engine):
        streamed, _ = spoken(engine, Utterance("af_one", SYMBOLS, is_streamed=True))
        whole, _ = spoken(engine, Utterance("af_one", SYMBOLS))
        assert np.array_equal(streamed, whole)

    def test_the_first_pad_is_shortened(self, engine):
        job = engine.open(Utterance("af_one", SYMBOLS, speed=0.1))
        [planned] = engine.run([job.next_step(0.2)])
        assert planned.symbol_samples[0] == 6 * FRAME

    def test_a_batch_makes_what_each_makes_alone(self, folder, loading):
        engine = KokoroEngine(load_folders([folder], loading(), torch.device("cpu")), torch.device("cpu"))
        utterances = [replace(LONG_STREAMED, voice_id="im_two"), LONG_STREAMED, Utterance("af_one", SYMBOLS)]
        alone = [spoken(engine, utterance)[0] for utterance in utterances]
        jobs, together = [engine.open(one) for one in utterances], [[] for _ in utterances]
        while ready := [step for job in jobs if (step := job.next_step(0.5))]:
            batch = [step for step in ready if (step.kind, step.batch_key) == (ready[0].kind, ready[0].batch_key)]
            for step, result in zip(batch, engine.run(batch), strict=True):
                together[jobs.index(step.job)].append(result.samples)
        for one, parts in zip(alone, together, strict=True):
            np.testing.assert_allclose(np.concatenate(parts), one, atol=2e-3)

    def test_a_precision_that_changes_the_sound_is_refused(self, folder, loading, monkeypatch):
        monkeypatch.setattr(precision_check, "log_mel_distance_db", lambda *_: 1.5)
        cpu = torch.device("cpu")
        engine = KokoroEngine(load_folders([folder], loading(), cpu), cpu, precision=torch.bfloat16)
        engine.warm_up()
        assert (engine.precision, engine.measured) == ("float32", {"log_mel_distance_db": 1.5})
        assert {voice.precision for voice in engine.voices} == {"float32"}

    def test_a_precision_has_to_suit_every_network(self, folder, loading, monkeypatch):
        cpu = torch.device("cpu")
        voices = load_folders([folder], loading(), cpu)
        other = replace(voices[1], network=copy.deepcopy(voices[1].network))
        distances = iter([0.1, 1.5])
        monkeypatch.setattr(precision_check, "log_mel_distance_db", lambda *_: next(distances))
        engine = KokoroEngine([voices[0], other], cpu, precision=torch.bfloat16)
        engine.warm_up()
        assert (engine.precision, engine.measured) == ("float32", {"log_mel_distance_db": 1.5})

    def test_a_lost_device_ends_the_lane(self, engine, monkeypatch):
        def fail(*_):
            raise RuntimeError("CUDA error: device-side assert triggered")

        job = engine.open(Utterance("af_one", SYMBOLS))
        monkeypatch.setattr(type(engine._voices["af_one"].network), "plan", fail)
        with pytest.raises(RuntimeError, match="device-side assert"):
            engine.run([job.next_step(0.2)])
        monkeypatch.setattr(engine_module, "device_error", lambda device: "device-side assert triggered")
        with pytest.raises(EngineLost, match="kokoro has lost the device cpu: device-side assert"):
            engine.run([job.next_step(0.2)])

    def test_whole_sentences_do_not_wait_for_each_other(self, engine):
        jobs = [engine.open(Utterance("af_one", SYMBOLS, seed=seed)) for seed in (1, 2)]
        engine.run([job.next_step(0.2) for job in jobs])
        one, other = (job.next_step(0.2) for job in jobs)
        assert one.batch_key != other.batch_key

    def test_speed_and_rates_change_durations(self, engine):
        plain = spoken(engine, Utterance("af_one", SYMBOLS))[1].symbol_samples
        slow = spoken(engine, Utterance("af_one", SYMBOLS, speed=0.25))[1].symbol_samples
        one = spoken(engine, Utterance("af_one", SYMBOLS, rates=(1, 1, 0.25, 1, 1, 1, 1, 1)))[1].symbol_samples
        assert sum(slow) > 2 * sum(plain)
        assert one[2] > 2 * plain[2]
        assert (*one[:2], *one[3:]) == (*plain[:2], *plain[3:])

    def test_more_phonemes_than_the_network_reads_are_spoken_in_parts(self, engine):
        symbols = (0, *((43, 57, 16) * 25), 0)
        samples, last = spoken(engine, Utterance("af_one", symbols))
        assert len(last.symbol_samples) == len(symbols)
        assert len(samples) == sum(last.symbol_samples)

    def test_an_unknown_voice_is_refused(self, engine):
        with pytest.raises(KeyError):
            engine.open(Utterance("af_nobody", SYMBOLS))
