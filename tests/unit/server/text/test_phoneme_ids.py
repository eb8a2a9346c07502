"""Phonemes become ids by Piper's scheme."""

import pytest

from phonoscope.server.text.phoneme_ids import Spelling, spell, split_phonemes
from phonoscope.server.types import PhonemeScheme

IDS = {"_": (0,), "^": (1,), "$": (2,), " ": (3,), ".": (4,), "a": (5,), "b": (6, 7), "ai": (8,), "ˈ": (9,)}
SCHEME = PhonemeScheme("espeak", "en-us", IDS)


def test_a_pad_follows_begin_and_every_phoneme() -> None:
    assert spell(["a", " ", "a", "."], SCHEME) == Spelling(
        (1, 0, 5, 0, 3, 0, 5, 0, 4, 0, 2), voiced=True, unknown=0, places=(2, 4, 6, 8, 10)
    )


def test_a_phoneme_of_several_ids_has_one_pad() -> None:
    assert spell(["b", "a"], SCHEME).ids == (1, 0, 6, 7, 0, 5, 0, 2)


def test_unknown_phonemes_are_left_out_and_counted() -> None:
    assert spell(["a", "q", "q", "a"], SCHEME) == Spelling(
        (1, 0, 5, 0, 5, 0, 2), voiced=True, unknown=2, places=(2, 4, 4, 4, 6)
    )


def test_punctuation_and_stress_alone_are_not_voiced() -> None:
    assert not spell([".", " ", "ˈ"], SCHEME).voiced
    assert not spell(["q"], SCHEME).voiced


def test_phonemes_are_decomposed_code_points() -> None:
    assert split_phonemes("ɔ̃ç") == ["ɔ", "\u0303", "c", "\u0327"]


def test_language_flags_go() -> None:
    assert split_phonemes("(en)ab(pt-br)a") == ["a", "b", "a"]


def test_clusters_are_joined_longest_first() -> None:
    clusters = frozenset({("a", "i"), ("a", "i", "b"), ("b", "a")})
    assert split_phonemes("aaiaib", clusters) == ["a", "ai", "aib"]
    assert split_phonemes("bai", clusters) == ["ba", "i"]


def text_scheme(letters: str) -> PhonemeScheme:
    """A voice that reads letters: "a" has the id of its place, from 3 on."""
    return PhonemeScheme("text", "", {"_": (0,), "^": (1,), "$": (2,)} | {c: (n,) for n, c in enumerate(letters, 3)})


@pytest.mark.parametrize(
    ("known", "written", "read"),
    [
        ("ehlort ", "Hello There", "hello there"),
        ("EHLORT ", "Hello There", "HELLO THERE"),
        ("aAb", "aAB", "aAb"),
        ("STRA", "straß", "STRASS"),
        ("stra", "STRAẞ", "strass"),
        ("ас", "СА", "са"),
    ],
)
def test_a_text_voice_reads_letters_of_the_case_that_it_lacks(known: str, written: str, read: str) -> None:
    scheme = text_scheme(known)
    spelling, plain = (spell(list(text), scheme) for text in (written, read))
    assert (spelling.ids, spelling.unknown) == (plain.ids, 0)
    assert len(spelling.places) == len(written) + 1


def test_a_text_voice_counts_what_it_has_in_neither_case() -> None:
    spelling = spell(list("Éa?"), text_scheme("a"))
    assert spelling == Spelling((1, 0, 3, 0, 2), voiced=True, unknown=2, places=(2, 2, 4, 4))


def test_the_case_of_a_phoneme_is_kept() -> None:
    assert spell(["A"], SCHEME).unknown == 1
