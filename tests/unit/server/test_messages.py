"""What a caller sent, as a message shows it: quoted, escaped, not long."""

import pytest

from phonoscope.server.messages import LONGEST_SHOWN, MAX_NAMES_SHOWN, listed, shown


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", "''"),
        ("joe", "'joe'"),
        ("it's", '"it\'s"'),
        ("a\nb\x00", r"'a\nb\x00'"),
        ("\ud800", r"'\ud800'"),
        ("é", "'é'"),
    ],
)
def test_a_value_is_quoted_and_its_control_characters_are_escaped(value: str, quoted: str) -> None:
    assert shown(value) == quoted


def test_a_value_is_shown_whole_as_far_as_it_fits() -> None:
    assert shown("x" * LONGEST_SHOWN) == f"'{'x' * LONGEST_SHOWN}'"


@pytest.mark.parametrize("more", [1, 2, 3, 5000])
def test_a_longer_value_is_cut_to_the_longest_and_says_so(more: int) -> None:
    value = "x" * (LONGEST_SHOWN - 3) + "y" * (3 + more)
    assert shown(value) == f"'{'x' * (LONGEST_SHOWN - 3)}...'"
    assert len(shown(value)) == LONGEST_SHOWN + len("''")


def names(count: int) -> list[str]:
    return [f"v{number}" for number in range(count)]


@pytest.mark.parametrize(("count", "text"), [(0, ""), (1, "v0"), (3, "v0, v1, v2")])
def test_few_names_are_listed_as_they_are(count: int, text: str) -> None:
    assert listed(names(count)) == text


@pytest.mark.parametrize(
    ("more", "ending"), [(0, ""), (1, " and 1 more (see ListVoices)"), (280, " and 280 more (see ListVoices)")]
)
def test_of_many_names_the_first_are_listed_and_the_others_counted(more: int, ending: str) -> None:
    assert listed(names(MAX_NAMES_SHOWN + more)) == ", ".join(names(MAX_NAMES_SHOWN)) + ending
