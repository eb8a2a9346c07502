"""A sentence of a request, as the engine takes it."""

import hashlib

from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.types import Utterance, Voice


def utterance_of(
    resolved: ResolvedRequest,
    voice: Voice,
    speaker: int,
    sentence: Sentence,
    number: int,
    rates: tuple[float, ...] = (),
) -> Utterance:
    """Returns the sentence of that number, as the request wants it spoken, by that speaker."""
    return Utterance(
        voice_id=voice.id,
        phoneme_ids=sentence.phoneme_ids,
        speaker=speaker,
        length_scale=voice.length_scale,
        noise_scale=voice.noise_scale * resolved.prosody.noise,
        noise_w_scale=voice.noise_w_scale * resolved.prosody.rhythm,
        seed=sentence_seed(resolved.seed, number),
        speed=resolved.speed,
        rates=rates,
    )


def sentence_seed(seed: int, number: int) -> int:
    """Returns a seed of its own for each sentence of a request, so that none repeats another's noise."""
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # torch takes seeds below 2**63
