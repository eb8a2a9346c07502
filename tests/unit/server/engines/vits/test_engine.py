"""The VITS engine: the contract's two halves."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from phonoscope.server.engines.base import Engine, Step
from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.vits import engine as engine_module
from phonoscope.server.engines.vits import precision_check
from phonoscope.server.engines.vits.cuda_graph_runner import FRAMES
from phonoscope.server.engines.vits.engine import CPU_FRAMES, VitsEngine
from phonoscope.server.engines.vits.job import VitsJob
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.model import Generator
from phonoscope.server.engines.vits.plan import VitsUtterance as Utterance
from phonoscope.server.engines.vits.plan import Window
from phonoscope.server.engines.vits.precision_check import PrecisionCheck
from phonoscope.server.types import Utterance as GenericUtterance

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def loaded(choir_path):
    return load_voice(choir_path, CPU)


@pytest.fixture(scope="module")
def engine(loaded) -> Engine:
    return VitsEngine([loaded], CPU)


@pytest.fixture
def utterance(loaded):
    return Utterance(loaded.voice.id, tuple(range(30)), 0, 1.0, 0.667, 0.8, seed=5)


def sentence(loaded):
    """An utterance as the scheduler has it."""
    return GenericUtterance(loaded.voice.id, tuple(range(30)), seed=5)


class TestVitsEngine:
    def test_it_says_what_it_is(self, engine, loaded):
        assert engine.name == "vits"
        assert engine.device == "cpu"
        assert list(engine.voices) == [loaded.voice]
        assert engine.step_kinds == ("prepare", "render")
        assert dict(engine.tuning.max_batch) == {"prepare": 4, "render": 1}
        assert engine.tuning.audio_seconds[0] == pytest.approx(CPU_FRAMES[0] * 256 / 22050)
        assert engine.tuning.plans_ahead

    def test_a_cuda_engine_is_tuned_otherwise(self, loaded):
        tuning = VitsEngine([loaded], torch.device("cuda:1")).tuning
        assert dict(tuning.max_batch) == {"prepare": 32, "render": 32}
        assert len(tuning.audio_seconds) == len(FRAMES)

    @pytest.mark.parametrize("uses_graphs", [True, False])
    def test_a_cuda_engine_records_graphs_by_default(self, loaded, uses_graphs):
        engine = VitsEngine([loaded], torch.device("cuda"), uses_graphs=uses_graphs)
        assert engine._recorder.is_recording_graphs is uses_graphs

    def test_a_plan_tells_length_and_alignment_before_any_sample_is_made(self, engine, utterance):
        [plan] = engine.prepare([utterance])
        assert plan.voice_id == utterance.voice_id
        assert len(plan.phoneme_frames) == len(utterance.phoneme_ids)
        assert min(plan.phoneme_frames) >= 1
        assert sum(plan.phoneme_frames) == plan.frames
        assert plan.samples_per_frame == 256
        assert plan.audio_seconds == pytest.approx(plan.frames * 256 / 22050)

    def test_windows_come_back_in_order_and_in_their_own_lengths(self, engine, utterance):
        plans = engine.prepare([utterance, replace(utterance, phoneme_ids=(1, 2, 3), seed=6)])
        windows = [Window(plans[0], 5, 17), Window(plans[1], 0, plans[1].frames), Window(plans[0], 0, 1)]
        samples = engine.render(windows)
        assert [len(part) for part in samples] == [window.frames * 256 for window in windows]
        for part, window in zip(samples, windows, strict=True):
            assert part.dtype == np.float32
            assert np.abs(part).max() <= 1
            np.testing.assert_allclose(part, engine.render([window])[0], rtol=0, atol=1e-5)

    def test_samples_belong_to_the_caller(self, engine, utterance):
        """A stream may scale them in place, and a small window must not keep a large batch alive."""
        [plan] = engine.prepare([utterance])
        [samples] = engine.render([Window(plan, 3, 5)])
        assert samples.flags.owndata
        assert samples.flags.writeable

    @pytest.mark.parametrize("speed", [0.5, 0.75, 1.5, 2.0, 4.0])
    def test_the_rate_follows_speed_although_frames_are_whole(self, engine, utterance, speed):
        [plan], [changed] = engine.prepare([utterance]), engine.prepare([replace(utterance, speed=speed)])
        assert changed.frames == pytest.approx(plan.frames / speed, abs=0.5)
        ends, wanted = np.cumsum(changed.phoneme_frames), np.cumsum(plan.phoneme_frames) / speed
        assert np.all(np.abs(ends - wanted) <= 1), "each phoneme stands where the rate puts it"

    def test_rates_move_their_own_phonemes_and_what_follows_by_as_much(self, engine, utterance):
        rates = tuple(0.5 if 10 <= at < 15 else 1.0 for at in range(30))
        [plan], [rated] = engine.prepare([utterance]), engine.prepare([replace(utterance, rates=rates)])
        slow = slice(10, 15)
        assert rated.phoneme_frames[:10] == plan.phoneme_frames[:10]
        assert list(rated.phoneme_frames[slow]) == [2 * frames for frames in plan.phoneme_frames[slow]]
        assert rated.phoneme_frames[15:] == plan.phoneme_frames[15:]
        assert rated.frames == plan.frames + sum(plan.phoneme_frames[slow])

    def test_rates_of_one_change_nothing(self, engine, utterance):
        [plan], [rated] = engine.prepare([utterance]), engine.prepare([replace(utterance, rates=(1.0,) * 30)])
        assert rated.phoneme_frames == plan.phoneme_frames
        assert rated.latents.equal(plan.latents)

    def test_length_scale_stretches_the_durations(self, engine, utterance):
        frames = [engine.prepare([replace(utterance, length_scale=scale)])[0].frames for scale in (0.5, 1.0, 4.0)]
        assert frames[0] < frames[1] < frames[2] / 2

    def test_jobs_and_steps_of_another_engine_are_refused(self, engine, loaded):
        job = engine.open(sentence(loaded))
        with pytest.raises(TypeError, match="object is not a job of the VITS engine"):
            engine.close(object())
        with pytest.raises(TypeError, match="has no windows to render"):
            engine.run([Step(job, "render", loaded.voice.id, 1.0, 0.0)])

    def test_an_unknown_voice_is_refused_when_it_is_opened(self, engine, loaded):
        with pytest.raises(KeyError):
            engine.open(replace(sentence(loaded), voice_id="nobody"))

    @pytest.mark.parametrize("wanted_seconds", [0.0, 0.3, 5.0])
    def test_steps_of_any_length_give_the_samples_of_the_whole(self, engine, loaded, wanted_seconds):
        [plan] = engine.prepare([engine.open(sentence(loaded)).utterance])
        [whole] = engine.render([Window(plan, 0, plan.frames)])
        job, parts = engine.open(sentence(loaded)), []
        while step := job.next_step(wanted_seconds):
            assert step == job.next_step(wanted_seconds), "asking changes nothing"
            [result] = engine.run([step])
            assert len(result.samples) == round(step.audio_seconds * 22050)
            assert result.total_samples == plan.samples == sum(result.symbol_samples)
            parts.append(result.samples)
        assert result.is_last
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-4 * np.abs(whole).max())

    def test_a_step_is_as_long_as_it_is_asked_to_be_and_a_short_rest_goes_along(self, engine, loaded):
        job = engine.open(replace(sentence(loaded), speed=0.25))
        engine.run([job.next_step(0.0)])
        frame_seconds = 256 / 22050
        asked = [job.next_step(frames * frame_seconds).cost for frames in (0, 21, 60, 74)]
        assert asked == [21, 21, 74, 74]
        most = job.plan.frames
        job.cursor = most - 30
        assert job.next_step(21 * frame_seconds).cost == 30

    def test_a_job_that_wants_much_gets_several_windows_in_one_step(self, loaded):
        engine = VitsEngine([loaded], CPU)
        job = VitsJob(engine.open(replace(sentence(loaded), speed=0.25)).utterance, (8, 16), max_windows=3)
        engine.run([job.next_step(0.0)])
        [plan] = engine.prepare([job.utterance])
        assert plan.frames > 50
        step = job.next_step(3 * 16 * 256 / 22050)
        assert [window.frames for window in step.windows] == [16, 16, 16]
        [result] = engine.run([step])
        assert job.cursor == 48
        [whole] = engine.render([Window(plan, 0, 48)])
        np.testing.assert_allclose(result.samples, whole, rtol=0, atol=1e-4 * np.abs(whole).max())

    def test_a_closed_job_holds_no_latents(self, engine, loaded):
        job = engine.open(sentence(loaded))
        engine.run([job.next_step(0.0)])
        engine.close(job)
        assert job.plan is None

    def test_the_voices_own_scales_and_the_variation_that_is_asked_for_multiply(self, engine, loaded):
        job = engine.open(replace(sentence(loaded), variation=0.5, rhythm_variation=2.0))
        voice = loaded.voice
        assert job.utterance.noise_scale == pytest.approx(0.5 * voice.noise_scale)
        assert job.utterance.noise_w_scale == pytest.approx(2.0 * voice.noise_w_scale)
        assert job.utterance.length_scale == voice.length_scale

    def test_each_voice_speaks_with_its_own_network(self, copied, loaded, utterance):
        other = load_voice(copied, CPU)
        for parameter in other.model.dec.conv_post.parameters():
            parameter.zero_()
        both = VitsEngine([loaded, other], CPU)
        assert [voice.id for voice in both.voices] == ["xx_XX-choir-medium", "xx_XX-copy-medium"]
        [plan] = both.prepare([utterance])
        [silent_plan] = both.prepare([replace(utterance, voice_id="xx_XX-copy-medium")])
        assert np.abs(both.render([Window(plan, 0, plan.frames)])[0]).max() > 0.01
        assert np.abs(both.render([Window(silent_plan, 0, silent_plan.frames)])[0]).max() == 0

    def test_warm_up_runs_short_steps_once_for_each_kind_of_network(self, copied, loaded, monkeypatch):
        engine = VitsEngine([loaded, load_voice(copied, CPU)], CPU)  # two voices of one shape
        prepared, rendered = [], []
        prepare, render = engine.prepare, engine.render
        monkeypatch.setattr(engine, "prepare", lambda batch: prepared.extend(batch) or prepare(batch))
        monkeypatch.setattr(engine, "render", lambda windows: rendered.extend(windows) or render(windows))
        engine.warm_up()
        assert [len(utterance.phoneme_ids) for utterance in prepared] == [8]
        assert [window.frames for window in rendered] == [8]

    @pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
    def test_idle_work_runs_every_stage_of_the_generator_at_each_of_its_lengths(
        self, copied, loaded, utterance, precision, monkeypatch
    ):
        ran, run = set(), Generator.run_stage

        def counted(generator, stage, x, mask=None):
            ran.add((stage, x.shape[3]))
            return run(generator, stage, x, mask)

        monkeypatch.setattr(Generator, "run_stage", counted)
        engine = VitsEngine([loaded, load_voice(copied, CPU)], CPU, precision=precision)
        engine.warm_up()
        left = [engine.idle_work()]
        while left[-1]:
            left.append(engine.idle_work())
        assert left == list(range(left[0], -1, -1))
        assert engine.idle_work() == 0
        prepared = ran.copy()
        assert prepared
        [plan] = engine.prepare([replace(utterance, phoneme_ids=tuple(range(1, 30)) * 4)])
        for frames in (21, 42, plan.frames - 3):
            engine.render([Window(plan, 0, frames)])
        assert ran == prepared, "a request needs no length that idle time has not prepared"

    def test_threads_are_set_when_asked_for(self, loaded, monkeypatch):
        asked = []
        monkeypatch.setattr(torch, "set_num_threads", asked.append)
        VitsEngine([loaded], CPU)
        assert asked == []
        VitsEngine([loaded], CPU, threads=3)
        assert asked == [3]

    def test_no_phoneme_lasts_longer_than_ten_seconds(self, engine, utterance):
        """Durations are an exponential of noise, which alone must not decide how much memory a request takes."""
        voice = next(voice for voice in engine.voices if voice.id == utterance.voice_id)
        [plan] = engine.prepare([replace(utterance, length_scale=1e9)])
        max_frames = 10 * voice.sample_rate_hz // plan.samples_per_frame
        assert set(plan.phoneme_frames) == {max_frames}

    def test_from_warm_up_on_it_speaks_in_the_asked_precision(self, loaded, engine, utterance):
        quick = VitsEngine([loaded], CPU, precision=torch.bfloat16)
        quick.warm_up()
        assert quick.precision == "bfloat16"
        assert 0 < quick.distances_db[loaded.voice.id] < 1
        [plan] = quick.prepare([utterance])
        window = Window(plan, 0, plan.frames)
        [made], [wanted] = quick.render([window]), engine.render([window])
        assert not np.array_equal(made, wanted)
        assert np.abs(made - wanted).max() < 0.1 * np.abs(wanted).max()

    def test_a_precision_that_would_be_heard_is_not_taken_up(self, loaded, engine, utterance, monkeypatch):
        monkeypatch.setattr(engine_module, "LARGEST_DISTANCE_DB", 1e-6)
        careful = VitsEngine([loaded], CPU, precision=torch.bfloat16)
        careful.warm_up()
        assert careful.precision == "float32"
        assert careful.distances_db[loaded.voice.id] > 1e-6
        [plan] = engine.prepare([utterance])
        window = Window(plan, 0, 40)
        np.testing.assert_allclose(careful.render([window])[0], engine.render([window])[0], rtol=0, atol=1e-4)

    @pytest.mark.parametrize(("speedup", "precision"), [(1.2, "bfloat16"), (0.9, "float32")])
    def test_a_precision_that_must_be_faster_is_taken_up_only_if_it_is(self, loaded, monkeypatch, speedup, precision):
        monkeypatch.setattr(PrecisionCheck, "speedup", lambda *_: speedup)
        engine = VitsEngine([loaded], CPU, precision=torch.bfloat16, must_be_faster=True)
        engine.warm_up()
        assert (engine.precision, engine.speedup) == (precision, speedup)

    def test_a_second_engine_recalls_what_the_first_one_measured(self, loaded, monkeypatch, tmp_path):
        compared = []
        monkeypatch.setattr(
            precision_check, "log_mel_distance_db", lambda *audio: compared.append(audio) or float(len(compared)) / 4
        )
        for _ in range(2):
            engine = VitsEngine([loaded], CPU, precision=torch.bfloat16, decisions=Decisions(tmp_path))
            engine.warm_up()
            assert engine.distances_db == {loaded.voice.id: 0.25}
        assert len(compared) == 1

    @pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
    def test_windows_and_batches_make_no_difference_after_warm_up_either(self, loaded, utterance, precision):
        engine = VitsEngine([loaded], CPU, precision=precision)
        engine.warm_up()
        [plan, other] = engine.prepare([utterance, replace(utterance, phoneme_ids=(1, 2, 3), seed=6)])
        [whole] = engine.render([Window(plan, 0, plan.frames)])
        cuts = [0, 21, 50, plan.frames]
        windows = [Window(plan, start, stop) for start, stop in pairwise(cuts)]
        alone = np.concatenate([engine.render([window])[0] for window in windows])
        together = np.concatenate(engine.render([*windows, Window(other, 0, other.frames)])[:-1])
        largest = np.abs(whole).max() * (1e-4 if precision == torch.float32 else 0.05)
        np.testing.assert_allclose(alone, whole, rtol=0, atol=largest)
        np.testing.assert_allclose(together, whole, rtol=0, atol=largest)
