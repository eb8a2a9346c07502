"""Lexicon files: read at start, read again once they change, never lost to a bad change."""

import os
from pathlib import Path

import pytest

from phonoscope.common.errors import LexiconFileError
from phonoscope.server.events import Event, LexiconRead
from phonoscope.server.text.lexicon import EMPTY
from phonoscope.server.text.lexicon_files import LARGEST_BYTES, LexiconFiles
from phonoscope.server.text.passage import Passage


def write(path: Path, language: str = "en-US", **aliases: str) -> Path:
    lexemes = "".join(
        f"<lexeme><grapheme>{word}</grapheme><alias>{alias}</alias></lexeme>" for word, alias in aliases.items()
    )
    path.write_text(f'<lexicon version="1.0" xml:lang="{language}">{lexemes}</lexicon>', encoding="utf-8")
    return path


def read_as(files: LexiconFiles, text: str, language: str = "en-US") -> str:
    return files.of_language(language).rewrite(Passage(text)).text


@pytest.fixture
def told() -> list[Event]:
    return []


def test_without_files_there_is_nothing_to_look_at(told: list[Event]) -> None:
    files = LexiconFiles((), told.append)
    assert files.of_language("en-US") is EMPTY
    assert not files.has_changed()
    assert told == []


def test_entries_are_for_voices_of_the_files_language(tmp_path: Path, told: list[Event]) -> None:
    files = LexiconFiles(
        [write(tmp_path / "en.pls", gif="jif"), write(tmp_path / "de.pls", "de", gif="dschif")], told.append
    )
    assert read_as(files, "a gif", "en-GB") == "a jif"
    assert read_as(files, "ein gif", "de-DE") == "ein dschif"
    assert read_as(files, "un gif", "fr-FR") == "un gif"
    assert told == [LexiconRead(2, "")]


def test_an_earlier_file_goes_before_a_later_one(tmp_path: Path, told: list[Event]) -> None:
    files = LexiconFiles(
        [write(tmp_path / "own.pls", gif="ours"), write(tmp_path / "base.pls", gif="theirs", png="ping")], told.append
    )
    assert read_as(files, "gif png") == "ours ping"


def test_a_file_that_changed_is_read_again(tmp_path: Path, told: list[Event]) -> None:
    path = write(tmp_path / "en.pls", gif="jif")
    files = LexiconFiles([path], told.append)
    assert not files.has_changed()
    write(path, gif="graphic")
    assert files.has_changed()
    files.read_again()
    assert read_as(files, "a gif") == "a graphic"
    assert not files.has_changed()
    assert told == [LexiconRead(1, ""), LexiconRead(1, "")]


def test_another_file_of_the_same_size_and_time_is_seen(tmp_path: Path, told: list[Event]) -> None:
    path = write(tmp_path / "en.pls", gif="jif")
    files = LexiconFiles([path], told.append)
    other = write(tmp_path / "new.pls", gif="zif")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert files.has_changed()


@pytest.mark.parametrize("spoil", ["gone", "torn", "bytes"])
def test_a_bad_change_is_reported_once_and_changes_nothing(tmp_path: Path, told: list[Event], spoil: str) -> None:
    path = write(tmp_path / "en.pls", gif="jif")
    files = LexiconFiles([path], told.append)
    if spoil == "gone":
        path.unlink()
    else:
        path.write_bytes(b'<lexicon xml:lang="en">' if spoil == "torn" else b"\xff\xfe")
    files.read_again()
    assert read_as(files, "a gif") == "a jif"
    assert not files.has_changed(), "it would be read for every request"
    last = told[-1]
    assert isinstance(last, LexiconRead)
    assert last.entries == 1
    assert str(path) in last.fault
    write(path, gif="again")
    assert files.has_changed()
    files.read_again()
    assert read_as(files, "a gif") == "a again"
    assert told[-1] == LexiconRead(1, "")


def test_a_server_does_not_start_with_a_bad_file(tmp_path: Path, told: list[Event]) -> None:
    path = tmp_path / "en.pls"
    with pytest.raises(LexiconFileError, match="No such file"):
        LexiconFiles([path], told.append)
    path.write_text('<lexicon xml:lang="en">\n <lexeme/></lexicon>')
    with pytest.raises(LexiconFileError, match=r"en\.pls: line 2, column 2: <lexeme> has no <grapheme>"):
        LexiconFiles([path], told.append)
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(LexiconFileError, match="larger than 16 MiB"):
        LexiconFiles([path], told.append)
    assert told == []
