"""The Kokoro engine keeps the contract of engines."""

import numpy as np
import pytest
import torch

from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.kokoro.engine import KokoroEngine
from phonoscope.server.engines.kokoro.loading import load_folders
from phonoscope.server.types import Utterance

FRAME = 600
SYMBOLS = (0, 43, 57, 16, 48, 71, 4, 0)


@pytest.fixture
def engine(folder, loading) -> Engine:
    cpu = torch.device("cpu")
    return KokoroEngine(load_folders([folder], loading(), cpu), cpu)


def spoken(engine, utterance):
    """Returns an utterance's samples and its last result."""
    job = engine.open(utterance)
    results = []
    while step := job.next_step(0.2):
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
        assert engine.step_kinds == ("prepare", "render")
        assert [voice.id for voice in engine.voices] == ["af_one", "im_two"]
        assert dict(engine.tuning.max_batch) == {"prepare": 1, "render": 1}
        assert engine.tuning.plans_ahead

    def test_it_warms_up(self, engine):
        engine.warm_up()
        assert engine.idle_work() == 0

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
