"""Flags of a speech request: one for each option in client/options.py, unless FLAGS has others for it.

Used by `phonoscope say`. A new option gets a flag of its own name, with its documentation as help text.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast, get_type_hints

import typer

from phonoscope.client import Pronunciation, Recording, SpeechOptions
from phonoscope.client.options import option_specs

NAMES: Final[Mapping[str, tuple[str, ...]]] = {"voice": ("--voice", "-v"), "sample_rate_hz": ("--sample-rate",)}
METAVARS: Final = {"emotion_intensity": "RATIO", "sample_rate_hz": "HZ", "volume_gain_db": "DB", "seed": "N"}


def speech_option_flags() -> Callable[..., SpeechOptions]:
    """Returns what builds the options from flags; its signature lists the flags."""

    def build(**flags: object) -> SpeechOptions:
        weights = emotion_weights_of(str(flags.pop("emotion_weights")))
        by_ipa, by_words = (cast("list[str]", flags.pop(name)) for name in ("pronounce", "respell"))
        recordings = recordings_of(*(cast("str", flags.pop(name)) for name in RECORDING_FLAGS))
        parsed = {"emotion_weights": weights, "pronunciations": pronunciations_of(by_ipa, by_words)}
        return cast("SpeechOptions", flags | parsed | recordings)

    build.__signature__ = inspect.Signature(list(_flags()))  # type: ignore[attr-defined]  # PEP 362
    return build


def pronunciations_of(pronounce: Sequence[str], respell: Sequence[str]) -> list[Pronunciation]:
    """Parses --pronounce WORD=IPA and --respell WORD=WORDS; raises BadParameter where a part is missing."""
    by_ipa = [Pronunciation(word, ipa=ipa) for word, ipa in _pairs(pronounce, "--pronounce", "tomato=təˈmɑːtoʊ")]
    by_words = [Pronunciation(word, respelling=words) for word, words in _pairs(respell, "--respell", "SQL=sequel")]
    return by_ipa + by_words


def recordings_of(reference: str, transcript: str, emotion_reference: str) -> dict[str, Recording | None]:
    """Returns the recordings of the flags; raises BadParameter for a file that cannot be read."""
    if transcript and not reference:
        raise typer.BadParameter("needs --reference, whose words it has.", param_hint="--reference-transcript")
    return {
        "reference": _recording(reference, transcript, "--reference"),
        "emotion_reference": _recording(emotion_reference, "", "--emotion-reference"),
    }


def _recording(given: str, transcript: str, option: str) -> Recording | None:
    """Returns a recording by its file, or by the name of one that the server has."""
    if not given:
        return None
    path = Path(given).expanduser()
    if not path.exists() and not path.suffix and path.name == given:
        return Recording(name=given, transcript=transcript)
    try:
        if path.stat().st_size > MAX_RECORDING_BYTES:
            raise typer.BadParameter(
                f"{given} has more than {MAX_RECORDING_BYTES // 2**20} MiB; send 3 to 30 s of speech.",
                param_hint=option,
            )
        return Recording(path.read_bytes(), transcript=transcript)
    except OSError as error:
        raise typer.BadParameter(f"{given} cannot be read: {error.strerror}.", param_hint=option) from None


def emotion_weights_of(weights: str) -> dict[str, float]:
    """Parses "happy=0.6,sad=0.2" to weights by name; raises BadParameter for any other form."""
    option, example = "--emotion-weights", "happy=0.6,sad=0.2"
    given = [weight for weight in weights.split(",") if weight.strip()]
    try:
        return {name: float(weight) for name, weight in _pairs(given, option, example)}
    except ValueError:
        raise _bad_form(weights, option, example) from None


def _pairs(given: Sequence[str], option: str, example: str) -> Iterator[tuple[str, str]]:
    for each in given:
        name, _, value = (part.strip() for part in each.partition("="))
        if not (name and value):
            raise _bad_form(each, option, example)
        yield name, value


def _bad_form(given: str, option: str, example: str) -> typer.BadParameter:
    return typer.BadParameter(f"{given!r} is not of the form NAME=VALUE; for example {example}.", param_hint=option)


def _flags() -> Iterator[inspect.Parameter]:
    """Yields the flags in the order of the options."""
    hints = get_type_hints(SpeechOptions)
    for name, option in option_specs().items():
        if name in FLAGS:
            yield from FLAGS[name]
            continue
        info = typer.Option(
            option.default,
            *NAMES.get(name, ()),
            help=option.doc,
            metavar=METAVARS.get(name),
            min=option.minimum,
            max=option.maximum,
        )
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[name], default=info)


def _flag(name: str, hint: object, default: object, *, metavar: str, text: str) -> inspect.Parameter:
    info = typer.Option(default, metavar=metavar, help=text)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=info)


RECORDING_FLAGS: Final = ("reference", "reference_transcript", "emotion_reference")
MAX_RECORDING_BYTES: Final = 10 * 2**20
FLAGS: Final[Mapping[str, tuple[inspect.Parameter, ...]]] = {
    "emotion_weights": (
        _flag(
            "emotion_weights",
            str,
            "",
            metavar="NAME=WEIGHT,…",
            text="Weights of several emotions, at most 1 in total, such as happy=0.6,sad=0.2.",
        ),
    ),
    "pronunciations": (
        _flag(
            "pronounce",
            list[str],
            [],
            metavar="WORD=IPA",
            text="Pronunciation of a word, such as tomato=təˈmɑːtoʊ. Repeatable.",
        ),
        _flag(
            "respell",
            list[str],
            [],
            metavar="WORD=WORDS",
            text="Words to speak in place of a word, such as SQL=sequel. Repeatable.",
        ),
    ),
    "reference": (
        _flag(
            "reference",
            str,
            "",
            metavar="FILE",
            text="Recording to speak like, 3 to 30 s of one person's speech (WAV, FLAC, MP3, Ogg, M4A); or the name "
            "of one that the server has.",
        ),
        _flag("reference_transcript", str, "", metavar="TEXT", text="The words in the recording of --reference."),
    ),
    "emotion_reference": (
        _flag(
            "emotion_reference",
            str,
            "",
            metavar="FILE",
            text="Recording to speak with the emotion of, as a file or a name.",
        ),
    ),
    "encoding": (),  # `say` writes WAV files
    "request_id": (),
    "ssml": (),  # --ssml states what the text is
    "text_format": (),  # `say` has a flag whose default is the suffix of the file
    "timing_types": (),  # --subtitles and --timings
}
"""Flags of the options that are not a single value, or have none."""
