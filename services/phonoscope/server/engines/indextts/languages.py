"""The languages of IndexTTS-2.5, and how each text reaches the library: as it is, since it normalises text itself."""

from dataclasses import dataclass
from typing import Final

from phonoscope.server.types import PhonemeScheme


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: the library's.
        name: for messages.
        rules: whose rules find the ends of sentences, under espeak-ng's name.
        greeting: a word, to warm up with.
    """

    code: str
    name: str
    rules: str
    greeting: str

    @property
    def scheme(self) -> PhonemeScheme:
        """The scheme of its voices: text, numbers included."""
        return PhonemeScheme("plain", self.rules, {}, reads_numbers=True)


LANGUAGES: Final = {
    "zh": Language("zh", "Chinese", "cmn", "你好。"),
    "en": Language("en", "English", "en-us", "Hello."),
    "ja": Language("ja", "Japanese", "ja", "こんにちは。"),
    "es": Language("es", "Spanish", "es", "Hola."),
    "ar": Language("ar", "Arabic", "ar", "مرحبا."),
}
_ALSO: Final = {"cmn": "zh"}


def language_of(tag: str) -> Language | None:
    """Returns the language of a BCP 47 tag, such as "en-GB"; None if IndexTTS does not speak it."""
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return LANGUAGES.get(_ALSO.get(primary, primary))
