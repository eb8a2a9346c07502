"""The VITS engine against onnxruntime, and against itself in other batches, windows and tiles."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from phonoscope.server.engines.precision import LARGEST_DISTANCE_DB, log_mel_distance_db
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.plan import Window
from phonoscope.server.engines.vits.runner import EagerRunner

PEAK = 1e-3  # against onnxruntime
EXACT = 1e-4  # against ourselves
FLOAT_BYTES = 4


def assert_same_speech(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
    assert ours.shape == reference.shape
    assert np.abs(reference).max() > 0.05, "a silent reference proves nothing"
    assert np.abs(ours - reference).max() < PEAK
    assert np.corrcoef(ours, reference)[0, 1] > 0.9999


def assert_same_samples(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
    assert ours.shape == reference.shape
    assert np.abs(ours - reference).max() < EXACT


def chunked(pair: Any, plan: Any, frames: int, *, at_once: int = 1) -> NDArray[np.float32]:
    """Renders a plan window after window, as a stream does, `at_once` of them in each call."""
    windows = [Window(plan, *cut) for cut in pairwise([*range(0, plan.frames, frames), plan.frames])]
    calls = [windows[first : first + at_once] for first in range(0, len(windows), at_once)]
    return np.concatenate([samples for call in calls for samples in pair.engine.render(call)])


class TestAgainstOnnxruntime:
    """Without noise, the waveform is the reference's; with the same noise too."""

    @pytest.mark.parametrize("length_scale", [0.5, 1.0, 2.0])
    def test_a_short_sentence(self, embedded, short_ids, length_scale):
        utterance = embedded.still(short_ids, length_scale=length_scale)
        assert_same_speech(embedded.speak(utterance), embedded.reference(utterance))

    def test_a_long_utterance(self, embedded, long_ids):
        assert len(long_ids) > 250
        utterance = embedded.still(long_ids)
        assert_same_speech(embedded.speak(utterance), embedded.reference(utterance))

    def test_several_sentences_in_one_batch(self, embedded, sentences):
        assert len(sentences) == 3
        utterances = [embedded.still(ids) for ids in sentences]
        plans = embedded.engine.prepare(utterances)
        ours = embedded.engine.render([Window(plan, 0, plan.frames) for plan in plans])
        reference = [embedded.reference(utterance) for utterance in utterances]
        assert_same_speech(np.concatenate(ours), np.concatenate(reference))

    @pytest.mark.parametrize("length", [1, 2, 5, 9, 90])
    def test_every_kind_of_voice(self, made, length):
        utterance = made.still(made.some_ids(length))
        assert_same_speech(made.speak(utterance), made.reference(utterance))

    @pytest.mark.parametrize("length_scale", [0.5, 2.0])
    def test_every_kind_of_voice_at_another_pace(self, made, length_scale):
        utterance = made.still(made.some_ids(40), length_scale=length_scale)
        assert_same_speech(made.speak(utterance), made.reference(utterance))

    def test_every_speaker_of_one_batch(self, made):
        utterances = [made.still(made.some_ids(30), speaker=number) for number in range(made.speakers)]
        plans = made.engine.prepare(utterances)
        ours = made.engine.render([Window(plan, 0, plan.frames) for plan in plans])
        for samples, utterance in zip(ours, utterances, strict=True):
            assert_same_speech(samples, made.reference(utterance))
        assert len({samples.tobytes() for samples in ours}) == made.speakers, "speakers sound alike"

    def test_the_embedded_voice_with_noise(self, embedded, short_ids):
        utterance = embedded.utterance(short_ids, seed=11)
        plan = embedded.plan(utterance)
        assert_same_speech(embedded.render(plan), embedded.noisy_reference(utterance, *noise_of(utterance, plan)))

    def test_a_made_voice_with_noise_beyond_the_splines(self, choir):
        utterance = choir.utterance(choir.some_ids(40), seed=12, speaker=4, noise_w_scale=4.0)
        plan = choir.plan(utterance)
        assert_same_speech(choir.render(plan), choir.noisy_reference(utterance, *noise_of(utterance, plan)))


