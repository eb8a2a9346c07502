"""Flags of a speech request: one for each option in client/options.py, unless FLAGS has others for it.

Used by `phonoscope say`. A new option gets a flag of its own name, with its documentation as help text.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, cast, get_type_hints

import typer

from phonoscope.client import Pronunciation, SpeechOptions
from phonoscope.client.options import option_specs

NAMES: Final[Mapping[str, tuple[str, ...]]] = {"voice": ("--voice", "-v"), "sample_rate_hz": ("--sample-rate",)}
METAVARS: Final = {"emotion_intensity": "RATIO", "sample_rate_hz": "HZ", "volume_gain_db": "DB", "seed": "N"}


def speech_option_flags() -> Callable[..., SpeechOptions]:
    """Returns what builds the options from flags; its signature lists the flags."""

    def build(**flags: object) -> SpeechOptions:
        weights = emotion_weights_of(str(flags.pop("emotion_weights")))
        by_ipa, by_words = (cast("list[str]", flags.pop(name)) for name in ("pronounce", "respell"))
        parsed = {"emotion_weights": weights, "pronunciations": pronunciations_of(by_ipa, by_words)}
        return cast("SpeechOptions", flags | parsed)

    build.__signature__ = inspect.Signature(list(_flags()))  # type: ignore[attr-defined]  # PEP 362
    return build


def pronunciations_of(pronounce: Sequence[str], respell: Sequence[str]) -> list[Pronunciation]:
    """Parses --pronounce WORD=IPA and --respell WORD=WORDS; raises BadParameter where a part is missing."""
    by_ipa = [Pronunciation(word, ipa=ipa) for word, ipa in _pairs(pronounce, "--pronounce", "tomato=təˈmɑːtoʊ")]
    by_words = [Pronunciation(word, respelling=words) for word, words in _pairs(respell, "--respell", "SQL=sequel")]
    return by_ipa + by_words


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
    "encoding": (),  # `say` writes WAV files
    "request_id": (),
    "ssml": (),  # --ssml states what the text is
    "text_format": (),  # `say` has a flag whose default is the suffix of the file
    "timing_types": (),  # --subtitles and --timings
}
"""Flags of the options that are not a single value, or have none."""
