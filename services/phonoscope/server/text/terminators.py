"""How a clause ended: the punctuation that espeak-ng stopped at, read from the text that it consumed.

espeak-ng's public call returns phonemes and moves a pointer; the punctuation itself, which Piper's voices hear as a
phoneme of its own, is not in the answer. `espeak.py` asks here. The classes of marks are espeak-ng 1.52's, found by
asking piper-tts about every code point; tests/parity holds them to it.
"""

import re
from typing import Final, NamedTuple


class Ending(NamedTuple):
    """The phoneme of a closing mark ("" for none), and whether speech stops there."""

    terminator: str
    ends_sentence: bool


# Marks of other scripts speak as the Latin mark of their kind.
_SPOKEN_MARKS: Final = {
    ".": ".۔܁܄።᙮᠃᠉⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛⳹⳾⸳⸼꓿꘎꛳︒﹒｡",
    ",": ",՝،܂߸༔፣᠂᠈⸲⸴⹁꓾꘍꛵︐︑﹐﹑､",
    ":": ":܆܇፥፦᠄⦂꛴︓﹕",
    ";": ";؛܈፤–—⁏⸵⸺⸻꛶︔︱︲﹔",
    "?": "?؟܉፧᥅⁇❓❔⳺⳻꘏꛷︖﹖",
    "!": "!܃߹᥄‼❕❗❢❣︕﹗",
}
# Marks that need no space after them part clauses or sentences without a phoneme.
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
    """Returns how the clause that consumed this text ended; `consumed` is without what was read ahead."""
    spoken = consumed.rstrip()
    found = _LAST_MARKS.search(spoken)
    if found is None:
        return _END_OF_TEXT
    if not any(map(str.isalnum, spoken[: found.start()])):
        return _END_OF_TEXT  # nothing came before: espeak-ng names the mark, or passes it over
    if found.group().startswith("..."):
        return _ELLIPSIS
    return _ENDINGS[found.group()[0]]  # of several marks the first one counts
