"""Compares a network in two precisions, by sound and by speed. Called by `engine.py` at warm-up.

Both results depend on the weights, the device and the libraries only, so they are kept from one start to the next.
"""

import functools
import hashlib
import time
from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor

from phonoscope import __version__
from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.kokoro.model import DecoderInput, Kokoro, PlanInput
from phonoscope.server.engines.precision import (
    LARGEST_DISTANCE_DB,
    device_conditions,
    log_mel_distance_db,
    precision_name,
)

# A second or two of speech: long enough for a decision, short enough for startup.
COMPARED_PHONEMES: Final = 16
TIMED_RUNS: Final = 2


class PrecisionCheck:
    """Compares networks on one device.

    Args:
        decisions: keeps the results.
        must_be_faster: whether a precision also has to be faster than float32.
    """

    def __init__(self, decisions: Decisions, *, must_be_faster: bool) -> None:
        self._decisions = decisions
        self._must_be_faster = must_be_faster

    def compare(self, plain: Kokoro, quick: Kokoro, style: Tensor) -> tuple[bool, Mapping[str, float]]:
        """Returns whether the second network is better than the first, and what was measured.

        Args:
            plain: in float32.
            quick: in another precision.
            style: of a voice, (2 x style,).
        """
        conditions = _conditions(plain, quick, style)
        speech = functools.cache(lambda: _speech(plain, style))
        distance = self._decisions.recall(
            "kokoro-log-mel-distance-db", conditions, lambda: _distance_db(plain, quick, speech())
        )
        measured = {"log_mel_distance_db": round(distance, 3)}
        if distance > LARGEST_DISTANCE_DB or not self._must_be_faster:
            return distance <= LARGEST_DISTANCE_DB, measured
        conditions = {**conditions, "threads": str(torch.get_num_threads())}
        speedup = self._decisions.recall("kokoro-speedup", conditions, lambda: _speedup(plain, quick, speech()))
        return speedup > 1, {**measured, "speedup": round(speedup, 2)}


def _speech(network: Kokoro, style: Tensor) -> DecoderInput:
    """Returns some phonemes, planned."""
    ids = torch.arange(COMPARED_PHONEMES, device=style.device) * 5 % network.shape.symbols
    plan = PlanInput(ids, style, torch.ones(len(ids), device=style.device))
    [(_, given)] = network.plan([plan], [torch.Generator().manual_seed(0)])
    return given


def _samples(network: Kokoro, given: DecoderInput) -> Tensor:
    [decoded] = network.decode([given])
    return network.whole(decoded).cpu()


def _distance_db(plain: Kokoro, quick: Kokoro, given: DecoderInput) -> float:
    one, other = (_samples(network, given).numpy() for network in (plain, quick))
    return log_mel_distance_db(one, other, SAMPLE_RATE_HZ)


def _speedup(plain: Kokoro, quick: Kokoro, given: DecoderInput) -> float:
    """Returns how many times as fast as the first network the second one is; measured in turns."""
    seconds: dict[Kokoro, list[float]] = {plain: [], quick: []}
    for _ in range(1 + TIMED_RUNS):  # the first run generates code
        for network, taken in seconds.items():
            began = time.perf_counter()
            _samples(network, given)
            taken.append(time.perf_counter() - began)
    slow, fast = (min(taken[1:]) for taken in seconds.values())
    return slow / fast


def _conditions(plain: Kokoro, quick: Kokoro, style: Tensor) -> Mapping[str, str]:
    digest = hashlib.sha256(np.ascontiguousarray(style.cpu().numpy()).data)
    for name, parameter in plain.decoder.state_dict().items():
        digest.update(f"{name} {tuple(parameter.shape)}\n".encode())
        digest.update(np.ascontiguousarray(parameter.cpu().numpy()).data)
    return {
        "weights": digest.hexdigest(),
        "precision": precision_name(quick.decoder.generator.dtype),
        "phonoscope": __version__,
        "torch": torch.__version__,
        **device_conditions(style.device),
    }
