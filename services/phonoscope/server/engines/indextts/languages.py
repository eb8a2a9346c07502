"""The voices of IndexTTS-2.5: one for each of its languages. It gets text, and normalises that itself.

None has a sound of its own: each speaks like the recording of a request, or like a named recording of its language.
"""

from dataclasses import dataclass
from typing import Final

from phonoscope.server.types import PhonemeScheme, Voice

ENGINE: Final = "indextts"
# Below this share of the own duration of a text, speech does not become faster, says the library.
MIN_DURATION_FACTOR: Final = 0.78
MAX_SPEED: Final = 1.28


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: the library's.
        tag: BCP 47.
        rules: whose rules find the ends of sentences, under espeak-ng's name.
        greeting: a text to warm up with.
    """

    code: str
    tag: str
    rules: str
    greeting: str

    def voice(self, sample_rate_hz: int) -> Voice:
        """Returns the voice of this language."""
        return Voice(
            f"{ENGINE}-{self.code}",
            self.tag,
            sample_rate_hz,
            PhonemeScheme("plain", self.rules, {}, reads_numbers=True),
            engine=ENGINE,
            emotion_rendering="native",
            has_timings=False,
            alphabets=(),
            reference_use="required",
            takes_emotion_reference=True,
            max_speed=MAX_SPEED,
        )


LANGUAGES: Final = (
    Language("zh", "zh-CN", "cmn", "你好, 1."),
    Language("en", "en-US", "en-us", "Hello, 1."),
    Language("ja", "ja-JP", "ja", "こんにちは, 1."),
    Language("es", "es-ES", "es", "Hola, 1."),
    Language("ar", "ar", "ar", "مرحبا, 1."),
)
