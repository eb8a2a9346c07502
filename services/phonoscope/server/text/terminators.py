"""Finds the punctuation at which espeak-ng ended a clause, from the text that it consumed.

espeak-ng's public function returns phonemes and advances a pointer; it does not return the punctuation, which is a
separate phoneme for Piper's voices. Called by `espeak.py`. The classes of marks are those of espeak-ng 1.52, found by
running piper-tts on every code point; tests/parity compares them with it.
"""

import re
from typing import Final, NamedTuple


class Ending(NamedTuple):
    """The phoneme of a closing mark ("" for none), and whether speech stops there."""

    terminator: str
    ends_sentence: bool


# Marks of other scripts have the phoneme of the equivalent Latin mark.
_SPOKEN_MARKS: Final = {
    ".": ".۔܁܄።᙮᠃᠉⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛⳹⳾⸳⸼꓿꘎꛳︒﹒｡",
    ",": ",՝،܂߸༔፣᠂᠈⸲⸴⹁꓾꘍꛵︐︑﹐﹑､",
    ":": ":܆܇፥፦᠄⦂꛴︓﹕",
    ";": ";؛܈፤–—⁏⸵⸺⸻꛶︔︱︲﹔",
    "?": "?؟܉፧᥅⁇❓❔⳺⳻꘏꛷︖﹖",
    "!": "!܃߹᥄‼❕❗❢❣︕﹗",
}
# Marks that need no space after them separate clauses or sentences without a phoneme.
_SILENT_PAUSES: Final = "¡¿ຯ᠁…⋮⋯⋰⋱、︙，：；"
_SILENT_STOPS: Final = "։܀।॥෴།༎჻፨\u2029。！．？"

_ENDINGS: Final = (
    {mark: Ending(spoken, spoken in ".?!") for spoken, marks in _SPOKEN_MARKS.items() for mark in marks}
    | dict.fromkeys(_SILENT_PAUSES, Ending("", ends_sentence=False))
    | dict.fromkeys(_SILENT_STOPS, Ending("", ends_sentence=True))
)
_LAST_MARKS: Final = re.compile(f"[{re.escape(''.join(_ENDINGS))}]+$")
_ELLIPSIS: Final = Ending("", ends_sentence=False)
_END_OF_TEXT: Final = Ending("", ends_sentence=True)


def ending_of(consumed: str) -> Ending:
    """Returns the ending of the clause that consumed this text; `consumed` excludes what was read ahead."""
    spoken = consumed.rstrip()
    found = _LAST_MARKS.search(spoken)
    if found is None:
        return _END_OF_TEXT
    if not any(map(str.isalnum, spoken[: found.start()])):
        return _END_OF_TEXT  # no text before it: espeak-ng speaks the mark's name or skips it
    if found.group().startswith("..."):
        return _ELLIPSIS
    return _ENDINGS[found.group()[0]]  # of several marks the first one counts
