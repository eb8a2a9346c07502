"""The only module that calls espeak-ng: converts text to IPA, clause by clause.

A thin ctypes layer over the libespeak-ng 1.52 that `espeakng_loader` bundles (GPL-3.0-or-later; no other module
loads it). Built by `__main__`, called by `front_end` on the text thread. Source: espeak-ng's public header,
`speak_lib.h`.

The library keeps one voice and one reading position per process, so all objects here share one `_Library` with one
lock. The library also reads one character ahead and may keep it for the next text, so every call ends with a blank
text that consumes the rest.
"""

import ctypes
import functools
import re
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import espeakng_loader

from phonoscope.common.errors import StartupError, VoiceFileError
from phonoscope.server.text.ipa import SEPARATOR, complete
from phonoscope.server.text.phonemizer import Clause
from phonoscope.server.text.terminators import ending_of

_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_DO_NOT_EXIT: Final = 0x8000
_CHARS_UTF8: Final = 1
_IPA_SEPARATED: Final = 0x02 | ord(SEPARATOR) << 8
_OK: Final = 0
_BLANK: Final = b" "
# The library loses what a clause has too much of. It joins letters with stops, such as "U.S.U.S.", to one word, and
# dozens of them overwrite its stack. So longer runs without a space are read in parts.
MAX_RUN: Final = 100
MAX_RUN_OF_INITIALS: Final = 32
_LONG_RUN: Final = re.compile(rf"\S{{{MAX_RUN_OF_INITIALS + 1},}}")
_INITIALS: Final = re.compile(rf"(?:[^\W\d_]\.\W*){{{MAX_RUN_OF_INITIALS // 4},}}")
_MARK: Final = re.compile(r"[\W_]")


class Espeak:
    """A Phonemizer for every language of espeak-ng; thread-safe, one thread reads at a time.

    Raises:
        StartupError: the library or its data cannot be loaded.
    """

    def __init__(self) -> None:
        self._library = _library()

    @property
    def version(self) -> str:
        """Version of the library, such as "1.52.0"."""
        return self._library.version

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when espeak-ng has no voice of that name."""
        with self._library.lock:
            self._library.select(voice)

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """Reads all of `text` in the language `voice`; `[[` is treated as ordinary text.

        Raises:
            VoiceFileError: espeak-ng has no such voice.
        """
        language = voice.partition("-")[0].lower()
        text = text.replace("\0", " ")
        with self._library.lock:
            self._library.select(voice)
            clauses: list[Clause] = []
            for start, stop in pairwise([0, *_cuts(text), len(text)]):
                clauses += self._read(text[start:stop], start, language, is_cut=stop < len(text))
            return clauses

    def _read(self, text: str, offset: int, language: str, *, is_cut: bool) -> Iterator[Clause]:
        """Yields the clauses of a part of a text that begins at `offset`; more follows without a mark if `is_cut`."""
        start = position = 0
        try:
            for phonemes, read, ahead in self._library.read(text.encode()):
                position += read
                stop = position - ahead
                ending = ending_of(text[start:stop])
                if is_cut and stop == len(text) and not ending.terminator:
                    ending = ending._replace(ends_sentence=False)
                yield Clause(complete(phonemes, language), *ending, offset + stop)
                start = stop
        finally:
            self._library.forget()


def _cuts(text: str) -> Iterator[int]:
    """Yields where to cut runs that are too long for the library: after a mark if there is one."""
    for run in _LONG_RUN.finditer(text):
        start = run.start()
        limit = MAX_RUN_OF_INITIALS if _INITIALS.search(run.group()) else MAX_RUN
        while run.end() - start > limit:
            marks = [mark.end() for mark in _MARK.finditer(text, start + limit // 2, start + limit)]
            start = marks[-1] if marks else start + limit
            yield start


class _Library:
    """The process-wide libespeak-ng and its two pieces of state: the voice and the text being read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._voice: str | None = None
        self._c = _load()
        rate = self._c.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _DO_NOT_EXIT
        )
        if rate <= 0:
            raise StartupError(
                f"espeak-ng cannot start with its data in {espeakng_loader.get_data_path()}; "
                "reinstall the package espeakng-loader"
            )
        self.version: str = self._c.espeak_Info(None).decode()

    def select(self, voice: str) -> None:
        """Selects `voice` as the language of the next text."""
        if voice == self._voice:
            return
        if not voice or self._c.espeak_SetVoiceByName(voice.encode()) != _OK:
            self._voice = None
            raise VoiceFileError(
                f'espeak-ng has no voice "{voice}"; set espeak.voice in the voice\'s .onnx.json to one that it has, '
                'such as "en-us" or "de"'
            )
        self._voice = voice

    def read(self, text: bytes) -> Iterator[tuple[str, int, int]]:
        """Yields the phonemes of each clause, the number of characters read for it, and how many were read ahead."""
        buffer = ctypes.create_string_buffer(text)
        first = position = ctypes.addressof(buffer)
        pointer = ctypes.c_void_p(first)
        at_end = False
        while not at_end:
            ipa: bytes = self._c.espeak_TextToPhonemes(ctypes.byref(pointer), _CHARS_UTF8, _IPA_SEPARATED) or b""
            at_end = pointer.value is None
            end = first + len(text) if pointer.value is None else pointer.value
            yield ipa.decode(), len(text[position - first : end - first].decode()), 0 if at_end else 1
            position = end

    def forget(self) -> None:
        """Discards what the library read ahead, so that the next text does not start with the end of this one."""
        for _ in self.read(_BLANK):
            pass


@functools.cache
def _library() -> _Library:
    return _Library()


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise StartupError(f"cannot load libespeak-ng ({error}); reinstall the package espeakng-loader") from error
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    return library
