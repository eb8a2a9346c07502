"""A Piper voice's configuration: its `.onnx.json` and the shape of its network.

`weights.py` reads shapes from the `.onnx` file, so that every quality (x_low, low, medium, high), with one speaker or
many, needs no table here. `loading.py` combines both.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.types import PhonemeScheme, Voice


@dataclass(frozen=True, slots=True)
class ConvShape:
    """A one-dimensional convolution: channels, taps and spacing."""

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    bias: bool = True

    @property
    def radius(self) -> int:
        """Samples to each side that one output sample depends on."""
        return (self.kernel_size - 1) // 2 * self.dilation


@dataclass(frozen=True, slots=True)
class TextEncoderShape:
    """The prior's encoder: transformer with relative positions (Kim et al. 2021, section 2.5.1)."""

    symbols: int
    hidden_channels: int
    filter_channels: int
    kernel_size: int
    heads: int
    layers: int
    window: int
    latent_channels: int


@dataclass(frozen=True, slots=True)
class DurationShape:
    """The stochastic duration predictor (Kim et al. 2021, section 2.5.5)."""

    hidden_channels: int
    filter_channels: int
    kernel_size: int
    layers: int
    flow_numbers: tuple[int, ...]
    bins: int


@dataclass(frozen=True, slots=True)
class FlowShape:
    """The normalising flow: affine couplings on WaveNet residual blocks (Kim et al. 2021, section 2.5.3)."""

    latent_channels: int
    hidden_channels: int
    flow_numbers: tuple[int, ...]
    kernel_size: int
    dilations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """The HiFi-GAN generator (Kong et al. 2020, section 2.2).

    Attributes:
        conv_pre, conv_post: first and last convolution.
        ups: transposed convolutions, one per stage.
        blocks: residual blocks by stage; each is a list of layers, each layer one convolution (the paper's type 2)
            or two (type 1).
    """

    conv_pre: ConvShape
    ups: tuple[ConvShape, ...]
    blocks: tuple[tuple[tuple[tuple[ConvShape, ...], ...], ...], ...]
    conv_post: ConvShape

    @property
    def stages(self) -> tuple[tuple[ConvShape, int], ...]:
        """Each stage's upsampling, and the reach of its outputs from there; `conv_post` belongs to the last."""
        radii = [
            max(sum(conv.radius for layer in block for conv in layer) for block in stage) for stage in self.blocks
        ]
        radii[-1] += self.conv_post.radius
        return tuple(zip(self.ups, radii, strict=True))

    @property
    def stage_reaches(self) -> tuple[int, ...]:
        """Input positions to each side that each stage's outputs of one position depend on."""
        return tuple(_reach([stage]) for stage in self.stages)


