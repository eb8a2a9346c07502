"""Cues that can be read, and the syntax of both formats."""

import io
import itertools
import shutil
import subprocess

import av
import pytest

from phonoscope.cli.subtitle_words import Ending, SubtitleWord, subtitle_words
from phonoscope.cli.subtitles import LINE_WIDTH, MAX_SECONDS, Cue, cues_of, lines_of, srt, vtt, width
from phonoscope.client import WordTiming

PACE_SECONDS = 0.3
LONG = (
    "Speech begins here while the rest of this text is still being made, and whoever reads along sees no more than "
    "two lines at a time, which are cut where a phrase ends; or where it hurts least, if none does."
)


def spoken(text: str, pace_seconds: float = PACE_SECONDS) -> list[SubtitleWord]:
    """Returns the words of a text, each as long as the pace says; a tenth of a second of silence ends a sentence."""
    words, at, now_seconds = [], 0, 0.0
    for word in text.split():
        at = text.index(word, at)
        bare = word.rstrip(".,;!?")
        words.append(WordTiming(bare, now_seconds, now_seconds + pace_seconds, (at, at + len(bare))))
        at += len(word)
        now_seconds += pace_seconds + (0.1 if word.endswith(".") and bare != "Dr" else 0.0)
    return subtitle_words(text, words)


def shown(text: str, pace_seconds: float = PACE_SECONDS) -> list[str]:
    return ["|".join(cue.lines) for cue in cues_of(spoken(text, pace_seconds))]


def test_each_sentence_is_a_cue_from_its_first_word_to_its_last():
    cues = list(cues_of(spoken("The first sentence is here. And now the second.")))
    assert [cue.lines for cue in cues] == [("The first sentence is here.",), ("And now the second.",)]
    assert [(cue.start_seconds, cue.end_seconds) for cue in cues] == [(0.0, 1.5), (1.6, pytest.approx(2.8))]


def test_a_sentence_that_would_flash_by_shares_its_cue_with_the_next():
    text = "I am in, said Dr. Smith. Yes. No. I do not know."
    assert shown(text) == ["I am in, said Dr. Smith.", "Yes. No. I do not know."]


def test_two_lines_are_alike_in_width():
    text = "A line that is a little too long for just one line."
    assert shown(text) == ["A line that is a little|too long for just one line."]


def test_a_long_sentence_is_cut_near_its_middle_where_a_phrase_ends():
    assert shown(LONG) == [
        "Speech begins here while the rest|of this text is still being made,",
        "and whoever reads along sees no|more than two lines at a time,",
        "which are cut where a phrase ends;|or where it hurts least, if none does.",
    ]


@pytest.mark.parametrize("pace_seconds", [0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("text", [LONG, LONG.replace(",", "").replace(";", ""), "word " * 500])
def test_no_cue_is_longer_or_wider_than_can_be_read_and_none_is_lost(text, pace_seconds):
    cues = list(cues_of(spoken(text, pace_seconds)))
    for cue in cues:
        assert len(cue.lines) <= 2
        assert all(width(line) <= LINE_WIDTH for line in cue.lines)
        assert 0 < cue.end_seconds - cue.start_seconds <= MAX_SECONDS
    assert " ".join(line for cue in cues for line in cue.lines) == " ".join(text.split())
    for one, next_one in itertools.pairwise(cues):
        assert one.end_seconds == pytest.approx(next_one.start_seconds), "each is shown as long as it is heard"


def test_a_word_that_fits_nowhere_is_shown_whole_and_for_no_longer_than_a_cue():
    long_word = "x" * 60
    [before, cue] = cues_of(
        [SubtitleWord("a", " ", 0.0, 0.5, Ending.WORD), SubtitleWord(long_word, " ", 0.5, 9.0, Ending.WORD)]
    )
    assert (before.lines, cue.lines, cue.end_seconds) == (("a",), (long_word,), 0.5 + MAX_SECONDS)


def test_words_that_cannot_be_shared_out_to_two_lines_are_two_cues():
    assert shown(f"{'a' * 28} {'b' * 28} {'c' * 28}") == [f"{'a' * 28}", f"{'b' * 28}|{'c' * 28}"]


def test_wide_characters_take_two_columns_and_lines_end_between_them():
    words = [SubtitleWord("字", "", n * 0.2, n * 0.2 + 0.2, Ending.WORD) for n in range(30)]
    assert lines_of(words) == ("字" * 15, "字" * 15)
    assert width("字" * 15) == 30


CUES = (Cue(0.0, 1.9996, ("Tom & <Jerry>",)), Cue(3725.25, 3727.0, ("two", "lines")))


def test_subrip_numbers_its_cues_and_has_commas_in_its_times():
    assert srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:02,000\nTom & <Jerry>\n\n2\n01:02:05,250 --> 01:02:07,000\ntwo\nlines\n\n"
    )


def test_webvtt_has_a_header_points_in_its_times_and_escapes_what_would_be_markup():
    assert vtt(CUES) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nTom &amp; &lt;Jerry&gt;\n\n"
        "01:02:05.250 --> 01:02:07.000\ntwo\nlines\n\n"
    )


def test_without_a_word_there_is_a_valid_file_without_cues():
    assert list(cues_of([])) == []
    assert (srt([]), vtt([])) == ("", "WEBVTT\n\n")


@pytest.mark.parametrize(("form", "spell"), [("srt", srt), ("webvtt", vtt)])
def test_ffmpegs_readers_find_every_cue(form, spell):
    cues = list(cues_of(spoken(LONG)))
    with av.open(io.BytesIO(spell(cues).encode()), format=form) as container:
        packets = [packet for packet in container.demux() if packet.size]
    assert [float(packet.pts * packet.time_base) for packet in packets] == [
        pytest.approx(cue.start_seconds, abs=0.001) for cue in cues
    ]
    assert [float(packet.duration * packet.time_base) for packet in packets] == [
        pytest.approx(cue.end_seconds - cue.start_seconds, abs=0.002) for cue in cues
    ]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg on this machine")
@pytest.mark.parametrize(("form", "spell"), [("srt", srt), ("webvtt", vtt)])
def test_ffmpeg_turns_either_into_webvtt_with_the_same_words(form, spell):
    cues = [Cue(0.0, 2.0, ("Tom & Jerry",)), Cue(2.0, 3.0, ("two", "lines"))]
    command = ["ffmpeg", "-v", "error", "-f", form, "-i", "-", "-f", "webvtt", "-"]
    made = subprocess.run(command, input=spell(cues).encode(), capture_output=True, check=True)
    assert made.stderr == b""
    assert made.stdout.decode().strip().split("\n\n") == [
        "WEBVTT",
        "00:00.000 --> 00:02.000\nTom & Jerry",
        "00:02.000 --> 00:03.000\ntwo\nlines",
    ]
