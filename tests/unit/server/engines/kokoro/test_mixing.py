"""Mixtures of voices: the weighted mean of their packs, kept up to a bound."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from phonoscope.server.engines.kokoro import mixing
from phonoscope.server.engines.kokoro.engine import KokoroEngine
from phonoscope.server.engines.kokoro.loading import LoadedVoice, load_folders
from phonoscope.server.engines.kokoro.mixing import PackMixer
from phonoscope.server.types import Mixture, Utterance

CPU = torch.device("cpu")
SYMBOLS = (0, 43, 57, 16, 48, 71, 4, 0)


@pytest.fixture
def voices(folder, loading, pack) -> dict[str, LoadedVoice]:
    """Three voices: of the pack, of half of it, and of zeros."""
    for name, factor in (("af_half", 0.5), ("am_zero", 0.0)):
        (folder / "voices" / f"{name}.bin").write_bytes((factor * pack).numpy().tobytes())
    return {loaded.voice.id: loaded for loaded in load_folders([folder], loading(), CPU)}


def mixed(mixture: Mixture, **more: int) -> Utterance:
    return Utterance(mixture[0][0], SYMBOLS, mixture=mixture, **more)


def test_voices_of_a_folder_can_be_mixed(voices, folder):
    assert {loaded.voice.mixing_group for loaded in voices.values()} == {folder.name}


def test_a_mixture_is_the_weighted_mean_of_its_packs(voices, pack):
    spoken = PackMixer(voices).voice_of(mixed((("af_one", 2), ("am_zero", 1), ("af_half", 1))))
    torch.testing.assert_close(spoken.pack, pack.squeeze(1) * (2 + 0.5) / 4)
    assert spoken.voice is voices["af_one"].voice
    assert spoken.network is voices["af_one"].network


def test_one_voice_has_its_own_pack(voices):
    assert PackMixer(voices).voice_of(Utterance("af_half", SYMBOLS)) is voices["af_half"]


def test_a_mixture_is_computed_once_while_it_is_among_those_in_use(voices, monkeypatch):
    monkeypatch.setattr(mixing, "MAX_KEPT", 2)
    mixer = PackMixer(voices)
    utterances = [mixed((("af_one", weight), ("am_zero", 1))) for weight in (1, 2, 3)]
    first = mixer.voice_of(utterances[0])
    mixer.voice_of(utterances[1])
    assert mixer.voice_of(utterances[0]) is first
    mixer.voice_of(utterances[2])  # in the place of the second
    assert mixer.voice_of(utterances[0]) is first
    mixer.voice_of(utterances[1])
    mixer.voice_of(utterances[2])
    assert mixer.voice_of(utterances[0]) is not first


def test_a_mixture_with_a_voice_that_is_not_loaded_is_refused(voices):
    with pytest.raises(KeyError):
        PackMixer(voices).voice_of(mixed((("af_one", 1), ("af_nobody", 1))))


def test_the_engine_speaks_a_mixture_as_a_voice_whose_pack_is_the_mean(voices):
    def spoken(engine: KokoroEngine, utterance: Utterance) -> np.ndarray:
        job = engine.open(utterance)
        parts = []
        while step := job.next_step(0.2):
            parts += [result.samples for result in engine.run([step])]
        engine.close(job)
        return np.concatenate(parts)

    one, zero = voices["af_one"], voices["am_zero"]
    mean = replace(one, voice=replace(one.voice, id="af_mean"), pack=(3 * one.pack + zero.pack) / 4)
    engine = KokoroEngine([*voices.values(), mean], CPU)
    mixture = (("af_one", 3), ("am_zero", 1))
    audio = spoken(engine, mixed(mixture, seed=4))
    assert audio == pytest.approx(spoken(engine, Utterance("af_mean", SYMBOLS, seed=4)), abs=1e-5)
    assert np.array_equal(audio, spoken(engine, mixed(mixture, seed=4)))
    alone = spoken(engine, Utterance("af_one", SYMBOLS, seed=4))
    assert len(audio) != len(alone) or not np.allclose(audio, alone, atol=1e-3)
