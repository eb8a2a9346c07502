"""The IndexTTS engine: implements the Engine contract for the recordings of a checkpoint of IndexTTS-2.5.

Two kinds of steps. `condition` computes what speech needs from a recording, and is skipped where that is known.
`segment` speaks the next part of a sentence, of up to 60 tokens. The library is not thread-safe and draws its noise
from torch's own generators: one job at a time, whose random state is put in place for each of its steps.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from phonoscope.server.engines.base import NO_SAMPLES, EngineLost, Job, Step, StepResult, Tuning
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.indextts.conditioning import Recordings
from phonoscope.server.engines.indextts.emotion import emotion_vector
from phonoscope.server.engines.indextts.job import CONDITION, SEGMENT, IndexTtsJob, own_job
from phonoscope.server.engines.indextts.languages import Language, language_of
from phonoscope.server.engines.indextts.library import SAMPLE_RATE_HZ, SEGMENT_PAUSE_SECONDS, Library, Segment, Wish
from phonoscope.server.engines.indextts.loading import computes_in_half, load_checkpoint
from phonoscope.server.engines.indextts.recordings import ENGINE
from phonoscope.server.engines.loading import LoadedEngine, Loading, Logger
from phonoscope.server.engines.torch_devices import device_error, first_line, resolve_device, torch_build
from phonoscope.server.events import ConditioningKept, Emit, RecordingUsed
from phonoscope.server.types import Reference, Utterance, Voice

NO_STATE: Final = torch.zeros(0, dtype=torch.uint8)
# A smaller factor does not make speech faster, says the library.
MIN_DURATION_FACTOR: Final = 0.78
PACKAGE: Final = "indextts25-inference"


class OutOfMemory(Exception):
    """An utterance did not fit into the device's memory. What it held there is free again."""


def load_engine(folder: Path, loading: Loading) -> LoadedEngine | None:
    """Returns the engine of a folder; None if none of its voices could be loaded. See `loader.load_indextts`."""
    settings = loading.settings
    device = resolve_device(settings.device)
    is_half = computes_in_half(settings.precision, device)
    loaded = load_checkpoint(folder, loading, device, is_half=is_half)
    if loaded is None:
        return None
    precision = "bfloat16" if is_half else "float32"
    threads = settings.threads or usable_cores()
    engine = IndexTtsEngine(loaded.library, loaded.voices, device, loading.emit, precision=precision, threads=threads)

    def log_state(logger: Logger) -> None:
        logger.info(ENGINE, voices=len(engine.voices), precision=precision, library=version(PACKAGE))

    return LoadedEngine(engine, log_state, torch_build())


