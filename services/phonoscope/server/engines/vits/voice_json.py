"""Typed access to a voice's JSON: each member is checked when it is read, and errors name it by its path.

Called by `config.py`. An optional member that is null counts as absent, because exporters write null for what they do
not know.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from phonoscope.server.messages import shown


class FieldFault(ValueError):
    """A member is missing or has an invalid value; the message starts with its path."""

    def __init__(self, path: str, description: str) -> None:
        super().__init__(f"{path}: {description}" if path else description)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the file.

    Attributes:
        path: its members' names from the root, such as "inference.noise_scale"; "" for the root.
        content: as `json` parsed it.
    """

    path: str
    content: object

    @property
    def is_absent(self) -> bool:
        """Whether the member does not exist or is null."""
        return self.content is None

    def member(self, name: str) -> "Value":
        """Returns a member of an object; it is absent if the object is."""
        return Value(self._path_of(name), None if self.is_absent else self._object().get(name))

    def members(self) -> Iterator[tuple[str, "Value"]]:
        """Yields all members of an object by name; none if it is absent."""
        for name, content in () if self.is_absent else self._object().items():
            self._check_text(name)
            yield name, Value(self._path_of(name), content)

    def items(self) -> Iterator["Value"]:
        """Yields the items of a list; none if it is absent."""
        if not isinstance(self.content, list | None):
            raise self._unexpected("a list")
        for number, content in enumerate(self.content or ()):
            yield Value(f"{self.path}[{number}]", content)

    def number(self, default: float, minimum: float, maximum: float) -> float:
        """Returns a finite number in a range, or the default if it is absent."""
        if self.is_absent:
            return default
        if isinstance(self.content, bool) or not isinstance(self.content, int | float):
            raise self._unexpected("a number")
        if not minimum <= self.content <= maximum:  # also false for NaN
            raise self._unexpected(f"a number from {minimum:g} to {maximum:g}")
        return float(self.content)

    def integer(self, minimum: int, maximum: int, default: int | None = None) -> int:
        """Returns a whole number in a range, or the default if it is absent; without a default it is required."""
        if self.is_absent and default is not None:
            return default
        content = self.content
        if isinstance(content, float) and math.isfinite(content) and content.is_integer():
            content = int(content)
        if isinstance(content, bool) or not isinstance(content, int):
            raise self._unexpected("a whole number")
        if not minimum <= content <= maximum:
            raise self._unexpected(f"a whole number from {minimum} to {maximum}")
        return content

    def text(self, default: str | None = None) -> str:
        """Returns a text, or the default if it is absent; without a default it is required."""
        if self.is_absent and default is not None:
            return default
        if not isinstance(self.content, str):
            raise self._unexpected("a text")
        self._check_text(self.content)
        return self.content

    def required(self) -> "Value":
        """Returns this value; raises FieldFault if it is absent."""
        if self.is_absent:
            raise FieldFault(self.path, "is missing")
        return self

    def _object(self) -> Mapping[str, object]:
        if not isinstance(self.content, dict):
            raise self._unexpected("an object")
        return self.content

    def _path_of(self, name: str) -> str:
        if not name.isidentifier():
            return f"{self.path}[{shown(name)}]"
        return f"{self.path}.{name}" if self.path else name

    def _check_text(self, text: str) -> None:
        """JSON can contain half a surrogate pair, which no protocol carries, and NUL, which ends a text in C."""
        if not is_utf8(text) or "\0" in text:
            raise FieldFault(self.path, f"expected a text in Unicode without NUL, found {shown(text)}")

    def _unexpected(self, expected: str) -> FieldFault:
        return FieldFault(self.path, f"expected {expected}, found {_described(self.content)}")


def is_utf8(text: str) -> bool:
    """Whether a text is free of halves of surrogate pairs, so that it can be sent and logged."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _described(content: object) -> str:
    """Returns a JSON value as a message shows it."""
    if content is None:
        return "null"
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, dict | list):
        return "an object" if isinstance(content, dict) else "a list"
    if isinstance(content, str):
        return f"the text {shown(content)}"
    return str(content)[:80]
