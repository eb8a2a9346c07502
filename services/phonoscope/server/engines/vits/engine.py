"""The VITS engine: implements the Engine contract for Piper voices.

Two kinds of steps: `prepare` runs the text encoder and the duration predictor and aligns the prior's latents with
frames, once per utterance; `render` runs the flow and the generator over windows of frames, with enough context on
both sides that the samples equal those of the whole. All noise is drawn in `prepare`, from the utterance's seed.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from phonoscope.server.engines.base import NO_SAMPLES, EngineLost, Job, Step, StepResult, Tuning
from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.precision import LARGEST_DISTANCE_DB, precision_name
from phonoscope.server.engines.vits.cuda_graph_runner import FRAMES, ROWS, CudaGraphRunner
from phonoscope.server.engines.vits.cuda_graphs import CudaRecorder, Recorder, device_error
from phonoscope.server.engines.vits.job import (
    PREPARE,
    RENDER,
    VitsJob,
    own_job,
    step_result,
    vits_utterance,
    windows_of,
)
from phonoscope.server.engines.vits.lengths import UNIT
from phonoscope.server.engines.vits.loading import LoadedVoice
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.plan import VitsPlan, VitsUtterance, Window
from phonoscope.server.engines.vits.precision import in_precision
from phonoscope.server.engines.vits.precision_check import COMPARED_PHONEMES, PrecisionCheck
from phonoscope.server.engines.vits.runner import EagerRunner, NetworkRunner
from phonoscope.server.types import Utterance, Voice

# Largest activation of a generator's tile. docs/benchmarks.md has the sweep.
CPU_TILE_BYTES: Final = 2 * 1024 * 1024
# The first window of 21 frames, 0.24 s, needs 32 frames of the generator and 63 of the flow: hardly any padding.
# In the middle of an utterance a window has 43 frames of context on each side for the flow and 11 for the generator:
# these lengths fill the padded ones. A batch of windows takes as long as a sequence, so the first would wait.
CPU_FRAMES: Final = (21, 42, 74, 106, 170, 234, 298, 426)
CPU_BATCH: Final = {PREPARE: 4, RENDER: 1}
CUDA_BATCH: Final = {PREPARE: ROWS[-1], RENDER: ROWS[-1]}
# Seconds of a frame of most voices. Steps of the others are a little longer or shorter than they are asked to be.
USUAL_FRAME_SECONDS: Final = 256 / 22_050
# Enough to allocate everything, and to notice a network that cannot run.
WARM_UP_PHONEMES: Final = 8
WARM_UP_FRAMES: Final = UNIT
# Pieces up to this length occur in every window; longer ones are left to idle time. If the first requests had to wait
# for them, admission would learn from these that the engine is slow, and refuse the next.
READY_FRAMES: Final = 64
# The durations are an exponential of noise: this bounds what one unlucky or damaged phoneme can ask for.
MAX_PHONEME_SECONDS: Final = 10


class VitsEngine:
    """Speaks with Piper voices on one device.

    Args:
        voices: at least one, all on `device`.
        device: where to compute.
        threads: CPU threads of torch in this process; 0 keeps torch's default.
        precision: of flow and generator from `warm_up` on, if every voice sounds the same in it.
        must_be_faster: whether `warm_up` also measures that this precision is faster than float32.
        decisions: keeps what `warm_up` measures; nothing by default.
        uses_graphs: on a CUDA device, whether `warm_up` records graphs.
        recorder: replaces the device's own, in tests; with one, a CPU runs as a GPU does.

    Attributes:
        distances_db: each voice's distance from its float32 output in `warm_up`, as computed by
            `precision.log_mel_distance_db`; empty if nothing was compared.
        speedup: of the precision over float32, as measured in `warm_up`; None if it was not measured.
        graphs: how many shapes `warm_up` recorded as graphs.
        graphs_refused: why it stopped recording early; "" if it did not.
    """

    name = "vits"
    step_kinds = (PREPARE, RENDER)

    def __init__(
        self,
        voices: Sequence[LoadedVoice],
        device: torch.device,
        *,
        threads: int = 0,
        precision: torch.dtype = torch.float32,
        must_be_faster: bool = False,
        decisions: Decisions | None = None,
        uses_graphs: bool = True,
        recorder: Recorder | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        # Convolutions in TF32 would exceed the tolerance for batches and windows; float16 is for speed.
        torch.backends.cudnn.allow_tf32 = False
        self._device = device
        if recorder is None and device.type == "cuda":
            recorder = CudaRecorder(device, uses_graphs=uses_graphs)
        self._recorder = recorder
        self._voices = {loaded.voice.id: loaded for loaded in voices}
        self._runners = {loaded.voice.id: self._runner_of(loaded.model) for loaded in voices}
        self._precision = precision
        self._must_be_faster = must_be_faster
        self._decisions = decisions or Decisions(None)
        self.distances_db: dict[str, float] = {}
        self.speedup: float | None = None
        self.graphs = 0
        self.graphs_refused = ""
        self._idle_work: deque[Callable[[], object]] = deque()

    @property
    def precision(self) -> str:
        """The precision of flow and generator: "float32", "bfloat16" or "float16"."""
        return precision_name(self._precision)

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""
        return str(self._device)

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""
        return [replace(loaded.voice, precision=self.precision) for loaded in self._voices.values()]

    @property
    def tuning(self) -> Tuning:
        """The preferred batches and steps on this device."""
        seconds = tuple(frames * USUAL_FRAME_SECONDS for frames in self.window_frames)
        return Tuning(self._max_batch, seconds, plans_ahead=True)

    @property
    def window_frames(self) -> Sequence[int]:
        """Preferred lengths of windows on this device, ascending."""
        return CPU_FRAMES if self._device.type == "cpu" else FRAMES

    @property
    def _max_batch(self) -> Mapping[str, int]:
        return CPU_BATCH if self._device.type == "cpu" else CUDA_BATCH

    def network(self, voice_id: str) -> Vits:
        """Returns a voice's current network; benchmarks run it in other ways than the engine does."""
        return self._voices[voice_id].model

    def warm_up(self) -> None:
        """Takes up the precision and runs each kind of network in short lengths; on a GPU, records their steps."""
        self._take_up_precision()
        if self._recorder is not None:
            self._record()
            return
        for loaded in self._networks():
            self._warm_up_prepare(loaded, WARM_UP_PHONEMES)
            self._warm_up_render(loaded, WARM_UP_FRAMES)
            with torch.inference_mode():
                for preparation in self._runners[loaded.voice.id].preparations():
                    if preparation.frames <= READY_FRAMES:
                        preparation.run()
                    else:
                        self._idle_work.append(preparation.run)

    @torch.inference_mode()
    def idle_work(self) -> int:
        """Prepares the network for one more length; returns how many are left."""
        if self._idle_work:
            self._idle_work.popleft()()
        return len(self._idle_work)

    def _networks(self) -> Sequence[LoadedVoice]:
        """Returns one voice for each shape of network: code that is generated for one serves all of its shape."""
        return list({loaded.model.shape: loaded for loaded in self._voices.values()}.values())

    def _runner_of(self, model: Vits) -> NetworkRunner:
        return EagerRunner(model, CPU_TILE_BYTES) if self._recorder is None else CudaGraphRunner(model, self._recorder)

    @torch.inference_mode()
    def _record(self) -> None:
        """Records every voice's shapes, then runs each once, so that the first request has no extra work."""
        for name, loaded in self._voices.items():
            shapes = self._runners[name]
            if isinstance(shapes, CudaGraphRunner):
                shapes.record_all()
                self.graphs += shapes.recorded
                self.graphs_refused = self.graphs_refused or shapes.refusal
            self._warm_up_prepare(loaded, COMPARED_PHONEMES)
            self._warm_up_render(loaded, FRAMES[0])

    @torch.inference_mode()
    def _take_up_precision(self) -> None:
        """Optimises the networks in the requested precision; in float32 if that is better."""
        quick = self._in_precision(self._precision)
        if self._precision != torch.float32 and not self._is_better(quick):
            self._precision = torch.float32
            quick = self._in_precision(torch.float32)
        self._voices = quick
        self._runners = {name: self._runner_of(loaded.model) for name, loaded in quick.items()}

    def _is_better(self, quick: Mapping[str, LoadedVoice]) -> bool:
        """Whether every voice sounds the same in the requested precision, and, if that matters, is faster in it."""

        def render(model: Vits, window: Window) -> NDArray[np.float32]:
            return self._runner_of(model).render([window])[0]

        check = PrecisionCheck(self._decisions, self.prepare, render, self._device)
        self.distances_db = {name: check.distance_db(one, quick[name]) for name, one in self._voices.items()}
        if not all(distance <= LARGEST_DISTANCE_DB for distance in self.distances_db.values()):
            return False
        if self._must_be_faster:
            name = next(iter(quick))
            self.speedup = check.speedup(self._voices[name], quick[name])
        return self.speedup is None or self.speedup > 1

    def _in_precision(self, precision: torch.dtype) -> dict[str, LoadedVoice]:
        return {
            name: replace(loaded, model=in_precision(loaded.model, precision)) for name, loaded in self._voices.items()
        }

    def _warm_up_prepare(self, loaded: LoadedVoice, phonemes: int) -> None:
        ids = tuple(i % loaded.model.shape.text_encoder.symbols for i in range(phonemes))
        self.prepare([VitsUtterance(loaded.voice.id, ids, loaded.voice.default_speaker, 1.0, 0.0, 0.0, seed=0)])

    def _warm_up_render(self, loaded: LoadedVoice, frames: int) -> None:
        shape = loaded.model.shape
        silence = VitsPlan(
            voice_id=loaded.voice.id,
            frames=frames,
            samples_per_frame=shape.samples_per_frame,
            sample_rate_hz=loaded.voice.sample_rate_hz,
            phoneme_frames=(frames,),
            latents=torch.zeros(shape.flow.latent_channels, frames, device=self._device),
            speaker=loaded.model.speaker(torch.tensor([loaded.voice.default_speaker], device=self._device)),
        )
        self.render([Window(silence, 0, frames)])

    def open(self, utterance: Utterance) -> VitsJob:
        """Begins an utterance.

        Raises:
            KeyError: its voice is not loaded.
        """
        voice = self._voices[utterance.voice_id].voice
        return VitsJob(vits_utterance(utterance, voice), self.window_frames, self._max_batch[RENDER])

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Prepares utterances, or renders windows; advances their jobs once all of it is done.

        Raises:
            EngineLost: the device cannot compute any more.
        """
        try:
            return self._run_prepare(steps) if steps[0].kind == PREPARE else self._run_render(steps)
        except RuntimeError as error:  # what torch raises for a CUDA error, among others
            if self._recorder and (cause := device_error(self._recorder)):
                raise EngineLost(f"vits has lost the device {self._device}: {cause}") from error
            raise

    def close(self, job: Job) -> None:
        """Frees the latents of an utterance."""
        own_job(job).plan = None

    def _run_prepare(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        jobs = [own_job(step.job) for step in steps]
        plans = self.prepare([job.utterance for job in jobs])
        for job, plan in zip(jobs, plans, strict=True):
            job.plan = plan
        return [step_result(NO_SAMPLES, plan, 0) for plan in plans]

    def _run_render(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        windows = [window for step in steps for window in windows_of(step)]
        max_batch = self._max_batch[RENDER]
        batches = (self.render(windows[first : first + max_batch]) for first in range(0, len(windows), max_batch))
        waveforms = iter([samples for batch in batches for samples in batch])
        results = []
        for step in steps:
            own = windows_of(step)
            samples = np.concatenate([next(waveforms) for _ in own]) if len(own) > 1 else next(waveforms)
            job, stop = own_job(step.job), own[-1].stop
            job.cursor = stop
            results.append(step_result(samples, own[-1].plan, stop))
        return results

    @torch.inference_mode()
    def prepare(self, batch: Sequence[VitsUtterance]) -> list[VitsPlan]:
        """Turns utterances of one voice into plans, in order."""
        loaded = self._voices[batch[0].voice_id]
        sources = [torch.Generator().manual_seed(utterance.seed) for utterance in batch]
        max_frames = MAX_PHONEME_SECONDS * loaded.voice.sample_rate_hz // _per_frame(loaded)
        aligned = self._runners[loaded.voice.id].align_latents(batch, sources, max_frames)
        return [
            VitsPlan(
                voice_id=loaded.voice.id,
                frames=one.latents.shape[1],
                samples_per_frame=_per_frame(loaded),
                sample_rate_hz=loaded.voice.sample_rate_hz,
                phoneme_frames=tuple(one.phoneme_frames.tolist()),
                latents=one.latents,
                speaker=one.speaker,
            )
            for one in aligned
        ]

    @torch.inference_mode()
    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Turns windows of one voice into samples, in order."""
        return self._runners[windows[0].plan.voice_id].render(windows)


def _per_frame(loaded: LoadedVoice) -> int:
    return loaded.model.shape.samples_per_frame
