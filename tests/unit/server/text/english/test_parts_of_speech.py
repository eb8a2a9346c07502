"""A word's neighbours say whether it is a noun, a verb or a participle."""

import pytest

from phonoscope.server.text.english.parts_of_speech import chosen_by_neighbours

USE = {"DEFAULT": "jˈuz", "NOUN": "jˈus"}
READ = {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd", "VBN": "ɹˈɛd"}
USED = {"DEFAULT": "jˈuzd", "VBD": "jˈust"}
THAT = {"DEFAULT": "ðæt", "DT": "ðˈæt"}


@pytest.mark.parametrize(
    ("entry", "before", "after", "part"),
    [
        (USE, "to", "it", "VERB"),
        (USE, "the", "is", "NOUN"),
        (USE, "extensive", "of", "NOUN"),
        (USE, "", "the", "VERB"),
        (USE, "this", "the", "VERB"),
        (USE, "this", "is", "NOUN"),
        (USE, "also", "", None),
        (READ, "have", "it", "VBN"),
        (READ, "i", "it", None),
        (USED, "she", "to", "VBD"),
        (USED, "is", "to", None),
        (USED, "she", "it", None),
        (THAT, "the", "", None),
    ],
)
def test_a_part_of_speech(entry: dict[str, str], before: str, after: str, part: str | None) -> None:
    assert chosen_by_neighbours(entry, before, after) == part