class IndexTtsEngine:
    """Speaks like recordings, on one device.

    Args:
        library: the checkpoint, on `device`.
        voices: at least one, each with its recording.
        device: where to compute.
        emit: receives what is kept of recordings.
        precision: of the autoregressive network.
        threads: CPU threads of torch in this process; 0 keeps torch's default.
    """

    name = ENGINE
    step_kinds = (CONDITION, SEGMENT)
    tuning = Tuning({CONDITION: 1, SEGMENT: 1}, max_jobs=1)

    def __init__(
        self,
        library: Library,
        voices: Sequence[Voice],
        device: torch.device,
        emit: Emit,
        *,
        precision: str = "float32",
        threads: int = 0,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.precision = precision
        self._library = library
        self._voices = {voice.id: voice for voice in voices}
        self._device = device
        self._emit = emit
        self._recordings = Recordings(library.forget)
        self._report_kept()

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""
        return str(self._device)

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""
        return list(self._voices.values())

    def warm_up(self) -> None:
        """Speaks a word in each language of its voices: their grammars are compiled, or read, by then."""
        for language, voice in {_language(voice): voice for voice in reversed(self.voices)}.items():
            word = language.greeting
            job = self.open(Utterance(voice.id, word, text=word, language=voice.language, reference=voice.reference))
            try:
                while step := job.next_step(0.0):
                    self.run([step])
            finally:
                self.close(job)

    def idle_work(self) -> int:
        """Returns 0: there is nothing to prepare."""
        return 0

    def open(self, utterance: Utterance) -> IndexTtsJob:
        """Begins an utterance.

        Raises:
            KeyError: its voice is not loaded.
            ValueError: it has no recording.
        """
        voice = self._voices[utterance.voice_id]
        if utterance.reference is None:
            raise ValueError(f"there is no recording to speak like with voice {voice.id!r}")
        text = speakable(utterance.text)
        wish = Wish(
            text,
            self._path(utterance.reference),
            _language(voice).code,
            max(1.0 / utterance.speed, MIN_DURATION_FACTOR),
            emotion_vector=emotion_vector(utterance.emotion_weights, utterance.emotion_intensity),
            emotion_strength=utterance.emotion_intensity,
        )
        is_conditioned = self._library.is_conditioned(wish.voice, wish.emotion)
        return IndexTtsJob(wish, utterance.seed, [self._library.tokens(text)], is_conditioned)

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Runs the next step of the job.

        Raises:
            OutOfMemory: this utterance does not fit into the device's memory.
            EngineLost: the device cannot compute any more.
        """
        [step] = steps
        job = own_job(step.job)
        problem = ""
        try:
            with self._noise_of(job):
                return [self._condition(job) if step.kind == CONDITION else self._speak(job)]
        except torch.OutOfMemoryError as error:
            problem = first_line(error)
        except RuntimeError as error:  # what torch raises for a CUDA error, among others
            if cause := device_error(self._device):
                raise EngineLost(f"{ENGINE} has lost the device {self._device}: {cause}") from error
            raise
        # Outside of the handler: the error's traceback holds the tensors that take the memory.
        self._free(job)
        raise OutOfMemory(problem)

    def close(self, job: Job) -> None:
        """Ends the utterance in the library; what it keeps of the recordings stays."""
        own = own_job(job)
        if own.segments is not None:
            own.segments.close()
        own.segments = None

    def _path(self, reference: Reference) -> str:
        path, is_known = self._recordings.path(reference)
        self._emit(RecordingUsed(ENGINE, is_known))
        return path

    def _condition(self, job: IndexTtsJob) -> StepResult:
        self._library.condition(job.wish.voice, job.wish.emotion)
        job.is_conditioned = True
        self._report_kept()
        return StepResult(NO_SAMPLES, is_last=False)

    def _speak(self, job: IndexTtsJob) -> StepResult:
        if job.segments is None:
            job.segments = self._library.speak(job.wish)
        segment = next(job.segments, None)
        if segment is None:  # the model has no sound for what is left
            job.is_finished = True
            return StepResult(NO_SAMPLES, is_last=True)
        if job.spoken == 0:
            job.tokens = [self._library.tokens(text) for text in self._library.segments]
        samples = _after_pause(segment) if job.has_sound else segment.samples
        job.has_sound, job.spoken = True, segment.number + 1
        job.is_finished = job.spoken >= len(job.tokens)
        return StepResult(samples, is_last=job.is_finished)

    @contextmanager
    def _noise_of(self, job: IndexTtsJob) -> Iterator[None]:
        """Puts the random state of a job in place, and that of the process back afterwards."""
        cuda = self._device if self._device.type == "cuda" else None
        with torch.random.fork_rng([cuda.index or 0] if cuda else []):
            if job.noise is None:
                torch.manual_seed(job.seed)
            else:
                torch.set_rng_state(job.noise[0])
                if cuda:
                    torch.cuda.set_rng_state(job.noise[1], cuda)
            yield
            job.noise = torch.get_rng_state(), torch.cuda.get_rng_state(cuda) if cuda else NO_STATE

    def _free(self, job: IndexTtsJob) -> None:
        job.segments = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _report_kept(self) -> None:
        self._emit(ConditioningKept(ENGINE, len(self._recordings), self._library.conditioning_bytes))


def _language(voice: Voice) -> Language:
    language = language_of(voice.language)
    if language is None:
        raise ValueError(f"{voice.id}: IndexTTS does not speak {voice.language}")
    return language


def speakable(text: str) -> str:
    """Returns a text without the bars that mark the model's own tokens (<|…|>) and pronunciations (<…|…>) in it.

    A token that the checkpoint has no embedding for would end the process's context on a GPU.
    """
    return text.replace("|", " ")


def _after_pause(segment: Segment) -> NDArray[np.float32]:
    pause = np.zeros(round(SEGMENT_PAUSE_SECONDS * SAMPLE_RATE_HZ), np.float32)
    return np.concatenate([pause, segment.samples])
