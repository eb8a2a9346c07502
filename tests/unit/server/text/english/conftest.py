"""A small dictionary of each accent, with entries of every form, in place of misaki's."""

import pytest

from phonoscope.server.text.english.accents import AMERICAN, Accent
from phonoscope.server.text.english.dictionary import Dictionary

GOLD = {
    "A": "ˈA", "I": "ˈI", "F": "ˈɛf", "B": "bˈi", "U": "jˈu", "S": "ˈɛs",
    "and": "ænd", "to": "tu", "am": "æm", "versus": "vˈɜɹsəs", "it": "ɪt", "us": "ˌʌs",
    "dog": "dˈɔɡ", "apple": "ˈæpᵊl", "git": "ɡˈɪt", "hub": "hˈʌb", "nutshell": "nˈʌtʃˌɛl", "Paris": "pˈæɹɪs",
    "leather-bound": "lˈɛðəɹbˌWnd", "'tis": "tˈɪz", "No.": "nˈʌmbəɹ", "no": "nˈO", "NASA": "nˈæsə",
    "US": {"DEFAULT": "ˌʌs", "NOUN": None},
    "her": {"DEFAULT": "hɜɹ", "None": "hˌɜɹ"},
    "use": {"DEFAULT": "jˈuz", "NOUN": "jˈus"},
    "live": {"DEFAULT": "lˈIv", "VERB": "lˈɪv"},
    "used": {"DEFAULT": "jˈuzd", "VBD": "jˈust"},
    "read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd", "VBN": "ɹˈɛd"},
}  # fmt: skip
SILVER = {"plank": "plˈæŋk", "kit": "kˈɪt"}


@pytest.fixture
def accent() -> Accent:
    return AMERICAN


@pytest.fixture
def small(accent: Accent) -> Dictionary:
    return Dictionary(GOLD, SILVER)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, small: Dictionary) -> None:
    """The small dictionary is the installed one."""
    place = "phonoscope.server.text.english.dictionary"
    monkeypatch.setattr(f"{place}.is_installed", lambda: True)
    monkeypatch.setattr(f"{place}.dictionary_of", lambda accent: small)
