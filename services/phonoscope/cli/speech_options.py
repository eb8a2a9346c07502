"""Options of `phonoscope say` that are more than a value: pronunciations, and weights of emotions."""

from collections.abc import Iterator, Sequence

import typer

from phonoscope.client import Pronunciation


def pronunciations_of(pronounce: Sequence[str], respell: Sequence[str]) -> list[Pronunciation]:
    """Returns what --pronounce WORD=IPA and --respell WORD=WORDS say; raises BadParameter for what says nothing."""
    by_ipa = [Pronunciation(word, ipa=ipa) for word, ipa in _pairs(pronounce, "--pronounce", "tomato=təˈmɑːtoʊ")]
    by_words = [Pronunciation(word, respelling=words) for word, words in _pairs(respell, "--respell", "SQL=sequel")]
    return by_ipa + by_words


def emotion_weights_of(weights: str) -> dict[str, float]:
    """Returns weights by name of "happy=0.6,sad=0.2"; raises BadParameter for what is no such list."""
    option, example = "--emotion-weights", "happy=0.6,sad=0.2"
    given = [weight for weight in weights.split(",") if weight.strip()]
    try:
        return {name: float(weight) for name, weight in _pairs(given, option, example)}
    except ValueError:
        raise _refused(weights, option, example) from None


def _pairs(given: Sequence[str], option: str, example: str) -> Iterator[tuple[str, str]]:
    for each in given:
        name, _, value = (part.strip() for part in each.partition("="))
        if not (name and value):
            raise _refused(each, option, example)
        yield name, value


def _refused(given: str, option: str, example: str) -> typer.BadParameter:
    return typer.BadParameter(f"{given!r} is not of the form NAME=VALUE; write such as {example}.", param_hint=option)