def noise_of(utterance: Any, plan: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns an utterance's two draws: of its durations, then of its latents."""
    source = torch.Generator().manual_seed(utterance.seed)
    duration_noise = torch.randn(2, len(utterance.phoneme_ids), generator=source)
    latent_noise = torch.randn(plan.latents.shape[0], plan.frames, generator=source)
    return duration_noise.numpy(), latent_noise.numpy()


LENGTHS = (20, 33, 3, 60, 24, 33, 1, 12)


@dataclass(frozen=True)
class Spoken:
    """Eight utterances of mixed lengths, paces, seeds and speakers, each prepared and rendered alone."""

    utterances: list[Any]
    plans: list[Any]
    wholes: list[NDArray[np.float32]]


@pytest.fixture(scope="session")
def spoken(pair):
    utterances = [
        pair.utterance(
            pair.some_ids(length, seed=row),
            seed=row,
            speaker=row % pair.speakers,
            length_scale=(0.7, 1.0, 1.3)[row % 3],
        )
        for row, length in enumerate(LENGTHS)
    ]
    plans = [pair.plan(utterance) for utterance in utterances]
    return Spoken(utterances, plans, [pair.render(plan) for plan in plans])


@pytest.fixture(scope="session")
def long_spoken(embedded, long_ids):
    """The long utterance's plan and samples, with noise."""
    plan = embedded.plan(embedded.utterance(long_ids))
    return plan, embedded.render(plan)


class TestWindows:
    """Any cut of an utterance into windows gives the samples of the whole."""

    @pytest.mark.parametrize("frames", [43, 512])
    def test_chunks_of_a_long_utterance(self, embedded, long_spoken, frames):
        plan, whole = long_spoken
        assert_same_samples(chunked(embedded, plan, frames), whole)

    @pytest.mark.parametrize(("frames", "at_once"), [(1, 16), (13, 1), (50, 2)])
    def test_chunks_of_every_kind_of_generator(self, pair, spoken, frames, at_once):
        lengths = [plan.frames for plan in spoken.plans]
        row = lengths.index(min(length for length in lengths if length > 2 * pair.context_frames + 1))
        plan, whole = spoken.plans[row], spoken.wholes[row]  # the shortest with a window free of both ends
        assert_same_samples(chunked(pair, plan, frames, at_once=at_once), whole)

    @pytest.mark.parametrize("tile_kibivalues", [1, 5, 32])
    def test_tiles_of_a_made_voice(self, made, tile_kibivalues):
        plan = made.plan(made.utterance(made.some_ids(30)))
        assert_same_samples(tiled(made, plan, tile_kibivalues), tiled(made, plan, 0))

    @pytest.mark.parametrize("tile_kibivalues", [32, 128, 500])
    def test_tiles_of_the_embedded_voice(self, embedded, short_ids, tile_kibivalues):
        plan = embedded.plan(embedded.utterance(short_ids))
        assert_same_samples(tiled(embedded, plan, tile_kibivalues), tiled(embedded, plan, 0))


def tiled(pair: Any, plan: Any, tile_kibivalues: int) -> NDArray[np.float32]:
    """Renders a whole plan with another size of the generator's tiles; 0 for none."""
    halves = EagerRunner(pair.loaded.model, tile_kibivalues * 1024 * FLOAT_BYTES)
    with torch.inference_mode():
        [samples] = halves.render([Window(plan, 0, plan.frames)])
    return samples


class TestBfloat16:
    """Half the bits sound the same: durations are equal, and the spectrum is within what people notice."""

    @pytest.mark.parametrize("length_scale", [0.5, 1.0, 2.0])
    def test_against_onnxruntime(self, embedded, long_ids, length_scale):
        utterance = embedded.still(long_ids, length_scale=length_scale)
        engine = VitsEngine([embedded.loaded], torch.device("cpu"), precision=torch.bfloat16)
        engine.warm_up()
        [plan] = engine.prepare([utterance])
        [ours] = engine.render([Window(plan, 0, plan.frames)])
        reference = embedded.reference(utterance)
        assert ours.shape == reference.shape
        assert log_mel_distance_db(ours, reference, plan.sample_rate_hz) < LARGEST_DISTANCE_DB


class TestBatches:
    """Batch-mates do not change each other."""

    def test_prepare_of_mixed_lengths_equals_one_by_one(self, pair, spoken):
        for batched, alone in zip(pair.engine.prepare(spoken.utterances), spoken.plans, strict=True):
            assert batched.phoneme_frames == alone.phoneme_frames
            assert (batched.latents - alone.latents).abs().max() < EXACT

    def test_render_of_whole_utterances_equals_one_by_one(self, pair, spoken):
        batched = pair.engine.render([Window(plan, 0, plan.frames) for plan in spoken.plans])
        for samples, alone in zip(batched, spoken.wholes, strict=True):
            assert_same_samples(samples, alone)

    def test_render_of_windows_of_several_plans_equals_the_whole(self, pair, spoken):
        rng = np.random.default_rng(5)
        plans = pair.engine.prepare(spoken.utterances)
        for _ in range(4):
            rows = rng.integers(0, len(plans), 6)
            windows = [some_window(rng, plans[row]) for row in rows]
            for row, window, samples in zip(rows, windows, pair.engine.render(windows), strict=True):
                span = slice(window.start * pair.samples_per_frame, window.stop * pair.samples_per_frame)
                assert_same_samples(samples, spoken.wholes[row][span])

    def test_render_of_equal_windows_deep_inside_equals_the_whole(self, pair):
        """Full context on both sides of each: the packer needs no mask then."""
        plan = pair.plan(pair.utterance(pair.some_ids(70, seed=3), length_scale=1.2))
        starts = [pair.context_frames, pair.context_frames + 17, plan.frames - pair.context_frames - 10]
        assert starts[2] > starts[0]
        whole = pair.render(plan)
        for start, samples in zip(starts, pair.engine.render([Window(plan, s, s + 10) for s in starts]), strict=True):
            assert_same_samples(samples, whole[start * pair.samples_per_frame : (start + 10) * pair.samples_per_frame])

    def test_a_batch_mate_never_changes_the_audio(self, pair, spoken):
        ours, alone = spoken.utterances[1], spoken.wholes[1]
        for length in (1, len(ours.phoneme_ids), 90):
            mate = pair.utterance(pair.some_ids(length, seed=99), seed=99, noise_scale=3.0, speaker=pair.speakers - 1)
            plan, mates_plan = pair.engine.prepare([ours, mate])
            windows = [Window(plan, 0, plan.frames), Window(mates_plan, 0, mates_plan.frames)]
            assert_same_samples(pair.engine.render(windows)[0], alone)


def some_window(rng: np.random.Generator, plan: Any) -> Window:
    start = int(rng.integers(0, plan.frames))
    return Window(plan, start, int(rng.integers(start + 1, min(plan.frames, start + 60) + 1)))


class TestSeeds:
    """The seed decides the noise, and nothing else does."""

    def test_the_same_seed_gives_the_same_bits(self, pair, spoken):
        again = pair.speak(spoken.utterances[1])
        assert again.tobytes() == spoken.wholes[1].tobytes()

    def test_the_same_batch_gives_the_same_bits(self, pair, spoken):
        first, second = (
            pair.engine.render([Window(plan, 0, plan.frames) for plan in pair.engine.prepare(spoken.utterances[:3])])
            for _ in range(2)
        )
        assert [samples.tobytes() for samples in first] == [samples.tobytes() for samples in second]

    def test_the_global_seed_does_not_matter(self, pair, spoken):
        with torch.random.fork_rng():
            torch.manual_seed(123)
            again = pair.speak(spoken.utterances[4])
        assert again.tobytes() == spoken.wholes[4].tobytes()

    @pytest.mark.parametrize("scale", ["noise_scale", "noise_w_scale"])
    def test_another_seed_gives_another_reading(self, pair, scale):
        """Each of the two draws follows the seed: of the latents, and of the durations."""
        ids = pair.some_ids(60)
        scales = {"noise_scale": 0.0, "noise_w_scale": 0.0, scale: 1.0}
        first, second = (pair.plan(pair.utterance(ids, seed=seed, **scales)) for seed in (1, 2))
        if scale == "noise_w_scale":
            assert first.phoneme_frames != second.phoneme_frames
        else:
            assert first.phoneme_frames == second.phoneme_frames
            assert np.abs(pair.render(first) - pair.render(second)).max() > 0.01

    def test_without_noise_the_seed_does_not_matter(self, pair):
        utterances = [pair.utterance(pair.some_ids(20), seed=s, noise_scale=0, noise_w_scale=0) for s in (1, 2)]
        first, second = (pair.speak(utterance) for utterance in utterances)
        assert first.tobytes() == second.tobytes()
