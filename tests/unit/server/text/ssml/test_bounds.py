"""How large a document may be in each way: the largest that is read, and the refusal of the next."""

import pytest

from phonoscope.server.text.ssml.document import MAX_ELEMENTS

MEBIBYTE = 2**20


def test_10_000_elements_are_read_and_no_more(read) -> None:
    assert MAX_ELEMENTS == 10_000
    content = "a<w/>" * (MAX_ELEMENTS - 1)
    assert read.speak(content).texts == ["a" * (MAX_ELEMENTS - 1) + "."]
    reason, told = read.refusal(f"<speak>{content}\n<w/></speak>")
    assert (reason, told) == ("SSML_INVALID", "line 2, column 1: the document has more than 10000 elements; split it")


def test_elements_are_nested_32_deep_and_no_deeper(read) -> None:
    def nested(depth: int) -> str:
        return f"<speak>{'<w>' * (depth - 1)}a{'</w>' * (depth - 1)}</speak>"

    assert read(nested(32)).texts == ["a."]
    assert read.refusal(nested(33)) == (
        "SSML_INVALID",
        "line 1, column 101: elements are nested more than 32 levels deep; use fewer levels",
    )


def test_an_attribute_has_1024_characters_and_no_more(read) -> None:
    assert read.speak(f'<sub alias="{"x" * 1_024}">a</sub>').texts == ["x" * 1_024 + "."]
    reason, told = read.refusal(f'<speak>\n<sub alias="{"x" * 1_025}">a</sub></speak>')
    assert (reason, told) == (
        "SSML_INVALID",
        "line 2, column 1: the attribute alias has 1025 characters; use at most 1024",
    )


def test_phonemes_and_marks_have_their_own_limits(read) -> None:
    assert read.speak(f'<phoneme ph="{"a" * 200}">x</phoneme>').script.passages[0].overrides[0].ipa == "a" * 200
    assert read.speak(f'a<mark name="{"m" * 128}"/>').script.passages[0].marks[0].name == "m" * 128


@pytest.mark.parametrize("unread", [f"<!-- {'x' * MEBIBYTE} -->", f"<?x {'x' * MEBIBYTE}?>", " " * MEBIBYTE])
def test_a_megabyte_that_says_nothing_is_passed_over(read, unread: str) -> None:
    assert " ".join(read.speak(f"a {unread}b").texts).split() == ["a", "b."]
