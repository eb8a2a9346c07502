"""Versions and addresses: `v1.2.3`, `Python 3.11`, `2.0.1`, `192.168.0.1`."""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, rule

_PRODUCTS: Final = (
    "Python|Java|Ubuntu|Debian|Fedora|Node|Android|iOS|macOS|Windows|Linux|Django|Go|Rust|PHP|Ruby|Perl|CUDA|PyTorch|"
    "Kubernetes|[Vv]ersion|[Rr]elease|[Kk]ernel"
)
_OCTETS: Final = 4
_LAST_OCTET: Final = 255
# Before a label such as "-beta" or at the end of a version.
_END: Final = r"(?![\w/\\@]|[.,:][0-9]|-[0-9])"


def rules(language: Language) -> list[Rule]:
    """Returns the rules for versions and IPv4 addresses, in English."""
    if language.code != "en":
        return []

    def version(match: re.Match[str]) -> str:
        is_said = match.string[max(0, match.start() - len("version ")) : match.start()].strip().lower() == "version"
        return _points(match["numbers"]) if is_said else f"version {_points(match['numbers'])}"

    def product(match: re.Match[str]) -> str:
        return f"{match['name']} {_points(match['numbers'])}"

    def dotted(match: re.Match[str]) -> str | None:
        numbers = match.group().split(".")
        if len(numbers) == _OCTETS and all(int(number) <= _LAST_OCTET for number in numbers):
            return " dot ".join(numbers)
        return _points(match.group())

    address = r"(?![\w\\@]|[.,][0-9]|-[0-9])"  # a port or a prefix length may follow
    return [
        rule("letter", rf"(?<![\w.\-/])[vV]\.?(?P<numbers>[0-9]{{1,4}}(?:\.[0-9]{{1,4}}){{0,4}}){_END}", version),
        rule("letter", rf"(?<!\w)(?P<name>{_PRODUCTS}){SPACE}(?P<numbers>[0-9]{{1,4}}\.[0-9]{{2,4}}){_END}", product),
        rule("digit", rf"{LEFT}[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}{address}", dotted),
        rule("digit", rf"{LEFT}[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{2}}{_END}", dotted),
    ]


def _points(numbers: str) -> str:
    """Returns the numbers of a version; one that begins with zero, such as the "04" of "22.04", by its digits."""
    parts = (
        " ".join("oh" if digit == "0" else digit for digit in number) if number[0] == "0" != number else number
        for number in numbers.split(".")
    )
    return " point ".join(parts)
