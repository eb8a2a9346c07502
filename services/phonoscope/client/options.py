"""The list of speech options: name, type, default, limits and protobuf field of each.

Everything else is derived from it: blocking.py and aio.py accept the options as keyword arguments, wire.py writes them
into the protobuf request, and cli/speech_options.py makes a flag of each. To add an option, add its field here and in
protos/.
"""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, TypedDict, get_type_hints

from phonoscope.client.types import Encoding, Pronunciation, Recording, TextFormat, TimingType, UnpronounceableText


@dataclass(frozen=True, slots=True)
class Option:
    """Metadata of one field of SpeechOptions.

    Attributes:
        default: value of an option that is not given; None leaves the protobuf field unset.
        doc: meaning, unit and limits; also the help text of the CLI's flag.
        wire: path of the field in SynthesizeRequest; empty when it has the option's name.
        minimum: least value that the protobuf field can carry. The server checks the limits that `doc` names.
        maximum: greatest value that the protobuf field can carry.
    """

    default: object
    doc: str
    wire: str = ""
    minimum: int | None = None
    maximum: int | None = None


class SpeechOptions(TypedDict, total=False):
    """Options of one speech request: the keyword arguments of `synthesize`, `stream` and `stream_pieces`.

    All are optional. The `Option` of each field states its default, its unit and the limits that the server checks.
    """

    voice: Annotated[
        str,
        Option(
            "",
            "Voice id, voice:speaker, or a mixture such as af_bella(2)+af_sky. Defaults to the first voice of the "
            "language, or of the server.",
            wire="speaker_id",
        ),
    ]
    speed: Annotated[float, Option(1.0, "Speaking rate as a ratio, 0.25 to 4; 2 is twice as fast.")]
    pitch: Annotated[float, Option(1.0, "Pitch as a ratio, 0.5 to 2; 2 is an octave higher.")]
    emotion: Annotated[
        str,
        Option(
            "",
            "Emotion: happy, angry, sad, afraid, disgusted, melancholic, surprised, calm or neutral; or auto, which "
            "finds the emotion of each sentence by its text.",
        ),
    ]
    emotion_weights: Annotated[
        Mapping[str, float],
        Option(None, "Weights of several emotions, 0 to 1 each and at most 1 in total, in place of one emotion."),
    ]
    emotion_intensity: Annotated[float | None, Option(None, "Strength of the emotion, 0 to 1. Defaults to 1.")]
    language: Annotated[
        str,
        Option("", "Language as a BCP 47 tag, or auto to select a voice by script. Defaults to that of the voice."),
    ]
    encoding: Annotated[
        Encoding,
        Option(
            Encoding.LINEAR16,
            "Audio encoding. LINEAR16 is 16-bit signed little-endian samples without a header.",
            wire="audio_config.encoding",
        ),
    ]
    sample_rate_hz: Annotated[
        int,
        Option(
            0,
            "Sample rate in hertz, 8000 to 48000; 0 is the rate of the voice.",
            wire="audio_config.sample_rate_hertz",
            minimum=0,
        ),
    ]
    volume_gain_db: Annotated[
        float, Option(0.0, "Volume gain in decibels, -96 to 16.", wire="audio_config.volume_gain_db")
    ]
    seed: Annotated[
        int | None,
        Option(
            None,
            "Random seed. The same text, options and seed give the same audio. Defaults to a new seed.",
            minimum=0,
            maximum=2**64 - 1,
        ),
    ]
    request_id: Annotated[
        str,
        Option("", "Id of the request in the server's logs, up to 128 ASCII characters. Defaults to a new id."),
    ]
    ssml: Annotated[str, Option("", "SSML 1.1 document, in place of the text. Not accepted with incremental input.")]
    pronunciations: Annotated[
        Sequence[Pronunciation],
        Option((), "Pronunciations of words in this text, up to 1000. They override the server's lexicon."),
    ]
    timing_types: Annotated[Collection[TimingType], Option((), "Timings to return with the audio.")]
    text_format: Annotated[
        TextFormat,
        Option(TextFormat.PLAIN, "Format of the text: plain, or Markdown, which is read as a person reads it aloud."),
    ]
    unpronounceable_text: Annotated[
        UnpronounceableText,
        Option(
            UnpronounceableText.ERROR,
            "Response to a text with nothing to pronounce, such as an emoji: an error, or 0.2 s of silence.",
        ),
    ]
    reference: Annotated[
        Recording | None, Option(None, "Recording to speak like, 3 to 30 s of one person's speech, up to 10 MiB.")
    ]
    emotion_reference: Annotated[
        Recording | None, Option(None, "Recording to speak with the emotion of, in place of the other emotions.")
    ]


@functools.cache
def option_specs() -> Mapping[str, Option]:
    """Returns the Option of each field of SpeechOptions, in the order of the list."""
    hints = get_type_hints(SpeechOptions, include_extras=True)
    return MappingProxyType({name: hint.__metadata__[0] for name, hint in hints.items()})
