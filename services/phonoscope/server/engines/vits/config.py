"""A Piper voice's configuration: its `.onnx.json` and the shape of its network.

`weights.py` reads shapes from the `.onnx` file, so that every quality (x_low, low, medium, high), with one speaker or
many, needs no table here. `loading.py` combines both.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.vits.voice_json import FieldFault, Value, is_utf8
from phonoscope.server.engines.voice_files import read_voice_file
from phonoscope.server.messages import shown
from phonoscope.server.types import PhonemeScheme, Voice

# Far beyond any voice: they keep a damaged file from asking for endless speech, or for all memory.
MAX_SAMPLE_RATE_HZ: Final = 384_000
MAX_SPEAKERS: Final = 100_000
MAX_PHONEME_ID: Final = 1_000_000
MIN_LENGTH_SCALE: Final = 0.01
MAX_SCALE: Final = 100.0

LONGEST_LANGUAGE: Final = 3  # letters: espeak-ng also takes names of voices, such as "english-us"
REGION_LETTERS: Final = 2
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_PIPER_NAME: Final = re.compile(r"([a-z]{2,3}_[A-Z]{2})-[^-]+-(?:x_low|low|medium|high)")


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
        VoiceFileError: the file cannot be read, is not JSON, or a member is missing or invalid.
    """
    content = read_voice_file(config_path)
    voice_id = config_path.name.removesuffix(".onnx.json")
    if not is_utf8(voice_id):
        raise VoiceFileError(f"{str(config_path)!a}: the file's name is not UTF-8; rename it")
    try:
        config = Value("", json.loads(content.decode("utf-8")))
        return _voice_from_json(voice_id, config)
    except FieldFault as fault:
        raise VoiceFileError(f"{config_path}: {fault}; is it the JSON of a Piper voice?") from None
    except (ValueError, RecursionError) as error:  # of the decoder, whose numbers and depth are limited
        raise VoiceFileError(f"{config_path}: cannot be read as JSON ({error}); download the voice again") from error


def _voice_from_json(voice_id: str, config: Value) -> PiperVoice:
    audio, inference = config.member("audio"), config.member("inference")
    speakers = _speaker_names(config)
    return PiperVoice(
        id=voice_id,
        language=_language_tag(voice_id, config),
        sample_rate_hz=audio.required().member("sample_rate").required().integer(1, MAX_SAMPLE_RATE_HZ),
        phonemes=_phoneme_scheme(config),
        speakers=speakers,
        default_speaker=config.member("default_speaker_id").integer(0, max(1, len(speakers)) - 1, default=0),
        engine="vits",
        quality=audio.member("quality").text(default=""),
        length_scale=inference.member("length_scale").number(1.0, MIN_LENGTH_SCALE, MAX_SCALE),
        noise_scale=inference.member("noise_scale").number(0.667, 0.0, MAX_SCALE),
        noise_w_scale=inference.member("noise_w").number(0.8, 0.0, MAX_SCALE),
    )


def _phoneme_scheme(config: Value) -> PhonemeScheme:
    kind = _phoneme_kind(config.member("phoneme_type"))
    espeak_voice = config.member("espeak").member("voice")
    clusters = config.member("vowel_clusters").items()
    return PhonemeScheme(
        kind=kind,
        espeak_voice=espeak_voice.text(default="") if kind == "text" else espeak_voice.required().text(),
        ids=_phoneme_ids(config.member("phoneme_id_map").required()),
        clusters=frozenset(tuple(symbol.text() for symbol in cluster.items()) for cluster in clusters),
    )


def _phoneme_kind(phoneme_type: Value) -> Literal["espeak", "text"]:
    """Returns the kind for "espeak", or for "PhonemeType.ESPEAK", as exporters write that print Piper's enum."""
    match phoneme_type.text(default="espeak").rpartition(".")[2].lower():
        case "espeak":
            return "espeak"
        case "text":
            return "text"
    raise FieldFault(
        phoneme_type.path, f"{shown(phoneme_type.text())} is not supported; use a voice with espeak or text"
    )


def _phoneme_ids(phoneme_id_map: Value) -> dict[str, tuple[int, ...]]:
    ids = {
        phoneme: tuple(number.integer(0, MAX_PHONEME_ID) for number in numbers.required().items())
        for phoneme, numbers in phoneme_id_map.members()
    }
    if missing := [mark for mark in "_^$" if not ids.get(mark)]:
        raise FieldFault(phoneme_id_map.path, f"lacks {missing}")
    return ids


def _speaker_names(config: Value) -> tuple[str, ...]:
    """Returns speaker names by number; speakers without a name use their number."""
    count = config.member("num_speakers").integer(0, MAX_SPEAKERS, default=1)
    names = {number.integer(0, MAX_SPEAKERS): name for name, number in config.member("speaker_id_map").members()}
    return tuple(names.get(number, str(number)) for number in range(count)) if count > 1 else ()


def _language_tag(voice_id: str, config: Value) -> str:
    """Returns the BCP 47 tag: the file's language code, else espeak's voice, else that of a Piper-style name."""
    language = config.member("language")
    code = language if isinstance(language.content, str) else language.member("code")
    if given := code.text(default=""):
        if not _TAG.fullmatch(given):
            raise FieldFault(code.path, f"expected a language code such as en_US, found {shown(given)}")
        return given.replace("_", "-")
    espeak_voice = config.member("espeak").member("voice").text(default="").rpartition("/")[2].partition("+")[0]
    if _TAG.fullmatch(espeak_voice) and len(espeak_voice.partition("-")[0]) <= LONGEST_LANGUAGE:
        return _with_usual_case(espeak_voice)
    piper_name = _PIPER_NAME.fullmatch(voice_id)
    return piper_name[1].replace("_", "-") if piper_name else "und"


def _with_usual_case(tag: str) -> str:
    """Returns a tag with its region in capitals, as "en-US" for espeak-ng's "en-us" (RFC 5646, section 2.1.1)."""
    language, *rest = tag.split("-")
    if rest and len(rest[0]) == REGION_LETTERS:
        rest[0] = rest[0].upper()
    return "-".join([language.lower(), *rest])
