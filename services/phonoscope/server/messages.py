"""Formats a caller's input for error messages: quoted, escaped and truncated."""

from collections.abc import Sequence
from typing import Final

MAX_NAMES_SHOWN: Final = 20
LONGEST_SHOWN: Final = 64  # a screen's width


def shown(value: str) -> str:
    """Returns a string, quoted and truncated."""
    return repr(value if len(value) <= LONGEST_SHOWN else value[: LONGEST_SHOWN - 3] + "...")


def listed(names: Sequence[str]) -> str:
    """Returns the first few names, and the number of further ones."""
    more = len(names) - MAX_NAMES_SHOWN
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (f" and {more} more (see ListVoices)" if more > 0 else "")


def other_voices(able: Sequence[str]) -> str:
    """Returns advice: use one of these voices, or load a voice that does."""
    return f"use another speaker_id: {listed(able)}" if able else "load a voice that does (no loaded voice does)"
