"""Files of timings: what has to be asked for, and what is in them. test_say.py has the way of the whole command."""

import json
from pathlib import Path

import pytest
import typer

from phonoscope.cli.timing_files import TimingFiles
from phonoscope.client import Timings, TimingType, WordTiming
from phonoscope.client.timings import MarkTiming

HELLO, THERE = WordTiming("Été", 0.01, 0.5, (0, 3)), WordTiming("là", 0.5, 1.5, (4, 6))
TEXT = "Été là!"
CLOCK = {".srt": "00:00:00,010 --> 00:00:01,500", ".vtt": "00:00:00.010 --> 00:00:01.500"}


@pytest.mark.parametrize(
    ("subtitles", "timings", "types"),
    [
        (None, None, []),
        ("a.srt", None, [TimingType.WORD]),
        (None, "a.json", list(TimingType)),
        ("a.vtt", "a.json", list(TimingType)),
    ],
)
def test_what_is_asked_of_the_server_is_what_the_files_need(
    subtitles: str | None, timings: str | None, types: list[TimingType]
) -> None:
    files = TimingFiles(subtitles and Path(subtitles), timings and Path(timings))
    assert files.types == types


@pytest.mark.parametrize("name", ["a", "a.txt", "srt", ".srt", "a.srt.gz", "a.json"])
def test_subtitles_of_another_kind_are_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(
        typer.BadParameter, match=r"unknown subtitle format; use a file name that ends in \.srt or \.vtt\."
    ) as refused:
        TimingFiles(Path(name), None)
    assert refused.value.param_hint == "--subtitles"


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".SRT", ".Vtt"])
def test_subtitles_show_the_words_of_all_pieces_in_utf8(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    with TimingFiles(path, None).open(TEXT) as heard:
        for word in (HELLO, THERE):
            heard.add(Timings(words=(word,)))
        assert not path.exists(), "before its end it is no file"
    written = path.read_bytes().decode("utf-8")
    assert written.startswith("WEBVTT\n\n" if ending.lower() == ".vtt" else "1\n")
    assert f"{CLOCK[ending.lower()]}\nÉté là!\n\n" in written
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_subtitles_of_a_document_show_no_markup(tmp_path: Path) -> None:
    text = "<speak>Tom &amp; <emphasis>Jerry</emphasis>.</speak>"
    words = [WordTiming(word, 0.0, 2.0, (text.index(word), text.index(word) + len(word))) for word in ("Tom", "Jerry")]
    path = tmp_path / "out.srt"
    for markup, shown in (("ssml", "Tom & Jerry."), ("none", "<speak>Tom")):
        with TimingFiles(path, None).open(text, markup=markup) as heard:
            heard.add(Timings(words=tuple(words)))
        assert path.read_text("utf-8").split("\n")[2].startswith(shown)


def test_timings_are_json_of_all_kinds_readable_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with TimingFiles(None, path).open(TEXT) as heard:
        heard.add(Timings(words=(HELLO,)))
        heard.add(Timings(words=(THERE,), marks=(MarkTiming("hier", 0.5),)))
    written = path.read_bytes().decode("utf-8")
    assert "Été" in written, "not escaped"
    assert written.endswith("}\n")
    assert json.loads(written) == {
        "words": [
            {"word": "Été", "start_seconds": 0.01, "end_seconds": 0.5, "text_span": [0, 3]},
            {"word": "là", "start_seconds": 0.5, "end_seconds": 1.5, "text_span": [4, 6]},
        ],
        "phonemes": [],
        "visemes": [],
        "marks": [{"name": "hier", "seconds": 0.5}],
    }


def test_after_a_failure_the_files_are_as_they_were(tmp_path: Path) -> None:
    subtitles, timings = tmp_path / "out.srt", tmp_path / "out.json"
    subtitles.write_text("as before")
    files = TimingFiles(subtitles, timings)

    def interrupted() -> None:
        with files.open(TEXT) as heard:
            heard.add(Timings(words=(HELLO,)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("out.srt", "as before")]


def test_without_timings_there_are_no_files_and_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = TimingFiles(tmp_path / "out.srt", tmp_path / "out.json")
    with pytest.raises(typer.Exit), files.open(TEXT):
        pass
    assert list(tmp_path.iterdir()) == []
    assert "the server sent no timings" in capsys.readouterr().err


def test_where_no_file_is_asked_for_nothing_is_missed() -> None:
    with TimingFiles(None, None).open(TEXT) as heard:
        assert not heard.whole


def test_a_missing_folder_is_reported_before_the_body_runs(tmp_path: Path) -> None:
    path = tmp_path / "no" / "out.json"
    with pytest.raises(FileNotFoundError) as missing, TimingFiles(None, path).open(TEXT):
        raise AssertionError("not reached")
    assert missing.value.filename == str(path)
