"""The Kokoro engine: implements the Engine contract for voices of Kokoro-82M.

`prepare` runs everything over phonemes and frames: durations, F0, energy; all noise is drawn there, from the
utterance's seed. `render` makes audio: of a whole sentence, or of a window of a long one that is streamed. Norms
average over all of a sentence, so windows need two steps before: `decode`, at low rates, and `measure`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from phonoscope.server.engines.base import NO_SAMPLES, EngineLost, Job, Step, StepResult, Tuning
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.heap import return_freed_memory
from phonoscope.server.engines.kokoro.alphabet import PAD
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.kokoro.job import (
    DECODE,
    MEASURE,
    PREPARE,
    RENDER,
    WINDOW_POINTS,
    KokoroJob,
    Part,
    PartStep,
    cut_symbols,
    decoded_of,
    joined_frames,
    made_part,
    own_job,
    own_step,
    window_of,
)
from phonoscope.server.engines.kokoro.loading import ENGINE, LoadedVoice, load_folders
from phonoscope.server.engines.kokoro.mixing import PackMixer
from phonoscope.server.engines.kokoro.model import Kokoro, PlanInput
from phonoscope.server.engines.kokoro.precision import in_precision
from phonoscope.server.engines.kokoro.precision_check import PrecisionCheck
from phonoscope.server.engines.kokoro.windows import measure, render_windows, silent_window
from phonoscope.server.engines.loading import LoadedEngine, Loading, Logger
from phonoscope.server.engines.precision import precision_name, resolve_precision
from phonoscope.server.engines.torch_devices import device_error, resolve_device, torch_build
from phonoscope.server.types import Utterance, Voice

# On a CPU one row keeps every core busy.
CPU_BATCH: Final = {PREPARE: 1, DECODE: 1, MEASURE: 1, RENDER: 1}
CUDA_BATCH: Final = {PREPARE: 8, DECODE: 4, MEASURE: 1, RENDER: 8}
_WARM_UP_SYMBOLS: Final = 8


def load_engine(folders: Sequence[Path], loading: Loading) -> LoadedEngine | None:
    """Returns the engine of the voices in folders; None if none could be loaded. See `loader.load_kokoro`."""
    settings = loading.settings
    device = resolve_device(settings.device)
    voices = load_folders(folders, loading, device)
    if not voices:
        return None
    decisions = Decisions(settings.cache_dir)
    engine = KokoroEngine(
        voices,
        device,
        threads=settings.threads or usable_cores(),
        precision=resolve_precision(settings.precision, device),
        check=PrecisionCheck(decisions, must_be_faster=settings.precision == "auto" and device.type == "cpu"),
    )

    return LoadedEngine(engine, partial(_log_state, engine, decisions, settings.precision), torch_build())


def _log_state(engine: "KokoroEngine", decisions: Decisions, asked_precision: str, logger: Logger) -> None:
    """Logs the engine's precision, and what is in the way of a better one or of a faster start."""
    logger.info(ENGINE, voices=len(engine.voices), precision=engine.precision, **engine.measured)
    if asked_precision not in {"auto", engine.precision}:
        logger.warning("precision_refused", engine=ENGINE, asked=asked_precision, **engine.measured)
    if decisions.problem:
        logger.info("cache_unavailable", problem=decisions.problem, advice="set --cache-dir to a writable directory")


