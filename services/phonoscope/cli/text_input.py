"""The text to speak: from the argument, a file, or standard input. Used by `phonoscope say`."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from phonoscope.cli.subtitle_words import Markup
from phonoscope.client import TextFormat

STDIN: Final = "-"
SSML_SUFFIX: Final = ".ssml"
MARKDOWN_SUFFIXES: Final = frozenset({".md", ".markdown"})


@dataclass(frozen=True, slots=True)
class TextInput:
    """What to speak: plain text, Markdown, or an SSML document."""

    content: str
    is_ssml: bool
    text_format: TextFormat = TextFormat.PLAIN

    @property
    def markup(self) -> Markup:
        """What is written between its words."""
        if self.is_ssml:
            return "ssml"
        return "markdown" if self.text_format is TextFormat.MARKDOWN else "none"

    @property
    def text(self) -> str:
        """The text; empty for a document."""
        return "" if self.is_ssml else self.content

    @property
    def ssml(self) -> str:
        """The document; empty for a text."""
        return self.content if self.is_ssml else ""


def read_text(
    argument: str | None, file: Path | None, *, is_ssml: bool | None, text_format: TextFormat | None = None
) -> TextInput:
    """Returns the text, without white space at its ends.

    "-" as argument or file, or a pipe when neither is given, is standard input. Without `is_ssml` or `text_format` the
    suffix of the file decides. Raises BadParameter when there is no text, two texts, or one that is not UTF-8; OSError
    when the file cannot be read.
    """
    if argument is not None and file is not None:
        raise bad_text("give either a text or --file, not both.")
    if argument is None and file is None and sys.stdin.isatty():
        raise bad_text("no text: give one as an argument, with --file FILE, or on standard input.")
    content = read_utf8(file) if argument in {None, STDIN} else str(argument)
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise bad_text(f"the text is not valid UTF-8 (character {error.start}).") from None
    if not content.strip():
        raise bad_text("the text is blank.")
    is_document = has_suffix(file, {SSML_SUFFIX}) if is_ssml is None else is_ssml
    by_name = TextFormat.MARKDOWN if has_suffix(file, MARKDOWN_SUFFIXES) and not is_document else TextFormat.PLAIN
    return TextInput(content.strip(), is_document, text_format or by_name)


def has_suffix(file: Path | None, suffixes: Collection[str]) -> bool:
    """Whether the name of a file ends in one of the suffixes, in any case."""
    return file is not None and file.suffix.lower() in suffixes


def read_utf8(file: Path | None) -> str:
    """Returns the content of `file`, or of standard input for None and "-"."""
    is_stdin = file is None or str(file) == STDIN
    content = sys.stdin.buffer.read() if file is None or is_stdin else file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_text(f"{'standard input' if is_stdin else file} is not valid UTF-8 (byte {error.start}).") from None


def bad_text(message: str) -> typer.BadParameter:
    """Returns the usage error about the text."""
    return typer.BadParameter(message, param_hint="TEXT")
