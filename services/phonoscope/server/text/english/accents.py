"""The two accents of the dictionaries, and how espeak-ng's IPA of each is made like theirs. Used all over the package.

Source of the changes: the tables that misaki documents for espeak-ng, which reads what its dictionaries lack.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_BOTH: Final = {"ɐ": "ə", "əl(?![ˈˌ]?[aeiouæɐɑɒɔəɚɛɜɪʊʌᵻ])": "l\u0329"}
# Not of a diphthong before a schwa, as in "violin".
_NEAR: Final = "(?<![aeɔ])ɪə"


@dataclass(frozen=True, slots=True, eq=False)
class Accent:
    """An accent of English.

    Attributes:
        voice: this package's name of it.
        espeak_voice: espeak-ng's.
        dictionaries: prefix of the dictionaries' names.
        is_british: whether r is silent after a vowel and t is never a tap.
        changes: patterns of espeak-ng's sounds, with what the dictionaries have.
    """

    voice: str
    espeak_voice: str
    dictionaries: str
    is_british: bool
    changes: Mapping[str, str]

    def adapted(self, ipa: str) -> str:
        """Returns IPA of espeak-ng as the dictionaries would have it."""
        for sound, own in self.changes.items():
            ipa = re.sub(sound, own, ipa)
        return ipa


AMERICAN: Final = Accent("en-us-misaki", "en-us", "us", is_british=False, changes={**_BOTH, _NEAR: "iə"})
BRITISH: Final = Accent("en-gb-misaki", "en", "gb", is_british=True, changes={**_BOTH, "eə": "ɛː", "iə": "ɪə"})
ACCENTS: Final[Mapping[str, Accent]] = {accent.voice: accent for accent in (AMERICAN, BRITISH)}
