"""Emotions as prosody: how far each changes rate, pitch, its range, loudness and liveliness from neutral speech.

request/ mixes the requested emotions; speech/, the engine and audio/ apply the result. The directions are those
on which the literature agrees; the sizes are ours, small enough to keep every word intelligible. Per emotion:

- happy: faster, fewer pauses, higher, much wider, louder (Murray and Arnott 1993, table 1; Juslin and Laukka 2003,
  table 7).
- angry: faster, fewer pauses, higher, much wider, louder (Murray and Arnott; hot anger of Banse and Scherer 1996).
- sad: slower, longer pauses, lower, narrower, softer (all sources; the clearest effect).
- afraid: much faster, much higher (Murray and Arnott); its range, loudness and pauses differ from study to study.
- disgusted: very much slower, lower, softer (Murray and Arnott).
- melancholic: like sad, but slower and flatter: quiet sorrow of Burkhardt and Sendlmeier (2000).
- surprised: higher and much wider, a little faster (Schröder 2001, table 1).
- calm: slower, longer pauses, lower, narrower, softer: tenderness of Juslin and Laukka.

Murray, Arnott: "Toward the simulation of emotion in synthetic speech", JASA 93. Banse, Scherer: "Acoustic profiles in
vocal emotion expression", JPSP 70. Juslin, Laukka: "Communication of emotions in vocal expression and music
performance", Psychological Bulletin 129. Burkhardt, Sendlmeier: "Verification of acoustical correlates of emotional
speech using formant-synthesis", ISCA workshop on speech and emotion. Schröder: "Emotional speech synthesis: a review".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Prosody:
    """How speech differs from neutral speech; every default is neutral.

    Attributes:
        rate, pitch: ratios.
        pitch_hz: hertz added after that ratio is applied to the speaker's own pitch.
        pitch_range: of the pitch's movement around its mean, as a ratio on a logarithmic scale.
        gain_db: decibels.
        noise, rhythm: ratios to the voice's noise_scale and noise_w_scale: how much timbre and rhythm vary.
        pauses: length of pauses within a sentence, as a ratio, in addition to the effect of the rate.
    """

    rate: float = 1.0
    pitch: float = 1.0
    pitch_hz: float = 0.0
    pitch_range: float = 1.0
    gain_db: float = 0.0
    noise: float = 1.0
    rhythm: float = 1.0
    pauses: float = 1.0


NEUTRAL: Final = Prosody()
_SUMS: Final = ("gain_db", "pitch_hz")
EMOTIONS: Final[Mapping[str, Prosody]] = MappingProxyType(
    {
        "happy": Prosody(rate=1.08, pitch=1.12, pitch_range=1.4, gain_db=3.0, noise=1.1, rhythm=1.1, pauses=0.85),
        "angry": Prosody(rate=1.12, pitch=1.1, pitch_range=1.45, gain_db=5.0, noise=1.1, pauses=0.8),
        "sad": Prosody(rate=0.85, pitch=0.93, pitch_range=0.65, gain_db=-3.0, noise=0.9, rhythm=0.9, pauses=1.6),
        "afraid": Prosody(rate=1.2, pitch=1.22, rhythm=1.15),
        "disgusted": Prosody(rate=0.8, pitch=0.92, gain_db=-1.5),
        "melancholic": Prosody(
            rate=0.8, pitch=0.9, pitch_range=0.55, gain_db=-4.0, noise=0.85, rhythm=0.85, pauses=1.8
        ),
        "surprised": Prosody(rate=1.05, pitch=1.25, pitch_range=1.5, gain_db=2.5, noise=1.1),
        "calm": Prosody(rate=0.92, pitch=0.94, pitch_range=0.75, gain_db=-2.0, noise=0.9, rhythm=0.9, pauses=1.3),
    }
)


def mixed(weights: Mapping[str, float]) -> Prosody:
    """Returns the weighted mix of emotions, the rest up to 1 being neutral: ratios as powers, others as sums."""
    amounts: dict[str, float] = {}
    for field in fields(Prosody):
        values = [(getattr(EMOTIONS[name], field.name), weight) for name, weight in weights.items()]
        if field.name in _SUMS:
            amounts[field.name] = sum(value * weight for value, weight in values)
        else:
            amounts[field.name] = math.prod(value**weight for value, weight in values)
    return Prosody(**amounts)
