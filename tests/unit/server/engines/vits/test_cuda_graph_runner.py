"""Fixed shapes: a GPU's way through the network, here on a CPU with recorded operations in place of CUDA graphs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from phonoscope.server.engines.base import EngineLost
from phonoscope.server.engines.vits import cuda_graph_runner as fixed_shapes
from phonoscope.server.engines.vits.batches import padded_length
from phonoscope.server.engines.vits.cuda_graph_runner import FRAMES, PHONEMES, ROWS, CudaGraphRunner, Shape
from phonoscope.server.engines.vits.cuda_graphs import HostRecorder
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.plan import VitsUtterance as Utterance
from phonoscope.server.engines.vits.plan import Window
from phonoscope.server.types import Utterance as GenericUtterance

CPU = torch.device("cpu")
CLOSE = 2e-5
LENGTHS = (20, 3, 31, 1)


@pytest.fixture(scope="module")
def loaded(choir_path):
    return load_voice(choir_path, CPU)


@pytest.fixture(scope="module")
def plain(loaded):
    return VitsEngine([loaded], CPU)


@pytest.fixture(scope="module")
def utterances(loaded):
    rng = np.random.default_rng(0)
    return [
        Utterance(loaded.voice.id, tuple(rng.integers(0, 30, length).tolist()), seed % 5, 1.0, 0.667, 0.8, seed)
        for seed, length in enumerate(LENGTHS)
    ]


@pytest.fixture
def small(monkeypatch):
    """Few shapes, so that all are soon recorded."""
    monkeypatch.setattr(fixed_shapes, "FRAMES", (24, 48))
    monkeypatch.setattr(fixed_shapes, "PHONEMES", (8, 32))
    monkeypatch.setattr(fixed_shapes, "ROWS", (1, 4))


def fixed(loaded, recorder, *, records):
    shapes = CudaGraphRunner(loaded.model, recorder)
    engine = VitsEngine([loaded], CPU, recorder=recorder)
    engine._runners = {loaded.voice.id: shapes}  # without the float32 copy that a warm-up lays out
    if records:
        with torch.inference_mode():
            shapes.record_all(fixed_shapes.ROWS)
    return engine, shapes


def whole(plans):
    return [Window(plan, 0, plan.frames) for plan in plans]


def pieces(plan, frames):
    return [Window(plan, start, min(start + frames, plan.frames)) for start in range(0, plan.frames, frames)]


class TestShape:
    def test_the_smallest_that_holds_it(self):
        assert Shape.around(3, 49, FRAMES) == Shape(4, 128)
        assert Shape.around(32, 512, FRAMES) == Shape(32, 512)
        assert Shape.around(1, 1, PHONEMES) == Shape(1, 32)

    def test_past_the_largest_one_of_its_own(self):
        assert Shape.around(ROWS[-1] + 1, FRAMES[-1] + 1, FRAMES) == Shape(33, padded_length(513))


@pytest.mark.parametrize("records", [True, False])
class TestAgainstAnyShape:
    """Whatever way a network is run, an utterance keeps its rhythm and its sound."""

    def test_a_batch_of_mixed_lengths_and_speakers(self, small, loaded, plain, utterances, records):
        engine, _ = fixed(loaded, HostRecorder(), records=records)
        for ours, theirs in zip(engine.prepare(utterances), plain.prepare(utterances), strict=True):
            assert ours.phoneme_frames == theirs.phoneme_frames
            np.testing.assert_allclose(ours.latents, theirs.latents, rtol=0, atol=CLOSE)
            np.testing.assert_allclose(ours.speaker, theirs.speaker, rtol=0, atol=CLOSE)

    def test_phonemes_of_several_rates(self, small, loaded, plain, utterances, records):
        engine, _ = fixed(loaded, HostRecorder(), records=records)
        rated = [
            replace(one, speed=1.3, rates=tuple(0.5 + at % 3 for at in range(len(one.phoneme_ids))))
            for one in utterances[:2]
        ]
        batch = [*rated, *utterances[2:]]
        ours = [plan.phoneme_frames for plan in engine.prepare(batch)]
        assert ours == [plan.phoneme_frames for plan in plain.prepare(batch)]
        assert ours[0] != plain.prepare(utterances)[0].phoneme_frames

    def test_windows_from_everywhere(self, small, loaded, plain, utterances, records):
        engine, _ = fixed(loaded, HostRecorder(), records=records)
        plans = plain.prepare(utterances)
        longest = max(plans, key=lambda plan: plan.frames)
        [expected] = plain.render(whole([longest]))
        windows = pieces(longest, 24)
        samples = [part for start in range(0, len(windows), 4) for part in engine.render(windows[start : start + 4])]
        np.testing.assert_allclose(np.concatenate(samples), expected, rtol=0, atol=CLOSE)

    def test_turns_after_one_another_leave_nothing_behind(self, small, loaded, plain, utterances, records):
        """A shape's tensors are filled again and again: a small batch after a full one must not hear of it."""
        engine, _ = fixed(loaded, HostRecorder(), records=records)
        full = engine.prepare(utterances)
        engine.render([Window(plan, 0, min(plan.frames, 48)) for plan in full])
        three = [replace(utterance, seed=utterance.seed + 10) for utterance in utterances[1:]]
        plans, expected = engine.prepare(three), plain.prepare(three)
        assert [plan.phoneme_frames for plan in plans] == [plan.phoneme_frames for plan in expected]
        windows = [Window(plan, 0, min(plan.frames, 30)) for plan in expected]
        for ours, theirs in zip(engine.render(windows), plain.render(windows), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE)
            assert ours.flags.owndata


