"""Where the text to say comes from: the argument, a file, or standard input. Used by `phonoscope say`."""

import sys
from pathlib import Path
from typing import Final

import typer

STDIN: Final = "-"
SSML_ENDING: Final = ".ssml"


def text_to_say(argument: str | None, file: Path | None) -> str:
    """Returns the text, without white space at its ends.

    "-" as either one, or a pipe when neither is given, means standard input. Raises BadParameter where there is no
    text or two, or where it is not UTF-8; OSError where the file cannot be read.
    """
    if argument is not None and file is not None:
        raise refused("give the text or --file, not both.")
    if argument is None and file is None and sys.stdin.isatty():
        raise refused("nothing to say: give a text, --file FILE, or pipe text in.")
    text = read(file) if argument in {None, STDIN} else str(argument)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise refused(f"the text is not UTF-8 (character {error.start}).") from None
    if not text.strip():
        raise refused("the text is blank: there is nothing to say.")
    return text.strip()


def is_document(file: Path | None) -> bool:
    """Whether a file's name says that it is SSML."""
    return file is not None and file.suffix.lower() == SSML_ENDING


def read(file: Path | None) -> str:
    """Returns the text of `file`, or of standard input for None and "-"."""
    is_stdin = file is None or str(file) == STDIN
    content = sys.stdin.buffer.read() if file is None or is_stdin else file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(f"{'standard input' if is_stdin else file} is not UTF-8 (byte {error.start}).") from None


def refused(message: str) -> typer.BadParameter:
    """Returns the usage error for the text."""
    return typer.BadParameter(message, param_hint="TEXT")
