"""The Kokoro engine: implements the Engine contract for voices of Kokoro-82M.

Two kinds of steps. `prepare` runs everything over phonemes and frames: durations, F0, energy. `render` runs the
decoder over a whole sentence: its instance norms average over all of it, so a window would sound different. Batches
are of one utterance. All noise is drawn in `prepare`, from the utterance's seed.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from phonoscope.server.engines.base import NO_SAMPLES, Job, Step, StepResult, Tuning
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.kokoro.alphabet import PAD
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.kokoro.job import (
    PREPARE,
    RENDER,
    KokoroJob,
    Part,
    cut_symbols,
    joined_frames,
    own_job,
    part_of,
)
from phonoscope.server.engines.kokoro.loading import ENGINE, LoadedVoice, load_folders
from phonoscope.server.engines.loading import LoadedEngine, Loading, Logger
from phonoscope.server.engines.torch_devices import resolve_device, torch_build
from phonoscope.server.types import Utterance, Voice

MAX_BATCH: Final = {PREPARE: 1, RENDER: 1}
_WARM_UP_SYMBOLS: Final = 8


def load_engine(folders: Sequence[Path], loading: Loading) -> LoadedEngine | None:
    """Returns the engine of the voices in folders; None if none could be loaded. See `loader.load_kokoro`."""
    device = resolve_device(loading.settings.device)
    voices = load_folders(folders, loading, device)
    if not voices:
        return None
    engine = KokoroEngine(voices, device, threads=loading.settings.threads or usable_cores())

    def log_state(logger: Logger) -> None:
        logger.info("kokoro", voices=len(engine.voices), precision=engine.precision)

    return LoadedEngine(engine, log_state, torch_build())


class KokoroEngine:
    """Speaks with Kokoro voices on one device.

    Args:
        voices: at least one, all on `device`.
        device: where to compute.
        threads: CPU threads of torch in this process; 0 keeps torch's default.
    """

    name = ENGINE
    precision = "float32"
    step_kinds = (PREPARE, RENDER)

    def __init__(self, voices: Sequence[LoadedVoice], device: torch.device, *, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._device = device
        self._voices = {loaded.voice.id: loaded for loaded in voices}

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""
        return str(self._device)

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""
        return [loaded.voice for loaded in self._voices.values()]

    @property
    def tuning(self) -> Tuning:
        """Batches of one; a step makes what it makes."""
        return Tuning(MAX_BATCH, plans_ahead=True)

    def warm_up(self) -> None:
        """Speaks a few phonemes with one voice of each network."""
        for loaded in {id(one.network): one for one in self._voices.values()}.values():
            symbols = (PAD, *range(1, _WARM_UP_SYMBOLS), PAD)
            job = self.open(Utterance(loaded.voice.id, symbols))
            while step := job.next_step(0.0):
                self.run([step])
            self.close(job)

    def idle_work(self) -> int:
        """Returns 0: there is nothing to prepare."""
        return 0

    def open(self, utterance: Utterance) -> KokoroJob:
        """Begins an utterance.

        Raises:
            KeyError: its voice is not loaded.
        """
        shape = self._voices[utterance.voice_id].network.shape
        return KokoroJob(utterance, shape.samples_per_frame / SAMPLE_RATE_HZ)

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Plans utterances, or renders parts; advances their jobs once all of it is done."""
        if steps[0].kind == PREPARE:
            plans = [self._plan(own_job(step.job).utterance) for step in steps]
            return [self._planned(own_job(step.job), plan) for step, plan in zip(steps, plans, strict=True)]
        waveforms = [self._render(step.job, part_of(step)) for step in steps]
        return [self._rendered(own_job(step.job), samples) for step, samples in zip(steps, waveforms, strict=True)]

    def close(self, job: Job) -> None:
        """Frees the plan of an utterance."""
        own_job(job).parts = None

    @torch.inference_mode()
    def _plan(self, utterance: Utterance) -> list[Part]:
        """Returns an utterance's parts, in order."""
        loaded = self._voices[utterance.voice_id]
        space = loaded.voice.phonemes.ids.get(" ", ())
        symbols = [int(symbol) for symbol in utterance.symbols]
        limit = loaded.network.shape.max_symbols
        cuts = list(cut_symbols(symbols, limit, space[0] if space else PAD))
        edges = [0, *accumulate(map(len, cuts))]
        speeds = utterance.speeds[1:-1]
        source = torch.Generator().manual_seed(utterance.seed)
        return [
            self._part(loaded, cut, speeds[first:last], utterance.speed, source)
            for cut, (first, last) in zip(cuts, pairwise(edges), strict=True)
        ]

    def _part(
        self,
        loaded: LoadedVoice,
        symbols: Sequence[int],
        speeds: Sequence[float],
        speed: float,
        source: torch.Generator,
    ) -> Part:
        network = loaded.network
        ids = torch.tensor([[PAD, *symbols, PAD]], device=self._device)
        style = loaded.pack[max(len(symbols) - 1, 0)][None]
        ratios = torch.tensor([speed, *speeds, speed], device=self._device)
        frames, given = network.plan(ids, style, ratios)
        lengths = tuple(frames.tolist())
        noise = torch.randn(sum(lengths) * network.shape.samples_per_frame, generator=source)
        return Part(lengths, given, noise)

    @torch.inference_mode()
    def _render(self, job: Job, part: Part) -> Tensor:
        network = self._voices[own_job(job).utterance.voice_id].network
        return network.render(part.given, part.noise.to(self._device)).cpu()

    def _planned(self, job: KokoroJob, parts: Sequence[Part]) -> StepResult:
        per_frame = self._voices[job.utterance.voice_id].network.shape.samples_per_frame
        job.parts = parts
        job.symbol_samples = tuple(frames * per_frame for frames in joined_frames(parts))
        return StepResult(NO_SAMPLES, False, sum(job.symbol_samples), job.symbol_samples)  # noqa: FBT003

    @staticmethod
    def _rendered(job: KokoroJob, samples: Tensor) -> StepResult:
        job.rendered += 1
        is_last = job.rendered == len(job.parts or ())
        clipped = np.clip(samples.numpy(), -1.0, 1.0)
        return StepResult(clipped, is_last, sum(job.symbol_samples), job.symbol_samples)
