"""Our engine in this process, without gRPC: text to phoneme ids to samples, sentence by sentence."""

from collections.abc import Sequence
from pathlib import Path

import torch

from phonoscope.server.engines.precision import resolve_precision
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.plan import VitsPlan, VitsUtterance, Window
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.types import Utterance


class Ours:
    """The voice in our engine.

    Args:
        voice_path: the voice's .onnx file.
        threads: CPU threads of torch.
        is_warm: False where somebody else, a scheduler, warms it up.
        device: where to compute.
        uses_graphs: on a CUDA device, whether to record graphs.
    """

    def __init__(
        self,
        voice_path: Path,
        threads: int,
        *,
        is_warm: bool = True,
        device: str = "cpu",
        uses_graphs: bool = True,
    ) -> None:
        there = torch.device(device)
        self.engine = VitsEngine(
            [load_voice(voice_path, there)],
            there,
            threads=threads,
            precision=resolve_precision("auto", there),
            uses_graphs=uses_graphs,
        )
        if is_warm:
            self.engine.warm_up()
            while self.engine.idle_work():
                pass
        [self.voice] = self.engine.voices
        self._front_end = TextFrontEnd(Espeak())

    def sentences(self, text: str) -> list[tuple[int, ...]]:
        """Returns the phoneme ids of each sentence."""
        return [_ids(sentence) for sentence in self._front_end.sentences(text, self.voice.phonemes)]

    def first_sentence(self, text: str) -> tuple[int, ...]:
        """Returns the phoneme ids of the first sentence; the rest of the text is left alone, as in the server."""
        return _ids(next(self._front_end.sentences(text, self.voice.phonemes)))

    def speak(self, text: str) -> float:
        """Text to samples; returns the seconds of audio."""
        sentences = self._front_end.sentences(text, self.voice.phonemes)
        return sum(self._speak_sentence(_ids(sentence)) for sentence in sentences)

    def speak_ids(self, sentences: Sequence[tuple[int, ...]]) -> float:
        """Phoneme ids to samples; returns the seconds of audio."""
        return sum(self._speak_sentence(ids) for ids in sentences)

    def plan(self, ids: tuple[int, ...]) -> VitsPlan:
        """Runs `prepare` for one sentence with the voice's own settings."""
        [plan] = self.engine.prepare([self.utterance(ids)])
        return plan

    def utterance(self, ids: tuple[int, ...]) -> VitsUtterance:
        """Returns a sentence as the network takes it."""
        return self.engine.open(Utterance(self.voice.id, ids, self.voice.default_speaker)).utterance

    def _speak_sentence(self, ids: tuple[int, ...]) -> float:
        plan = self.plan(ids)
        [samples] = self.engine.render([Window(plan, 0, plan.frames)])
        return len(samples) / plan.sample_rate_hz


def _ids(sentence: Sentence) -> tuple[int, ...]:
    return tuple(int(symbol) for symbol in sentence.symbols)
