"""Mixes style packs: what an utterance of several voices is spoken with. Called by `engine.py`.

A mixture is the weighted mean of its packs, as Kokoro's users make it; both halves of a style, sound and prosody, are
mixed. Voices of one network only: `Voice.mixing_group` says which.
"""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import torch

from phonoscope.server.engines.kokoro.loading import LoadedVoice
from phonoscope.server.types import Mixture, Utterance

MAX_KEPT: Final = 32
"""Mixtures kept in memory, 0.5 MiB each; a further one replaces the one that was not used for longest."""


class PackMixer:
    """Returns the voice of each utterance. Called from one thread.

    Args:
        voices: the loaded voices, by id.
    """

    def __init__(self, voices: Mapping[str, LoadedVoice]) -> None:
        self._voices = voices
        self._mixed = functools.lru_cache(maxsize=MAX_KEPT)(self._mix)

    def voice_of(self, utterance: Utterance) -> LoadedVoice:
        """Returns the voice to speak an utterance with: a loaded one, or its first with a mixed pack.

        Raises:
            KeyError: a voice is not loaded.
        """
        return self._mixed(utterance.mixture) if utterance.mixture else self._voices[utterance.voice_id]

    def _mix(self, mixture: Mixture) -> LoadedVoice:
        voices = [self._voices[name] for name, _ in mixture]
        packs = torch.stack([voice.pack for voice in voices])  # (voices, lengths, 2 x style channels)
        weights = torch.tensor([weight for _, weight in mixture], dtype=packs.dtype, device=packs.device)
        pack = torch.einsum("v,vls->ls", weights / weights.sum(), packs)
        return replace(voices[0], pack=pack)
