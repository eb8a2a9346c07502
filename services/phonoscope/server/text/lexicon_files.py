"""The server's own lexicons: PLS files, read at startup and again when they change.

Built by `build.py`. `speech/synthesizer.py` checks before each request whether a file has changed, which costs one
stat call per file, and reloads changed files on the text thread. If a file can no longer be read, that is reported
and its previous content stays in use.
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
    """The result of reading the files: their stamps, and a lexicon per language."""

    stamps: tuple[_Stamp | None, ...]
    by_language: dict[str, Lexicon]

    @property
    def entries(self) -> int:
        return sum(lexicon.size for lexicon in self.by_language.values())


class LexiconFiles:
    """The server's lexicons by language.

    Args:
        paths: PLS files; entries of an earlier file take priority over those of a later one.
        emit: receives an event for each load.

    Raises:
        LexiconFileError: a file cannot be read.
    """

    def __init__(self, paths: Sequence[Path], emit: Emit) -> None:
        self._paths = tuple(paths)
        self._emit = emit
        self._read = _Read((), {})
        if self._paths:
            self._read = self._all()
            emit(LexiconRead(self._read.entries, fault=""))
        self._seen = self._read.stamps  # of the last load, successful or not

    def has_changed(self) -> bool:
        """Returns whether a file has changed since the last load."""
        return bool(self._paths) and self._stamps() != self._seen

    def read_again(self) -> None:
        """Reloads the files; keeps the previous content if that fails. Blocking."""
        self._seen = self._stamps()
        try:
            self._read = self._all()
        except LexiconFileError as error:
            self._emit(LexiconRead(self._read.entries, fault=str(error)))
            return
        self._emit(LexiconRead(self._read.entries, fault=""))

    def of_language(self, language: str) -> Lexicon:
        """Returns the entries for a voice's language: those of files with the same primary language."""
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
            raise LexiconFileError(f"{path}: is larger than {LARGEST_BYTES // 2**20} MiB; split it into several files")
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
    except BadPronunciation as bad:  # too long after resolving entries of other files
        raise LexiconFileError(f"{path}: {pronunciations[bad.index].phrase!r} {bad.fault}") from None


def _stamp(path: Path) -> _Stamp | None:
    """Returns a value that changes when the file does; None if the file does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()
