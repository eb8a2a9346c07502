"""What --unsupported-ssml skip passes over besides elements and attributes: values, and voices that are not loaded.

Called by `document.py`. Documents that were written for another service are spoken as well as they can be.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from phonoscope.server.text.safe_xml import Refusal
from phonoscope.server.text.ssml.elements import Frame
from phonoscope.server.text.ssml.speakers import NobodySpeaks, Speakers

CENSORED: Final = frozenset({"bleep", "expletive"})
"""Values of interpret-as whose content must not be spoken."""


def with_usable_values(frame: Frame, read: Callable[[Frame], object]) -> Frame:
    """Returns an element without the attributes whose values `read` refuses."""
    usable = {}
    for name, value in (frame.attributes or {}).items():
        try:
            read(replace(frame, attributes={name: value}))
        except Refusal:
            continue
        usable[name] = value
    return replace(frame, attributes=usable)


def named_or_same(speakers: Speakers, frame: Frame) -> Frame:
    """Returns a <voice> element with the voice that it names, or with the current one if no such voice is loaded."""
    try:
        return speakers.named(frame)
    except (NobodySpeaks, Refusal):
        return frame
