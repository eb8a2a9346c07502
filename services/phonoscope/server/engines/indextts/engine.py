"""The IndexTTS engine: implements the Engine contract for voices that speak like a recording.

Two kinds of steps. `condition` computes what speech needs from a recording, and is skipped where that is known.
`segment` speaks the next part of a sentence, of up to 60 tokens. The library is not thread-safe and draws its noise
from torch's own generators: one job at a time, whose random state is put in place for each of its steps.
"""

import time
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
from phonoscope.server.engines.indextts.conditioning import RecordingFiles
from phonoscope.server.engines.indextts.emotion import emotion_vector
from phonoscope.server.engines.indextts.job import CONDITION, SEGMENT, IndexTtsJob, own_job
from phonoscope.server.engines.indextts.languages import ENGINE, LANGUAGES, MIN_DURATION_FACTOR, Language
from phonoscope.server.engines.indextts.library import SAMPLE_RATE_HZ, SEGMENT_PAUSE_SECONDS, Library, Segment, Wish
from phonoscope.server.engines.indextts.loading import load_library
from phonoscope.server.engines.loading import LoadedEngine, Loading, Logger
from phonoscope.server.engines.torch_devices import device_error, first_line, resolve_device, torch_build
from phonoscope.server.events import ConditioningKept, Emit, RecordingUsed, VoiceLoaded
from phonoscope.server.types import Recording, Utterance, Voice

NO_STATE: Final = torch.zeros(0, dtype=torch.uint8)
_WARM_UP_SECONDS: Final = 1
_WARM_UP_LEVEL: Final = 0.1
PACKAGE: Final = "indextts25-inference"


class OutOfMemory(Exception):
    """An utterance did not fit into the device's memory. What it held there is free again."""


def load_engine(folder: Path, loading: Loading) -> LoadedEngine:
    """Returns the engine of a checkpoint. See `loader.load_indextts`."""
    settings, began = loading.settings, time.monotonic()
    device = resolve_device(settings.device)
    library = load_library(folder, settings, device)
    threads = settings.threads or usable_cores()
    engine = IndexTtsEngine(library, device, loading.emit, languages=LANGUAGES, threads=threads)
    for voice in engine.voices:
        loading.emit(VoiceLoaded(voice.id, engine.device, time.monotonic() - began))

    def log_state(logger: Logger) -> None:
        logger.info(ENGINE, checkpoint=str(folder), precision=engine.precision, library=version(PACKAGE))

    return LoadedEngine(engine, log_state, torch_build())


class IndexTtsEngine:
    """Speaks like recordings, on one device.

    Args:
        library: the checkpoint, on `device`.
        device: where to compute.
        emit: receives what is kept of recordings.
        languages: of its voices.
        threads: CPU threads of torch in this process; 0 keeps torch's default.
    """

    name = ENGINE
    step_kinds = (CONDITION, SEGMENT)
    tuning = Tuning({CONDITION: 1, SEGMENT: 1}, max_jobs=1)

    def __init__(
        self,
        library: Library,
        device: torch.device,
        emit: Emit,
        *,
        languages: Sequence[Language],
        threads: int = 0,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._library = library
        self._languages = {one.voice(SAMPLE_RATE_HZ).id: one for one in languages}
        self._device = device
        self._emit = emit
        self._recordings = RecordingFiles(library.forget)
        self._report_kept()

    @property
    def precision(self) -> str:
        """The precision of the autoregressive network; the others compute in float32."""
        return "bfloat16" if self._library.is_half else "float32"

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""
        return str(self._device)

    @property
    def voices(self) -> Sequence[Voice]:
        """A voice for each language; none can speak without a recording."""
        return [language.voice(SAMPLE_RATE_HZ) for language in self._languages.values()]

    def warm_up(self) -> None:
        """Speaks a text like a noise, and reads one in each language: their grammars are in memory by then."""
        for language in self._languages.values():
            self._library.read(language.greeting, language.code)
        noise = np.random.default_rng(0).normal(0.0, _WARM_UP_LEVEL, _WARM_UP_SECONDS * SAMPLE_RATE_HZ)
        voice_id, language = next(iter(self._languages.items()))
        job = self.open(
            Utterance(
                voice_id,
                language.greeting,
                text=language.greeting,
                reference=Recording.of(noise.astype(np.float32), SAMPLE_RATE_HZ),
            )
        )
        try:
            while step := job.next_step(0.0):
                self.run([step])
        finally:
            self.close(job)
            self._recordings.clear()
            self._report_kept()

    def idle_work(self) -> int:
        """Returns 0: there is nothing to prepare."""
        return 0

    def open(self, utterance: Utterance) -> IndexTtsJob:
        """Begins an utterance.

        Raises:
            KeyError: its voice is not loaded.
            ValueError: it has no recording.
        """
        language = self._languages[utterance.voice_id]
        if utterance.reference is None:
            raise ValueError(f"voice {utterance.voice_id!r} has no recording to speak like")
        text = speakable(utterance.text)
        heard = utterance.emotion_reference
        wish = Wish(
            text,
            self._path(utterance.reference),
            language.code,
            max(1.0 / utterance.speed, MIN_DURATION_FACTOR),
            emotion="" if heard is None else self._path(heard),
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

    def _path(self, recording: Recording) -> str:
        path, is_known = self._recordings.path(recording)
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


def speakable(text: str) -> str:
    """Returns a text without the bars that mark the model's own tokens (<|…|>) and pronunciations (<…|…>) in it.

    A token that the checkpoint has no embedding for would end the process's context on a GPU.
    """
    return text.replace("|", " ")


def _after_pause(segment: Segment) -> NDArray[np.float32]:
    pause = np.zeros(round(SEGMENT_PAUSE_SECONDS * SAMPLE_RATE_HZ), np.float32)
    return np.concatenate([pause, segment.samples])
