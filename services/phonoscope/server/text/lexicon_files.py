"""The server's own lexicons: PLS files that are read at start, and again once they change.

Built by `build.py`. `speech/synthesizer.py` asks before each request whether a file has changed, which costs a look at
each file's time, and has changed ones read on the text thread. A file that cannot be read any more is reported, and
what it held before stays in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phonoscope.common.errors import LexiconFileError
from phonoscope.server.events import Emit, LexiconRead
from phonoscope.server.text.lexicon import EMPTY, BadPronunciation, Lexicon
from phonoscope.server.text.pls import PronunciationLexicon, read_pls
from phonoscope.server.text.safe_xml import XmlFault
from phonoscope.server.types import Pronunciation

LARGEST_BYTES: Final = 16 * 2**20
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of some files: their stamps, and a lexicon by language."""

    stamps: tuple[_Stamp | None, ...]
    by_language: dict[str, Lexicon]

    @property
    def entries(self) -> int:
        return sum(lexicon.size for lexicon in self.by_language.values())


class LexiconFiles:
    """Lexicons of a server, by language.

    Args:
        paths: PLS files, an earlier one's entries before a later one's.
        emit: told of each reading.

    Raises:
        LexiconFileError: a file cannot be read now.
    """

    def __init__(self, paths: Sequence[Path], emit: Emit) -> None:
        self._paths = tuple(paths)
        self._emit = emit
        self._read = _Read((), {})
        if self._paths:
            self._read = self._all()
            emit(LexiconRead(self._read.entries, fault=""))
        self._seen = self._read.stamps  # of the last reading, whether it went well or not

    def has_changed(self) -> bool:
        """Whether a file is another one than when it was read last."""
        return bool(self._paths) and self._stamps() != self._seen

    def read_again(self) -> None:
        """Reads the files as they are now; what was there before stays where that fails. Blocks."""
        self._seen = self._stamps()
        try:
            self._read = self._all()
        except LexiconFileError as error:
            self._emit(LexiconRead(self._read.entries, fault=str(error)))
            return
        self._emit(LexiconRead(self._read.entries, fault=""))

    def of_language(self, language: str) -> Lexicon:
        """Returns the entries for a voice's language: those of files of the same primary language."""
        return self._read.by_language.get(_primary(language), EMPTY)

    def _stamps(self) -> tuple[_Stamp | None, ...]:
        return tuple(_stamp(path) for path in self._paths)

    def _all(self) -> _Read:
        stamps = self._stamps()
        by_language: dict[str, Lexicon] = {}
        for path in reversed(self._paths):
            held = _file(path)
            language = _primary(held.language)
            by_language[language] = _in_front(path, held.pronunciations, by_language.get(language, EMPTY))
        return _Read(stamps, by_language)


def _file(path: Path) -> PronunciationLexicon:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise LexiconFileError(f"{path}: is larger than {LARGEST_BYTES // 2**20} MiB; part it into several files")
        return read_pls(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LexiconFileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise LexiconFileError(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except XmlFault as fault:
        raise LexiconFileError(f"{path}: {fault}") from None


def _in_front(path: Path, pronunciations: Sequence[Pronunciation], below: Lexicon) -> Lexicon:
    try:
        return Lexicon.of(pronunciations, below)
    except BadPronunciation as bad:  # grows too long by what other files say
        raise LexiconFileError(f"{path}: {pronunciations[bad.index].phrase!r} {bad.fault}") from None


def _stamp(path: Path) -> _Stamp | None:
    """Returns what changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()
