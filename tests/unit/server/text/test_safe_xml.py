"""Untrusted XML: positions in characters, and what is rejected before any expansion."""

from collections.abc import Mapping
from typing import Any

import pytest

from phonoscope.server.text.safe_xml import Name, Refusal, XmlFault, place_of, read_xml
from phonoscope.server.text.xml_prefixes import UNDECLARED

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


class Recorder:
    """Records its calls."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def open(self, name: Name, attributes: Mapping[Name, str], at: int) -> None:
        self.told.append(("open", str(name), {str(key): value for key, value in attributes.items()}, at))

    def close(self, name: Name, at: int) -> None:
        self.told.append(("close", str(name), at))

    def text(self, text: str, at: int, stop: int) -> None:
        self.told.append(("text", text, at, stop))


class Refusing(Recorder):
    """Refuses the text "no"."""

    def text(self, text: str, at: int, stop: int) -> None:
        if text == "no":
            raise Refusal("is no text", at)


def test_an_undeclared_prefix_has_a_namespace_of_its_own_where_it_is_allowed() -> None:
    names: list[Name] = []
    recorder = Recorder()
    recorder.open = lambda name, attributes, at: names.append(name)  # type: ignore[method-assign]
    read_xml("<a><b:c/><d:c/></a>", recorder, max_elements=9, allows_undeclared_prefixes=True)
    assert names[1:] == [Name(f"{UNDECLARED}b", "c", "b"), Name(f"{UNDECLARED}d", "c", "d")]


def told(document: str, max_elements: int = 100) -> list[tuple[Any, ...]]:
    recorder = Recorder()
    read_xml(document, recorder, max_elements=max_elements)
    return recorder.told


def texts(document: str) -> list[tuple[str, str]]:
    """Each text, and how it is written."""
    return [(event[1], document[event[2] : event[3]]) for event in told(document) if event[0] == "text"]


def fault(document: str, max_elements: int = 100) -> tuple[int, int, str]:
    with pytest.raises(XmlFault) as caught:
        told(document, max_elements)
    return caught.value.line, caught.value.column, caught.value.fault


def test_positions_of_elements_and_texts_count_characters() -> None:
    assert told('<a b="ü">é 😀<c/></a>') == [
        ("open", "a", {"b": "ü"}, 0),
        ("text", "é 😀", 9, 12),
        ("open", "c", {}, 12),
        ("close", "c", 16),
        ("close", "a", 16),
    ]


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("a&amp;b", [("a", "a"), ("&", "&amp;"), ("b", "b")]),
        ("&#x4e2d;&#65;", [("中", "&#x4e2d;"), ("A", "&#65;")]),
        ("a<!-- no -->b", [("a", "a"), ("b", "b")]),
        ("a<?do it?>b", [("a", "a"), ("b", "b")]),
        ("a\r\nb\rc", [("a", "a"), ("\n", "\r\n"), ("b", "b"), ("\n", "\r"), ("c", "c")]),
        ("é<![CDATA[<&]]>é", [("é", "é"), ("<&", "<&"), ("é", "é")]),
    ],
)
def test_each_text_is_passed_on_with_its_position(content: str, written: list[tuple[str, str]]) -> None:
    found = texts(f"<a>{content}</a>")
    assert found == written


def test_names_have_their_namespace_and_their_prefix() -> None:
    recorder = Recorder()
    seen: list[tuple[Name, Mapping[Name, str]]] = []
    recorder.open = lambda name, attributes, at: seen.append((name, attributes))  # type: ignore[method-assign]
    read_xml('<a xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="1" xml:lang="en"/></a>', recorder, max_elements=9)
    assert seen[0][0] == Name("urn:a", "a")
    assert seen[1] == (
        Name("urn:b", "c", "b"),
        {Name("urn:b", "d", "b"): "1", Name("http://www.w3.org/XML/1998/namespace", "lang", "xml"): "en"},
    )


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE a>",
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://localhost/x.dtd"> %p;]>',
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>',
        f'<!DOCTYPE a [<!ENTITY b "{"x" * 100_000}">]>',
    ],
)
def test_a_document_type_is_refused_before_anything_of_it_is_read(doctype: str) -> None:
    recorder = Recorder()
    with pytest.raises(XmlFault) as caught:
        read_xml(f"\n{doctype}<a>&l9;&e;</a>", recorder, max_elements=9)
    assert str(caught.value) == "line 2, column 1: a document type declaration is not allowed; remove <!DOCTYPE …>"
    assert recorder.told == []


def test_an_entity_without_a_declaration_is_refused() -> None:
    assert fault("<a>\n &nbsp;</a>") == (2, 2, "undefined entity")


def test_depth_is_bounded() -> None:
    assert len(told("<a>" * 32 + "</a>" * 32)) == 64
    assert fault("<a>" * 1_000_000) == (1, 97, "elements are nested more than 32 levels deep; use fewer levels")


def test_elements_are_counted() -> None:
    assert len(told(f"<a>{'<b/>' * 9}</a>", max_elements=10)) == 20
    assert fault(f"<a>\n{'<b/>' * 10}</a>", max_elements=10) == (
        2,
        37,
        "the document has more than 10 elements; split it",
    )


def test_attributes_are_counted_and_their_length_is_bounded() -> None:
    def element(count: int, length: int) -> str:
        return "<a>\n<b " + " ".join(f'a{n}="{"x" * length}"' for n in range(count)) + "/></a>"

    assert [event[0] for event in told(element(16, 1_024))] == ["open", "text", "open", "close", "close"]
    assert fault(element(17, 1)) == (2, 1, "<b> has 17 attributes; use at most 16")
    assert fault(element(1, 1_025)) == (2, 1, "the attribute a0 has 1025 characters; use at most 1024")


GOOD = '<a>é<b c="d">x</b><e/>\n</a>'


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_a_document_that_ends_anywhere_is_refused_there_or_before(at: int) -> None:
    line, column, _ = fault(GOOD[:at])
    assert (line, column) <= place_of(GOOD[:at], at)


@pytest.mark.parametrize("at", [3, 4, 13, 14, 18, 22, 23])
@pytest.mark.parametrize("tag", ["<x>", "</x>", "</a>"])
def test_a_tag_too_many_is_refused_at_any_position(at: int, tag: str) -> None:
    with pytest.raises(XmlFault):
        told(GOOD[:at] + tag + GOOD[at:])


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ("", (1, 1)),
        ("text", (1, 1)),
        ("<a>é\x00</a>", (1, 5)),
        ("<a>é\x1b</a>", (1, 5)),
        ("<a>\ufffe</a>", (1, 4)),
        ("<a>&#0;</a>", (1, 4)),
        ("<a>&#xD800;</a>", (1, 4)),
        ("<a b='1' b='2'/>", (1, 10)),
        ("<a>é</b>", (1, 7)),
        ("<x:a/>", (1, 1)),
        ("<a/><b/>", (1, 5)),
        ('<a xmlns="urn:x y"/>', (1, 1)),
        ("<a>]]></a>", (1, 6)),
        ("<a>\n\n  <b c=d/></a>", (3, 8)),
    ],
)
def test_what_is_not_xml_is_refused_with_its_place(document: str, place: tuple[int, int]) -> None:
    assert fault(document)[:2] == place


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "ebcdic", "utf-8"])
def test_a_declared_encoding_says_nothing_of_text_that_has_arrived(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?><a>é中</a>'
    assert texts(document) == [("é中", "é中")]


def test_a_refusal_of_the_reader_has_its_place_and_comes_along() -> None:
    with pytest.raises(XmlFault) as caught:
        read_xml("<a>\né<b>no</b></a>", Refusing(), max_elements=9)
    fault = caught.value
    assert (fault.line, fault.column, fault.fault) == (2, 5, "is no text")
    assert fault.refusal is not None
    assert fault.refusal.at == 8


def test_places_are_counted_from_one() -> None:
    assert [place_of("ab\nc", at) for at in range(5)] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]


def events(count: int) -> int:
    return len(told("<a>" + "é &amp; x<b/>\n" * count + "</a>", max_elements=10**6))


def test_the_number_of_callbacks_is_linear_in_the_document() -> None:
    assert events(2_000) - 2 == 2 * (events(1_000) - 2)
