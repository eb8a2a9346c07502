"""The mark that ended a clause is read from the text that was consumed."""

import pytest

from phonoscope.server.text.terminators import ending_of


@pytest.mark.parametrize(
    ("consumed", "terminator", "ends_sentence"),
    [
        ("Hello. ", ".", True),
        ("Hello, ", ",", False),
        ("Hello: ", ":", False),
        ("Hello; ", ";", False),
        ("Hello?", "?", True),
        ("Hello!\n", "!", True),
        ("Hello — ", ";", False),
        ("what?! ", "?", True),
        ("no!? ", "!", True),
        ("wait... ", "", False),
        ("wait… ", "", False),
        ("wait,... ", ",", False),
        ("hello", "", True),
        ("hello ", "", True),
        ("你好。", "", True),
        ("你好，", "", False),
        ("سلام؟ ", "?", True),
        ("!", "", True),
        (' "', "", True),
        ("", "", True),
    ],
)
def test_endings(consumed: str, terminator: str, ends_sentence: bool) -> None:
    assert ending_of(consumed) == (terminator, ends_sentence)
