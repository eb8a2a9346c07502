"""Converts a whole Markdown text to a script. Called by `request/resolver.py`."""

from typing import Final

from phonoscope.server.text.markdown.scanner import MarkdownScanner
from phonoscope.server.text.markdown.track import Track
from phonoscope.server.text.markdown.writer import Pause, Spoken
from phonoscope.server.text.passage import Passage, Script

PAUSE_SECONDS: Final = 0.4
"""Of a rule, and of code that is passed over: as long as between two paragraphs of SSML."""


def read_markdown(source: str) -> Script:
    """Returns what a person would read aloud, as passages with pauses between them; any text is valid Markdown."""
    scanner = MarkdownScanner()
    passages: list[Passage] = []
    track, parts, start = Track(), list[str](), 0
    for item in (*scanner.add(source), *scanner.flush(), Pause(len(source))):
        if isinstance(item, Spoken):
            track.add(item)
            parts.append(item.text)
        elif text := "".join(parts):
            pause = PAUSE_SECONDS if passages else 0.0
            passages.append(track.passage(start, text, pause))
            start, parts = start + len(text), []
    return Script(tuple(passages))
