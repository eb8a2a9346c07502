"""Prefixes without a declaration get one, where the document's own positions do not change."""

import pytest

from phonoscope.server.text.xml_prefixes import MAX_PREFIXES, UNDECLARED, Declarations, missing_declarations


def declared(document: str) -> str:
    encoded = document.encode()
    return missing_declarations(encoded).inserted(encoded).decode()


@pytest.mark.parametrize(
    ("document", "prefixes"),
    [
        ("<a><b:c/><d:e f:g=''/></a>", ["b", "d", "f"]),
        ("<b:a/>", ["b"]),
        ("<a b:c=''/>", ["b"]),
        ("<é><ü:x/></é>", ["ü"]),
    ],
)
def test_each_is_declared_at_the_root(document: str, prefixes: list[str]) -> None:
    root = document[1:].partition(">")[0].partition(" ")[0].rstrip("/")
    added = "".join(f' xmlns:{prefix}="{UNDECLARED}{prefix}"' for prefix in prefixes)
    assert declared(document) == document.replace(f"<{root}", f"<{root}{added}", 1)


@pytest.mark.parametrize(
    "document",
    [
        "<a/>",
        "",
        "words",
        "<a",
        "<a xmlns:b='urn:b'><b:c/></a>",
        "<a xml:lang='en' xml:space='preserve'/>",
        "<a><:c/></a>",
        "<!DOCTYPE a [<!ENTITY e 'ha'>]><a><b:c/></a>",
    ],
)
def test_nothing_is_added_where_nothing_is_missing(document: str) -> None:
    assert declared(document) == document


def test_a_declaration_inside_holds_there() -> None:
    assert declared("<a><b:c xmlns:b='urn:b'/></a>").startswith(f'<a xmlns:b="{UNDECLARED}b"><b:c xmlns:b=')


def test_their_number_is_bounded() -> None:
    document = f"<a>{''.join(f'<p{n}:x/>' for n in range(MAX_PREFIXES + 1))}</a>"
    assert declared(document) == document


def test_positions_behind_the_declarations_are_those_before() -> None:
    declarations = Declarations(at=2, text=b" xmlns:b='urn:b'")
    document = b"<a><b:c/></a>"
    longer = declarations.inserted(document)
    found = [declarations.original(at) for at in range(len(longer))]
    assert found == [0, 1, *[2] * 17, *range(3, len(document))]
