"""What the library leaves out of its IPA is put back."""

import pytest

from phonoscope.server.text.ipa import SEPARATOR, complete


@pytest.mark.parametrize(
    ("language", "separated", "ipa"),
    [
        ("en", "h|iː| ɪ|z", "hiːʲ ɪz"),
        ("en", "ð|ɪ| ˈɛ|n|d", "ðɪʲ ˈɛnd"),
        ("en", "p|ˌiː||ˈɛ|m", "pˌiːʲˈɛm"),
        ("en", "s|ˈiː|| ˈɔ|n", "sˈiː ˈɔn"),
        ("en", "h|iː| w|ɪ|l", "hiː wɪl"),
        ("en", "s|iː (de)ɪ|ç", "siː (de)ɪç"),
        ("de", "d|ɾ|ˈaɪ", "drˈaɪ"),
        ("de", "h|ˈɛ|ɾ", "hˈɛɾ"),
        ("de", "ʃ|t|ˈuː|d|ɪ||ˌoː", "ʃtˈuːdɪʲˌoː"),
        ("de", "s|k|ˈiː||ɪ|ŋ", "skˈiːɪŋ"),
        ("es", "s|ˈe||r", "sˈeɾ"),
        ("es", "a||r|ˈo|β|a", "arˈoβa"),
        ("es", "k|ˈa|r|o", "kˈaro"),
        ("it", "ɪ| e", "ɪ e"),
        ("it", "p|ˈe||r", "pˈeɾ"),
    ],
)
def test_ipa_is_completed(language: str, separated: str, ipa: str) -> None:
    assert complete(separated.replace("|", SEPARATOR), language) == ipa
