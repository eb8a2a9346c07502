"""PLS documents become entries; what is none is refused with its place."""

import pytest

from phonoscope.server.text.pls import PronunciationLexicon, read_pls
from phonoscope.server.text.safe_xml import XmlFault
from phonoscope.server.types import Pronunciation

HEAD = (
    '<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">'
)


def document(*lexemes: str) -> str:
    return f"<?xml version='1.0'?>\n{HEAD}\n" + "\n".join(lexemes) + "\n</lexicon>"


def refused(text: str) -> XmlFault:
    with pytest.raises(XmlFault) as caught:
        read_pls(text)
    return caught.value


def test_graphemes_become_entries_with_their_phoneme_or_alias() -> None:
    read = read_pls(
        document(
            "<lexeme><grapheme>Kyiv</grapheme><phoneme> ˈkiːɪv </phoneme></lexeme>",
            "<lexeme><grapheme>k8s</grapheme><grapheme>K8S</grapheme><alias>Kubernetes</alias></lexeme>",
        )
    )
    assert read == PronunciationLexicon(
        "en-US",
        (
            Pronunciation("Kyiv", ipa="ˈkiːɪv"),
            Pronunciation("k8s", respelling="Kubernetes"),
            Pronunciation("K8S", respelling="Kubernetes"),
        ),
    )


@pytest.mark.parametrize(
    ("lexeme", "ipa"),
    [
        ("<phoneme>a</phoneme><phoneme>b</phoneme>", "a"),
        ('<phoneme>a</phoneme><phoneme prefer="true">b</phoneme>', "b"),
        ("<alias>x</alias><phoneme>a</phoneme>", "a"),
        ('<phoneme alphabet="ipa">a</phoneme><example>Say x.</example>', "a"),
    ],
)
def test_the_first_phoneme_counts_unless_another_is_preferred(lexeme: str, ipa: str) -> None:
    [entry] = read_pls(document(f"<lexeme><grapheme>x</grapheme>{lexeme}</lexeme>")).pronunciations
    assert entry == Pronunciation("x", ipa=ipa)


def test_metadata_of_any_kind_is_passed_over() -> None:
    read = read_pls(
        document(
            '<meta name="author" content="us"/>',
            '<metadata><x:y xmlns:x="urn:x"><grapheme>no</grapheme></x:y></metadata>',
            "<lexeme><grapheme>yes</grapheme><alias>no</alias></lexeme>",
        )
    )
    assert [entry.phrase for entry in read.pronunciations] == ["yes"]


@pytest.mark.parametrize(
    ("lexemes", "line", "fault"),
    [
        (["<lexeme><alias>x</alias></lexeme>"], 3, "<lexeme> has no <grapheme>; add one"),
        (["", "<lexeme><grapheme>x</grapheme></lexeme>"], 4, "<lexeme> has neither <phoneme> nor <alias>"),
        (["<lexeme><grapheme>x</grapheme><phoneme>q1</phoneme></lexeme>"], 3, "'1' (U+0031, DIGIT ONE) is not an IPA"),
        (["<lexeme><grapheme> </grapheme><alias>x</alias></lexeme>"], 3, "<grapheme> contains no word"),
        (["<grapheme>x</grapheme>"], 3, "<grapheme> is not allowed in <lexicon>"),
        (
            ['<lexeme><grapheme>x</grapheme><phoneme alphabet="x-sampa">a</phoneme></lexeme>'],
            3,
            'x-sampa" is not supported; use ipa',
        ),
        (["<!-- one", "two -->", "<lexeme>", "<p/></lexeme>"], 6, "<p> is not allowed in <lexeme>"),
        (
            ["<lexeme><grapheme>a</grapheme><alias>b</alias></lexeme>"] * 2,
            4,
            "'a' is a duplicate",
        ),
        (
            [
                "<lexeme><grapheme>a</grapheme><alias>b</alias></lexeme>",
                "<lexeme><grapheme>b</grapheme><alias>a</alias></lexeme>",
            ],
            3,
            "is part of a cycle: 'a' → 'b' → 'a'",
        ),
    ],
)
def test_an_entry_that_is_not_valid_is_refused_with_its_line(lexemes: list[str], line: int, fault: str) -> None:
    found = refused(document(*lexemes))
    assert found.line == line
    assert fault in found.fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<speak/>", "the root element is <speak>; use <lexicon>"),
        ("<lexicon/>", "<lexicon> has no xml:lang"),
        ('<lexicon xml:lang="en" alphabet="x-sampa"/>', 'x-sampa" is not supported; use ipa'),
        ('<lexicon xml:lang="en">', "no element found"),
        ('<!DOCTYPE lexicon [<!ENTITY a "b">]><lexicon xml:lang="en"/>', "a document type declaration is not allowed"),
        ("", "no element found"),
    ],
)
def test_what_is_not_a_lexicon_is_refused(text: str, fault: str) -> None:
    assert fault in refused(text).fault
