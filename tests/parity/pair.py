"""A voice in our engine beside its reference: the same file in onnxruntime. Loaded by path from conftest.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import LoadedVoice, load_voice
from phonoscope.server.engines.vits.plan import VitsPlan, Window
from phonoscope.server.engines.vits.plan import VitsUtterance as Utterance


@dataclass
class Pair:
    """A voice in our engine and in onnxruntime."""

    path: Path
    loaded: LoadedVoice = field(init=False)
    engine: VitsEngine = field(init=False)

    def __post_init__(self) -> None:
        self.loaded = load_voice(self.path, torch.device("cpu"))
        self.engine = VitsEngine([self.loaded], torch.device("cpu"))
        self.engine.warm_up()  # lays the network out as it is served

    @property
    def symbols(self) -> int:
        return self.loaded.model.shape.text_encoder.symbols

    @property
    def samples_per_frame(self) -> int:
        return self.loaded.model.shape.samples_per_frame

    @property
    def speakers(self) -> int:
        return max(1, len(self.loaded.voice.speakers))

    @property
    def context_frames(self) -> int:
        return self.loaded.model.shape.flow_context_frames + self.loaded.model.shape.generator_context_frames

    def utterance(
        self,
        ids: Sequence[int],
        *,
        seed: int = 0,
        speaker: int = 0,
        length_scale: float = 1.0,
        noise_scale: float = 0.667,
        noise_w_scale: float = 0.8,
    ) -> Utterance:
        voice_id = self.loaded.voice.id
        return Utterance(voice_id, tuple(ids), speaker, length_scale, noise_scale, noise_w_scale, seed)

    def still(self, ids: Sequence[int], *, speaker: int = 0, length_scale: float = 1.0) -> Utterance:
        """Returns an utterance without noise."""
        return self.utterance(ids, speaker=speaker, length_scale=length_scale, noise_scale=0.0, noise_w_scale=0.0)

    def plan(self, utterance: Utterance) -> VitsPlan:
        [plan] = self.engine.prepare([utterance])
        assert isinstance(plan, VitsPlan)
        return plan

    def render(self, plan: VitsPlan) -> NDArray[np.float32]:
        """Renders a plan in one window."""
        [samples] = self.engine.render([Window(plan, 0, plan.frames)])
        return samples

    def speak(self, utterance: Utterance) -> NDArray[np.float32]:
        return self.render(self.plan(utterance))

    def some_ids(self, length: int, *, seed: int = 0) -> list[int]:
        """Returns made-up phoneme ids."""
        return np.random.default_rng(seed).integers(0, self.symbols, length).tolist()

    def reference(self, utterance: Utterance) -> NDArray[np.float32]:
        """Speaks an utterance without noise in onnxruntime."""
        assert utterance.noise_scale == utterance.noise_w_scale == 0
        return self._run(self.session, utterance)

    def noisy_reference(
        self, utterance: Utterance, duration_noise: NDArray[np.float32], latent_noise: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Speaks an utterance in onnxruntime with the given draws, (2, phonemes) and (latent, frames)."""
        names = [node.output[0] for node in _draws(onnx.load(self.path))]
        noise = dict(zip(names, (duration_noise[None], latent_noise[None]), strict=True))
        return self._run(self._noisy_session, utterance, noise)

    def _run(
        self,
        session: onnxruntime.InferenceSession,
        utterance: Utterance,
        noise: dict[str, NDArray[np.float32]] | None = None,
    ) -> NDArray[np.float32]:
        scales = (utterance.noise_scale, utterance.length_scale, utterance.noise_w_scale)
        inputs = {
            "input": np.array([utterance.phoneme_ids], dtype=np.int64),
            "input_lengths": np.array([len(utterance.phoneme_ids)], dtype=np.int64),
            "scales": np.array(scales, dtype=np.float32),
        }
        if self.speakers > 1:
            inputs["sid"] = np.array([utterance.speaker], dtype=np.int64)
        [audio] = session.run(None, inputs | (noise or {}))
        return audio[0, 0, 0]  # (batch, 1, 1, samples) -> (samples,)

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        return _session(self.path)

    @cached_property
    def _noisy_session(self) -> onnxruntime.InferenceSession:
        """The voice's graph with its two draws of noise turned into inputs."""
        model = onnx.load(self.path)
        for node in _draws(model):
            model.graph.input.append(
                onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, [None, None, None])
            )
            model.graph.node.remove(node)
        return _session(model.SerializeToString())


def _draws(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Returns the nodes that draw noise: of the durations, then of the latents."""
    draws = {node.name: node for node in model.graph.node if node.op_type == "RandomNormalLike"}
    return [draws["/dp/RandomNormalLike"], draws["/RandomNormalLike"]]


def _session(source: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
