"""Keeps where each character of what is spoken comes from, and cuts passages from it."""

from bisect import bisect_right
from dataclasses import replace

from phonoscope.server.text.markdown.writer import Spoken
from phonoscope.server.text.passage import Origin, Passage


class Track:
    """Origins of a text that is spoken, from some offset on."""

    def __init__(self) -> None:
        self._origins: list[Origin] = []
        self._length = 0

    def add(self, spoken: Spoken) -> None:
        """Adds text at the end."""
        start, self._length = self._length, self._length + len(spoken.text)
        last = self._origins[-1] if self._origins else None
        if spoken.is_written and last and not last.is_replaced and last.source_stop == spoken.start:
            self._origins[-1] = replace(last, stop=self._length, source_stop=spoken.stop)
            return
        is_replaced = not spoken.is_written
        # A lexicon may read a character that is written as a reference, but not the marks that end blocks.
        is_settled = is_replaced and spoken.start == spoken.stop
        self._origins.append(Origin(start, self._length, spoken.start, spoken.stop, is_replaced, is_settled))

    def passage(self, start: int, text: str, pause_seconds: float, line_offset: int = 0) -> Passage:
        """Returns the passage of the text that begins at `start`, after a pause."""
        stop = start + len(text)
        first = max(0, bisect_right(self._origins, start, key=lambda origin: origin.start) - 1)
        last = bisect_right(self._origins, stop - 1, key=lambda origin: origin.start)
        origins = tuple(_cut(origin, start, stop) for origin in self._origins[first:last])
        return Passage(text, origins, pause_seconds=pause_seconds, line_offset=line_offset)

    def forget(self, stop: int) -> None:
        """Drops what lies before `stop`."""
        first = bisect_right(self._origins, stop, key=lambda origin: origin.start) - 1
        del self._origins[: max(0, first)]


def _cut(origin: Origin, start: int, stop: int) -> Origin:
    """Returns the part of an origin between two characters, with offsets from `start`."""
    first, last = max(start, origin.start), min(stop, origin.stop)
    if origin.is_replaced:
        return replace(origin, start=first - start, stop=last - start)
    source = origin.source_start + first - origin.start
    return Origin(first - start, last - start, source, source + last - first)
