"""The shape of Kokoro's network: as published for Kokoro-82M, or as a `config.json` beside the checkpoint states.

Called by `loading.py`. The names of the file's members are those of the published `config.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Final

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.voice_files import read_voice_file

CONFIG_NAME: Final = "config.json"
SAMPLE_RATE_HZ: Final = 24_000
# The network reads F0 and energy at twice the rate of the frames that durations count.
CURVE_RATE: Final = 2
_LARGEST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class AlbertShape:
    """The text encoder that predicts prosody: layers of shared parameters (Lan et al. 2019)."""

    embedding_channels: int = 128
    hidden_channels: int = 768
    filter_channels: int = 2048
    heads: int = 12
    layers: int = 12
    positions: int = 512


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """The vocoder (iSTFTNet, Kaneko et al. 2022)."""

    channels: int = 512
    rates: tuple[int, ...] = (10, 6)
    kernel_sizes: tuple[int, ...] = (20, 12)
    block_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    block_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    fft_size: int = 20
    hop: int = 5


@dataclass(frozen=True, slots=True)
class KokoroShape:
    """Everything that determines the network's parameters.

    Attributes:
        symbols: size of the embeddings of phonemes.
        hidden_channels, style_channels: of the text and of each half of a style.
        layers: of the duration encoder and of the text encoder.
        max_duration: longest duration of a phoneme, in frames, before speed.
        decoder_channels, residual_channels: inside the decoder; no published configuration states them.
    """

    symbols: int = 178
    hidden_channels: int = 512
    style_channels: int = 128
    layers: int = 3
    kernel_size: int = 5
    max_duration: int = 50
    decoder_channels: int = 1024
    residual_channels: int = 64
    albert: AlbertShape = field(default_factory=AlbertShape)
    generator: GeneratorShape = field(default_factory=GeneratorShape)

    @property
    def samples_per_curve_point(self) -> int:
        """Samples for each value of F0."""
        return prod(self.generator.rates) * self.generator.hop

    @property
    def samples_per_frame(self) -> int:
        """Samples for each frame of a duration: 600, 25 ms."""
        return CURVE_RATE * self.samples_per_curve_point

    @property
    def max_symbols(self) -> int:
        """Phonemes that the network reads at once, without the pad at both ends."""
        return self.albert.positions - 2


@dataclass(frozen=True, slots=True)
class KokoroConfig:
    """A network's shape, and the number of each phoneme."""

    shape: KokoroShape = field(default_factory=KokoroShape)
    vocabulary: Mapping[str, int] = field(default_factory=lambda: VOCABULARY)


def read_config(path: Path) -> KokoroConfig:
    """Reads a published `config.json`.

    Raises:
        VoiceFileError: it is not JSON, or a member is missing or has an invalid value.
    """
    try:
        root = json.loads(read_voice_file(path))
        return KokoroConfig(_shape(root), _vocabulary(root))
    except KeyError as error:
        reason = f"has no member {error}"
    except (ValueError, TypeError, AttributeError) as error:  # JSON and UTF-8 errors are ValueErrors
        reason = " ".join(str(error).split())
    raise VoiceFileError(f"{path}: is not the configuration of Kokoro ({reason}); download it again, or remove it")


def _shape(root: Mapping[str, object]) -> KokoroShape:
    albert, generator = _object(root["plbert"]), _object(root["istftnet"])
    return KokoroShape(
        symbols=_count(root["n_token"]),
        hidden_channels=_count(root["hidden_dim"]),
        style_channels=_count(root["style_dim"]),
        layers=_count(root["n_layer"]),
        kernel_size=_count(root["text_encoder_kernel_size"]),
        max_duration=_count(root["max_dur"]),
        albert=AlbertShape(
            hidden_channels=_count(albert["hidden_size"]),
            filter_channels=_count(albert["intermediate_size"]),
            heads=_count(albert["num_attention_heads"]),
            layers=_count(albert["num_hidden_layers"]),
            positions=_count(albert["max_position_embeddings"]),
        ),
        generator=GeneratorShape(
            channels=_count(generator["upsample_initial_channel"]),
            rates=_counts(generator["upsample_rates"]),
            kernel_sizes=_counts(generator["upsample_kernel_sizes"]),
            block_kernel_sizes=_counts(generator["resblock_kernel_sizes"]),
            block_dilations=tuple(_counts(one) for one in _list(generator["resblock_dilation_sizes"])),
            fft_size=_count(generator["gen_istft_n_fft"]),
            hop=_count(generator["gen_istft_hop_size"]),
        ),
    )


def _vocabulary(root: Mapping[str, object]) -> Mapping[str, int]:
    vocabulary = {symbol: _count(number) for symbol, number in _object(root["vocab"]).items()}
    symbols = _count(root["n_token"])
    if high := [symbol for symbol, number in vocabulary.items() if number >= symbols]:
        raise ValueError(f"vocab: the number of {high[0]!r} is not below n_token, {symbols}")
    return vocabulary


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {str(value)[:40]!r}")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"expected a list, found {str(value)[:40]!r}")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
        raise ValueError(f"expected a whole number from 1 to {_LARGEST}, found {str(value)[:40]!r}")
    return value


def _counts(value: object) -> tuple[int, ...]:
    return tuple(_count(one) for one in _list(value))
