"""The reference: piper-tts in this process, and its bare onnxruntime session, with a stated number of threads."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from piper import PiperVoice
from piper.config import PiperConfig


class PiperReference:
    """The voice in piper-tts on the CPU.

    PiperVoice.load leaves the number of threads to onnxruntime, so the session is made here, with no other option
    changed, and handed to PiperVoice.

    Args:
        voice_path: the voice's .onnx file, its .json beside it.
        threads: CPU threads of onnxruntime within an operator.
    """

    def __init__(self, voice_path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(voice_path, options, providers=["CPUExecutionProvider"])
        config = json.loads(voice_path.with_name(voice_path.name + ".json").read_text(encoding="utf-8"))
        self._voice = PiperVoice(session=self._session, config=PiperConfig.from_dict(config))
        self._rate_hz = self._voice.config.sample_rate
        self._scales = np.array(
            [config["inference"][name] for name in ("noise_scale", "length_scale", "noise_w")], dtype=np.float32
        )

    def speak(self, text: str) -> float:
        """Text to samples; returns the seconds of audio."""
        return sum(len(chunk.audio_float_array) / chunk.sample_rate for chunk in self._voice.synthesize(text))

    def first_audio(self, text: str) -> float:
        """Text to the first AudioChunk, which is the first sentence; returns its seconds of audio."""
        chunk = next(iter(self._voice.synthesize(text)))
        return len(chunk.audio_float_array) / chunk.sample_rate

    def speak_ids(self, sentences: Sequence[tuple[int, ...]]) -> float:
        """Phoneme ids to samples by the bare session; returns the seconds of audio."""
        return sum(self._run(ids) for ids in sentences) / self._rate_hz

    def _run(self, ids: tuple[int, ...]) -> int:
        inputs = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": self._scales,
        }
        [audio] = self._session.run(None, inputs)
        return int(audio.size)