def test_plans_of_an_earlier_turn_stay_as_they_were(small, loaded, utterances):
    engine, _ = fixed(loaded, HostRecorder(), records=True)
    first = engine.prepare(utterances)
    kept = [(plan.latents.clone(), plan.speaker.clone()) for plan in first]
    engine.prepare([replace(utterance, seed=99, speaker=4) for utterance in utterances])
    for plan, (latents, speaker) in zip(first, kept, strict=True):
        assert plan.latents.equal(latents)
        assert plan.speaker.equal(speaker)


def test_a_plan_keeps_no_batch_mate_alive(small, loaded, utterances):
    engine, _ = fixed(loaded, HostRecorder(), records=True)
    for plan in engine.prepare(utterances):
        assert plan.latents.untyped_storage().nbytes() == plan.latents.numel() * plan.latents.itemsize
        assert plan.speaker.untyped_storage().nbytes() == plan.speaker.numel() * plan.speaker.itemsize


def test_every_shape_is_recorded_once_and_a_turn_waits_once(small, loaded, utterances):
    recorder = HostRecorder()
    engine, shapes = fixed(loaded, recorder, records=True)
    assert shapes.recorded == recorder.recorded == 2 * (2 + 2)
    assert shapes.refusal == ""
    plans = engine.prepare(utterances)
    assert recorder.waits == 1
    engine.render(pieces(plans[0], 24)[:4])
    assert recorder.waits == 2
    assert recorder.recorded == 8


def test_where_the_device_refuses_it_says_why_and_speaks_all_the_same(small, loaded, plain, utterances):
    recorder = HostRecorder(refuses="CUDA out of memory. Tried to allocate 2 GiB\nmore lines")
    engine, shapes = fixed(loaded, recorder, records=True)
    assert (shapes.recorded, shapes.refusal) == (0, "CUDA out of memory. Tried to allocate 2 GiB")
    assert [p.phoneme_frames for p in engine.prepare(utterances)] == [
        p.phoneme_frames for p in plain.prepare(utterances)
    ]


def test_memory_that_is_short_before_anything_is_recorded_is_a_refusal_too(small, loaded, monkeypatch):
    def out_of_memory(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    shapes = CudaGraphRunner(loaded.model, HostRecorder())
    monkeypatch.setattr(fixed_shapes, "with_height", out_of_memory)
    shapes.record_all(fixed_shapes.ROWS)
    assert (shapes.recorded, shapes.refusal) == (0, "CUDA out of memory")


def fails(engine, monkeypatch):
    """The error that the engine raises when torch does."""

    def raise_error(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(engine, "prepare", raise_error)
    [voice] = engine.voices
    job = engine.open(GenericUtterance(voice.id, (1, 2, 3)))
    with pytest.raises(Exception, match="device-side assert") as caught:
        engine.run([job.next_step(0.0)])
    return caught.value


def test_an_error_after_which_the_device_does_not_answer_loses_the_engine(small, loaded, monkeypatch):
    recorder = HostRecorder()
    engine, _ = fixed(loaded, recorder, records=False)
    recorder.is_lost = True
    error = fails(engine, monkeypatch)
    assert isinstance(error, EngineLost)
    assert str(error) == "vits has lost the device cpu: CUDA error: device-side assert triggered"


def test_an_error_after_which_the_device_works_on_fails_the_batch_alone(small, loaded, monkeypatch):
    engine, _ = fixed(loaded, HostRecorder(), records=False)
    assert not isinstance(fails(engine, monkeypatch), EngineLost)


def test_on_a_processor_no_error_loses_the_engine(loaded, monkeypatch):
    assert not isinstance(fails(VitsEngine([loaded], CPU), monkeypatch), EngineLost)


def test_without_graphs_nothing_is_recorded_and_nothing_refused(small, loaded):
    _, shapes = fixed(loaded, HostRecorder(uses_graphs=False), records=True)
    assert (shapes.recorded, shapes.refusal) == (0, "")


def test_a_window_past_the_largest_shape_is_rendered_whole(small, loaded, plain, utterances):
    engine, _ = fixed(loaded, HostRecorder(), records=True)
    plans = plain.prepare([utterances[2]])
    assert plans[0].frames > 48
    np.testing.assert_allclose(engine.render(whole(plans))[0], plain.render(whole(plans))[0], rtol=0, atol=CLOSE)


def test_an_engine_warms_up_by_recording_and_tells_how_much(small, loaded):
    engine = VitsEngine([loaded], CPU, recorder=HostRecorder(uses_graphs=False))
    engine.warm_up()
    assert (engine.graphs, engine.graphs_refused) == (0, "")
    refused = VitsEngine([loaded], CPU, recorder=HostRecorder(refuses="no graphs here"))
    refused.warm_up()
    assert (refused.graphs, refused.graphs_refused) == (0, "no graphs here")
