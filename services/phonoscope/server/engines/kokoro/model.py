"""Kokoro's network. `loading.py` builds it and loads its parameters, `engine.py` runs it.

Source: Li et al. 2023 (StyleTTS 2, arXiv:2306.07691) without its diffusion: the style is given. `plan` works over
phonemes and frames; `decode` over the whole utterance at low rates. Then samples: `whole` at once, or `measure` and
windows, in `windows.py`. Every method takes several utterances at once, with the results that each has alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.albert import Albert
from phonoscope.server.engines.kokoro.config import CURVE_RATE, KokoroShape
from phonoscope.server.engines.kokoro.decoder import Decoder
from phonoscope.server.engines.kokoro.layers import Given, by_channel
from phonoscope.server.engines.kokoro.moments import OwnMoments
from phonoscope.server.engines.kokoro.prosody import ProsodyPredictor, TextEncoder
from phonoscope.server.engines.mask import SpanMask

OWN_MOMENTS: Final = OwnMoments()


@dataclass(frozen=True, slots=True, eq=False)
class PlanInput:
    """An utterance, or a part of one, to plan.

    Attributes:
        ids: numbers of phonemes with a pad at both ends, (positions,).
        style: of the voice, (2 x style,): first the sound's half, then the prosody's.
        speeds: of each phoneme, as ratios, (positions,).
    """

    ids: Tensor
    style: Tensor
    speeds: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class DecoderInput:
    """What the decoder makes samples of.

    Attributes:
        text: vectors of phonemes over frames, (1, hidden, 1, frames).
        f0: in Hz, (1, 1, 1, 2 x frames).
        energy: (1, 1, 1, 2 x frames).
        style: (1, style).
        noise: of the harmonic source, standard normal, (samples,).
    """

    text: Tensor
    f0: Tensor
    energy: Tensor
    style: Tensor
    noise: Tensor

    @property
    def points(self) -> int:
        """Number of values of F0."""
        return self.f0.shape[3]


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An utterance before the last stage of the generator.

    Attributes:
        x: what the last stage's blocks read, without its source, (1, channels, 1, time), time = hops + 1.
        source: spectra, (1, fft + 2, 1, time).
        style: (1, style).
        points: number of values of F0.
    """

    x: Tensor
    source: Tensor
    style: Tensor
    points: int


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

    def plan(self, batch: Sequence[PlanInput], noises: Sequence[torch.Generator]) -> list[tuple[Tensor, DecoderInput]]:
        """Returns the frames of each phoneme (positions,), and the decoder's input, of each utterance.

        Args:
            batch: utterances.
            noises: the generator of each one's noise, on the CPU.
        """
        lengths = [len(one.ids) for one in batch]
        ids = nn.utils.rnn.pad_sequence([one.ids for one in batch], batch_first=True)
        sound, prosody = torch.stack([one.style for one in batch]).chunk(2, dim=1)
        mask, counts = _padding(lengths)
        is_real = None if mask is None else mask.real(ids.device)
        encoded = self.predictor.text_encoder(self.bert_encoder(self.bert(ids, is_real)), prosody, counts)
        expected = self.predictor.durations(encoded, counts)
        frames = [
            (row[:length] / one.speeds).round().clamp(min=1).long()
            for row, length, one in zip(expected, lengths, batch, strict=True)
        ]
        f0, energy = self._curves(_aligned(encoded, frames), prosody)
        text = _aligned(self.text_encoder(ids, mask, counts), frames)
        return [
            (each, self._decoder_input(text[row], f0[row], energy[row], sound[row], noises[row]))
            for row, each in enumerate(frames)
        ]

    def _curves(self, aligned: Sequence[Tensor], prosody: Tensor) -> tuple[Tensor, Tensor]:
        mask, counts = _padding([len(one) for one in aligned])
        padded = nn.utils.rnn.pad_sequence(list(aligned), batch_first=True)
        curves: tuple[Tensor, Tensor] = self.predictor.curves(padded, Given(prosody, OWN_MOMENTS, mask), counts)
        return curves

    def _decoder_input(
        self, text: Tensor, f0: Tensor, energy: Tensor, sound: Tensor, source: torch.Generator
    ) -> DecoderInput:
        points = CURVE_RATE * len(text)
        noise = torch.randn(points * self.shape.samples_per_curve_point, generator=source).to(text.device)
        f0, energy = f0[None, ..., :points], energy[None, ..., :points]
        return DecoderInput(by_channel(text[None]), f0, energy, sound[None], noise)

    def decode(self, batch: Sequence[DecoderInput]) -> list[Decoded]:
        """Returns each utterance before the last stage."""
        points = [one.points for one in batch]
        mask, _ = _padding([count // CURVE_RATE for count in points])
        given = Given(torch.cat([one.style for one in batch]), OWN_MOMENTS, mask)
        text, f0, energy = (_padded([getattr(one, name) for one in batch]) for name in ("text", "f0", "energy"))
        features = self.decoder.features(text, f0, energy, given)
        generator = self.decoder.generator
        spectra = [generator.source(one.f0.flatten(), one.noise) for one in batch]
        x = generator.early_stages(features, _padded(spectra), given.stretched(CURVE_RATE))
        return [
            Decoded(x[row : row + 1, ..., : source.shape[3]], source, batch[row].style, points[row])
            for row, source in enumerate(spectra)
        ]

    def whole(self, decoded: Decoded) -> Tensor:
        """Returns the samples (time,) of an utterance, normalised by the moments of all of it."""
        generator, given = self.decoder.generator, Given(decoded.style, OWN_MOMENTS)
        x = decoded.x + generator.last_source(decoded.source, given)
        samples: Tensor = generator.samples(generator.last_blocks(x, given))[0]
        return samples


def _padding(lengths: Sequence[int]) -> tuple[SpanMask | None, Tensor | None]:
    """Returns the mask of rows of these lengths, and the lengths as a tensor; None where there is no padding."""
    mask = SpanMask.of([(0, length) for length in lengths], max(lengths))
    return mask, None if mask is None else torch.tensor(lengths)


def _aligned(x: Tensor, frames: Sequence[Tensor]) -> list[Tensor]:
    """Returns each row's vectors of phonemes over frames, (frames, channels)."""
    return [row[: len(each)].repeat_interleave(each, dim=0) for row, each in zip(x, frames, strict=True)]


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """Returns rows (1, channels, 1, time) as one batch with channels last in memory, padded with zeros."""
    if len(rows) == 1:
        return rows[0]
    longest = max(row.shape[3] for row in rows)
    padded = torch.cat([F.pad(row, (0, longest - row.shape[3])) for row in rows])
    return padded.contiguous(memory_format=torch.channels_last)
