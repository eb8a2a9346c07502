"""Compares a voice's networks in two precisions, by sound and by speed. Called by `engine.py` at warm-up.

Both results depend on the weights, the device and the libraries only, so they are kept from one start to the next.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from phonoscope import __version__
from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.precision import device_conditions, log_mel_distance_db, precision_name
from phonoscope.server.engines.vits.loading import LoadedVoice
from phonoscope.server.engines.vits.model import Vits
from phonoscope.server.engines.vits.plan import VitsPlan, VitsUtterance, Window

# The text for comparing precisions: long enough for a decision, short enough for startup.
COMPARED_PHONEMES: Final = 64
COMPARED_FRAMES: Final = 128
TIMED_RUNS: Final = 3

Prepare = Callable[[Sequence[VitsUtterance]], Sequence[VitsPlan]]
Render = Callable[[Vits, Window], NDArray[np.float32]]


class PrecisionCheck:
    """Compares networks on one device.

    Args:
        decisions: keeps the results.
        prepare: turns an utterance into a plan, with the voice's float32 network.
        render: turns a window into samples, with a network.
        device: where both compute.
    """

    def __init__(self, decisions: Decisions, prepare: Prepare, render: Render, device: torch.device) -> None:
        self._decisions = decisions
        self._prepare = prepare
        self._render = render
        self._device = device
        self._digests: dict[str, str] = {}

    def distance_db(self, plain: LoadedVoice, quick: LoadedVoice) -> float:
        """Returns the distance in sound of a voice's two networks, as `log_mel_distance_db` computes it."""

        def measure() -> float:
            window = self._window(plain)
            one, other = (self._render(voice.model, window) for voice in (plain, quick))
            return log_mel_distance_db(one, other, plain.voice.sample_rate_hz)

        return self._decisions.recall("log-mel-distance-db", self._conditions(plain, quick), measure)

    def speedup(self, plain: LoadedVoice, quick: LoadedVoice) -> float:
        """Returns how many times as fast as the first network the second one is; measured in turns."""

        def measure() -> float:
            window = self._window(plain)
            seconds: dict[Vits, list[float]] = {plain.model: [], quick.model: []}
            for _ in range(1 + TIMED_RUNS):  # the first run generates code
                for model, taken in seconds.items():
                    began = time.perf_counter()
                    self._render(model, window)
                    taken.append(time.perf_counter() - began)
            slow, fast = (min(taken[1:]) for taken in seconds.values())
            return slow / fast

        conditions = {**self._conditions(plain, quick), "threads": str(torch.get_num_threads())}
        return self._decisions.recall("speedup", conditions, measure)

    def _window(self, plain: LoadedVoice) -> Window:
        voice = plain.voice
        symbols = plain.model.shape.text_encoder.symbols
        ids = tuple(1 + i % (symbols - 1) for i in range(COMPARED_PHONEMES))
        scales = (voice.length_scale, voice.noise_scale, voice.noise_w_scale)
        [plan] = self._prepare([VitsUtterance(voice.id, ids, voice.default_speaker, *scales, seed=0)])
        return Window(plan, 0, min(plan.frames, COMPARED_FRAMES))

    def _conditions(self, plain: LoadedVoice, quick: LoadedVoice) -> Mapping[str, str]:
        voice = plain.voice
        if voice.id not in self._digests:
            self._digests[voice.id] = weights_digest(plain.model)
        return {
            "weights": self._digests[voice.id],
            "scales": f"{voice.length_scale} {voice.noise_scale} {voice.noise_w_scale} {voice.default_speaker}",
            "precision": precision_name(quick.model.dec.conv_pre.dtype),
            "phonoscope": __version__,
            "torch": torch.__version__,
            **device_conditions(self._device),
        }


def weights_digest(model: Vits) -> str:
    """Returns the SHA-256 digest of a network's parameters, with their names and shapes."""
    digest = hashlib.sha256()
    for name, parameter in model.state_dict().items():
        values = np.ascontiguousarray(parameter.detach().cpu().numpy())
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.data)
    return digest.hexdigest()