class KokoroEngine:
    """Speaks with Kokoro voices on one device.

    Args:
        voices: at least one, all on `device`.
        device: where to compute.
        threads: CPU threads of torch in this process; 0 keeps torch's default.
        precision: of the decoder from `warm_up` on, if `check` finds it better than float32.
        check: compares precisions; by sound only, and without a memory, by default.

    Attributes:
        measured: what `check` measured, by name, of the network that changes most; empty before `warm_up`, and where
            float32 was asked for.
    """

    name = ENGINE
    step_kinds = (PREPARE, DECODE, MEASURE, RENDER)

    def __init__(
        self,
        voices: Sequence[LoadedVoice],
        device: torch.device,
        *,
        threads: int = 0,
        precision: torch.dtype = torch.float32,
        check: PrecisionCheck | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._device = device
        self._voices = {loaded.voice.id: loaded for loaded in voices}
        self._precision = precision
        self._check = check or PrecisionCheck(Decisions(None), must_be_faster=False)
        self.measured: Mapping[str, float] = {}
        self._mixer = PackMixer(self._voices)

    @property
    def precision(self) -> str:
        """The precision of the decoder."""
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
        """The preferred batches and windows on this device."""
        batch = CPU_BATCH if self._device.type == "cpu" else CUDA_BATCH
        shape = next(iter(self._voices.values())).network.shape
        seconds = shape.samples_per_curve_point / SAMPLE_RATE_HZ
        return Tuning(batch, tuple(points * seconds for points in WINDOW_POINTS), plans_ahead=True)

    def warm_up(self) -> None:
        """Takes up the precision, and speaks a few phonemes with one voice of each network."""
        self._take_up_precision()
        for loaded in self._one_of_each_network():
            self._speak(loaded, _WARM_UP_SYMBOLS)
            self._render_first_window(loaded)
        return_freed_memory()  # of the networks in float32

    def idle_work(self) -> int:
        """Returns 0: there is nothing to prepare."""
        return 0

    def _one_of_each_network(self) -> Sequence[LoadedVoice]:
        return list({id(loaded.network): loaded for loaded in self._voices.values()}.values())

    @torch.inference_mode()
    def _take_up_precision(self) -> None:
        """Optimises the networks in the requested precision; in float32 if that is better."""
        quick = self._in_precision(self._precision)
        if self._precision != torch.float32:
            compared = [
                self._check.compare(one.network, quick[id(one.network)], one.pack[_WARM_UP_SYMBOLS])
                for one in self._one_of_each_network()
            ]
            self.measured = max((measured for _, measured in compared), key=lambda one: one["log_mel_distance_db"])
            if not all(is_better for is_better, _ in compared):
                self._precision = torch.float32
                quick = self._in_precision(torch.float32)
        self._voices = {
            name: replace(loaded, network=quick[id(loaded.network)]) for name, loaded in self._voices.items()
        }
        self._mixer = PackMixer(self._voices)

    def _in_precision(self, precision: torch.dtype) -> Mapping[int, Kokoro]:
        """Returns each network in a precision, by its identity."""
        return {id(one.network): in_precision(one.network, precision) for one in self._one_of_each_network()}

    def _speak(self, loaded: LoadedVoice, symbols: int) -> None:
        job = self.open(Utterance(loaded.voice.id, (PAD, *range(1, symbols), PAD)))
        while step := job.next_step(0.0):
            self.run([step])
        self.close(job)

    @torch.inference_mode()
    def _render_first_window(self, loaded: LoadedVoice) -> None:
        """Renders silence of a stream's first length, so that oneDNN has generated the code for it."""
        generator = loaded.network.decoder.generator
        render_windows(generator, [silent_window(generator, loaded.pack[0], WINDOW_POINTS[0])])

    def open(self, utterance: Utterance) -> KokoroJob:
        """Begins an utterance.

        Raises:
            KeyError: its voice is not loaded.
        """
        network = self._voices[utterance.voice_id].network
        return KokoroJob(utterance, str(id(network)), network.shape.samples_per_curve_point / SAMPLE_RATE_HZ)

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Runs steps of one kind; advances their jobs once all of it is done.

        Raises:
            EngineLost: the device cannot compute any more.
        """
        try:
            return self._run(steps)
        except RuntimeError as error:  # what torch raises for a CUDA error, among others
            if cause := device_error(self._device):
                raise EngineLost(f"{ENGINE} has lost the device {self._device}: {cause}") from error
            raise

    @torch.inference_mode()
    def _run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        kind, jobs = steps[0].kind, [own_job(step.job) for step in steps]
        network = self._voices[jobs[0].utterance.voice_id].network
        if kind == PREPARE:
            plans = self._plan(network, [job.utterance for job in jobs])
            return [self._planned(network, job, parts) for job, parts in zip(jobs, plans, strict=True)]
        own = [own_step(step) for step in steps]
        if kind == RENDER:
            waveforms = self._render(network, own)
            return [_rendered(job, step, made) for job, step, made in zip(jobs, own, waveforms, strict=True)]
        if kind == DECODE:
            for step, decoded in zip(own, network.decode([step.part.given for step in own]), strict=True):
                step.part.decoded = decoded
        else:
            measured = [measure(network.decoder.generator, decoded_of(step.part)) for step in own]
            for step, one in zip(own, measured, strict=True):
                step.part.measured = one
        return [_no_audio(job) for job in jobs]

    def close(self, job: Job) -> None:
        """Frees the state of an utterance."""
        own_job(job).parts = None

    def _plan(self, network: Kokoro, utterances: Sequence[Utterance]) -> list[list[Part]]:
        """Returns each utterance's parts, in order."""
        inputs = [self._inputs(network, utterance) for utterance in utterances]
        sources = [
            source
            for utterance, own in zip(utterances, inputs, strict=True)
            for source in [torch.Generator().manual_seed(utterance.seed)] * len(own)
        ]
        plans = iter(network.plan([one for own in inputs for one in own], sources))
        return [
            [
                made_part(frames.tolist(), given, network.shape, is_streamed=utterance.is_streamed)
                for frames, given in (next(plans) for _ in own)
            ]
            for utterance, own in zip(utterances, inputs, strict=True)
        ]

    def _inputs(self, network: Kokoro, utterance: Utterance) -> list[PlanInput]:
        """Returns what the network reads of an utterance, cut into as much as it reads at once."""
        loaded = self._mixer.voice_of(utterance)
        space = loaded.voice.phonemes.ids.get(" ", ())
        symbols = [int(symbol) for symbol in utterance.symbols]
        cuts = list(cut_symbols(symbols, network.shape.max_symbols, space[0] if space else PAD))
        edges = [0, *accumulate(map(len, cuts))]
        speed, speeds = utterance.speed, utterance.speeds[1:-1]
        return [
            PlanInput(
                torch.tensor([PAD, *cut, PAD], device=self._device),
                loaded.pack[max(len(cut) - 1, 0)],
                torch.tensor([speed, *speeds[first:last], speed], device=self._device),
            )
            for cut, (first, last) in zip(cuts, pairwise(edges), strict=True)
        ]

    def _planned(self, network: Kokoro, job: KokoroJob, parts: Sequence[Part]) -> StepResult:
        job.parts = parts
        job.symbol_samples = tuple(frames * network.shape.samples_per_frame for frames in joined_frames(parts))
        return _no_audio(job)

    def _render(self, network: Kokoro, steps: Sequence[PartStep]) -> list[Tensor]:
        if steps[0].part.is_windowed:
            return render_windows(network.decoder.generator, [window_of(step) for step in steps])
        return [self._whole(network, step.part) for step in steps]

    @staticmethod
    def _whole(network: Kokoro, part: Part) -> Tensor:
        [decoded] = network.decode([part.given])
        per_point = network.shape.samples_per_curve_point
        return network.whole(decoded)[part.cursor * per_point : part.stop * per_point]


def _no_audio(job: KokoroJob) -> StepResult:
    return StepResult(NO_SAMPLES, False, sum(job.symbol_samples), job.symbol_samples)  # noqa: FBT003


def _rendered(job: KokoroJob, step: PartStep, samples: Tensor) -> StepResult:
    part = step.part
    part.cursor = step.stop
    if part.cursor == part.stop:
        job.current += 1
        part.decoded = part.measured = None  # tens of megabytes
    clipped = np.clip(samples.float().cpu().numpy(), -1.0, 1.0)
    return StepResult(clipped, job.current == len(job.parts or ()), sum(job.symbol_samples), job.symbol_samples)