def _reach(stages: Sequence[tuple[ConvShape, int]]) -> int:
    """Returns the input positions to each side that the outputs of one input position depend on."""
    first, last = 0, math.prod(up.stride for up, _ in stages) - 1
    for up, radius in reversed(stages):
        first, last = first - radius, last + radius
        first = -((up.kernel_size - 1 - up.padding - first) // up.stride)
        last = (last + up.padding) // up.stride
    return max(-first, last)


@dataclass(frozen=True, slots=True)
class VitsShape:
    """A whole network; `speaker_channels` is 0 for a voice of one speaker."""

    text_encoder: TextEncoderShape
    duration: DurationShape
    flow: FlowShape
    generator: GeneratorShape
    speakers: int
    speaker_channels: int

    @property
    def samples_per_frame(self) -> int:
        """Samples that the generator makes from one frame."""
        return math.prod(up.stride for up in self.generator.ups)

    @property
    def flow_context_frames(self) -> int:
        """Frames to each side that one frame of the flow's output depends on."""
        radius = (self.flow.kernel_size - 1) // 2
        return len(self.flow.flow_numbers) * sum(radius * dilation for dilation in self.flow.dilations)

    @property
    def generator_context_frames(self) -> int:
        """Frames to each side that the samples of one frame depend on."""
        return _reach(self.generator.stages) + self.generator.conv_pre.radius


@dataclass(frozen=True, slots=True)
class PiperVoice(Voice):
    """A voice and its own inference settings (Kim et al. 2021, section 2.2); VitsUtterance explains each."""

    length_scale: float = 1.0
    noise_scale: float = 0.667
    noise_w_scale: float = 0.8


def read_voice(config_path: Path) -> PiperVoice:
    """Reads a Piper voice's JSON; its id is the file's name.

    Raises:
        VoiceFileError: the file is missing, is not JSON, or lacks a required key.
    """
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        return _voice_from_json(config_path.name.removesuffix(".onnx.json"), config)
    except FileNotFoundError:
        raise VoiceFileError(
            f"{config_path}: no such file; a Piper voice is a pair of files, NAME.onnx and NAME.onnx.json"
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise VoiceFileError(f"{config_path}: cannot be read as JSON ({error}); download the voice again") from error
    except KeyError as error:
        raise VoiceFileError(f"{config_path}: has no {error}; is it the JSON of a Piper voice?") from error
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise VoiceFileError(f"{config_path}: {error}; is it the JSON of a Piper voice?") from error


def _voice_from_json(voice_id: str, config: Mapping[str, Any]) -> PiperVoice:
    inference = config.get("inference", {})
    audio = config["audio"]
    return _checked(
        PiperVoice(
            id=voice_id,
            language=_language_tag(voice_id, config),
            sample_rate_hz=int(audio["sample_rate"]),
            phonemes=_phoneme_scheme(config),
            speakers=_speaker_names(config),
            default_speaker=int(config.get("default_speaker_id", 0)),
            engine="vits",
            quality=str(audio.get("quality", "")),
            length_scale=float(inference.get("length_scale", 1.0)),
            noise_scale=float(inference.get("noise_scale", 0.667)),
            noise_w_scale=float(inference.get("noise_w", 0.8)),
        )
    )


def _checked(voice: PiperVoice) -> PiperVoice:
    """Returns the voice; raises ValueError if a number is out of range."""
    scales = (voice.length_scale, voice.noise_scale, voice.noise_w_scale)
    if not all(math.isfinite(scale) and scale >= 0 for scale in scales) or voice.length_scale == 0:
        raise ValueError(f"length_scale, noise_scale and noise_w are {scales}, which are not ratios")
    if voice.sample_rate_hz < 1:
        raise ValueError(f"sample_rate is {voice.sample_rate_hz}; it must be at least 1")
    if not 0 <= voice.default_speaker < max(1, len(voice.speakers)):
        count = len(voice.speakers)
        raise ValueError(f"default_speaker_id is {voice.default_speaker}, but the voice has {count} speakers")
    if negative := [phoneme for phoneme, ids in voice.phonemes.ids.items() if min(ids, default=0) < 0]:
        raise ValueError(f"phoneme_id_map has negative ids for {negative}")
    return voice


def _phoneme_scheme(config: Mapping[str, Any]) -> PhonemeScheme:
    kind = str(config.get("phoneme_type", "espeak"))
    if kind not in ("espeak", "text"):
        raise ValueError(f"phoneme_type {kind!r} is not supported; use a voice with espeak or text")
    ids = {str(phoneme): tuple(int(i) for i in numbers) for phoneme, numbers in config["phoneme_id_map"].items()}
    if missing := [mark for mark in "_^$" if mark not in ids]:
        raise ValueError(f"phoneme_id_map lacks {missing}")
    return PhonemeScheme(
        kind="espeak" if kind == "espeak" else "text",
        espeak_voice=str(config.get("espeak", {}).get("voice", "")) if kind == "text" else config["espeak"]["voice"],
        ids=ids,
        clusters=frozenset(tuple(cluster) for cluster in config.get("vowel_clusters") or ()),
    )


def _speaker_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns speaker names by number; speakers without a name use their number."""
    count = int(config.get("num_speakers", 1))
    if count <= 1:
        return ()
    names = {int(number): str(name) for name, number in config.get("speaker_id_map", {}).items()}
    return tuple(names.get(number, str(number)) for number in range(count))


def _language_tag(voice_id: str, config: Mapping[str, Any]) -> str:
    """Returns the BCP 47 tag: from the file's language code, else from a Piper-style name, else from espeak's."""
    code = config.get("language", {}).get("code", "")
    if not code and "_" in (head := voice_id.split("-", 1)[0]):
        code = head
    return str(code or config.get("espeak", {}).get("voice", "") or "und").replace("_", "-")
