"""Kokoro's network. `loading.py` builds it and loads its parameters, `engine.py` runs it.

Source: Li et al. 2023 (StyleTTS 2, arXiv:2306.07691) without its diffusion: the style is given. `plan` is the cheap
part, over phonemes and frames; `render` is the expensive one, over samples.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from phonoscope.server.engines.kokoro.albert import Albert
from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.decoder import Decoder
from phonoscope.server.engines.kokoro.layers import by_channel
from phonoscope.server.engines.kokoro.prosody import ProsodyPredictor, TextEncoder


@dataclass(frozen=True, slots=True, eq=False)
class DecoderInput:
    """What the decoder makes samples of.

    Attributes:
        text: vectors of phonemes over frames, (1, hidden, 1, frames).
        f0: in Hz, (1, 1, 1, 2 x frames).
        energy: (1, 1, 1, 2 x frames).
        style: (1, style).
    """

    text: Tensor
    f0: Tensor
    energy: Tensor
    style: Tensor


class Kokoro(nn.Module):
    """The network of one checkpoint; a voice is a style given to it."""

    def __init__(self, shape: KokoroShape) -> None:
        super().__init__()
        self.shape = shape
        self.bert = Albert(shape.albert, shape.symbols)
        self.bert_encoder = nn.Linear(shape.albert.hidden_channels, shape.hidden_channels)
        self.predictor = ProsodyPredictor(shape)
        self.text_encoder = TextEncoder(shape)
        self.decoder = Decoder(shape)

    def plan(self, ids: Tensor, style: Tensor, speeds: Tensor) -> tuple[Tensor, DecoderInput]:
        """Returns the frames of each phoneme (positions,), and the decoder's input.

        Args:
            ids: numbers of phonemes with a pad at both ends, (1, positions).
            style: of the voice, (1, 2 x style): first the sound's half, then the prosody's.
            speeds: of each phoneme, as ratios, (positions,).
        """
        sound, prosody = style.chunk(2, dim=1)
        encoded = self.predictor.text_encoder(self.bert_encoder(self.bert(ids)), prosody)
        frames = (self.predictor.durations(encoded) / speeds).round().clamp(min=1).long()
        f0, energy = self.predictor.curves(encoded.repeat_interleave(frames, dim=1), prosody)
        text = self.text_encoder(ids).repeat_interleave(frames, dim=1)
        return frames, DecoderInput(by_channel(text), f0, energy, sound)

    def render(self, given: DecoderInput, noise: Tensor) -> Tensor:
        """Returns samples (time,) for standard normal noise (time,)."""
        samples: Tensor = self.decoder(given.text, given.f0, given.energy, given.style, noise)
        return samples
