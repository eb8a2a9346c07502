"""Words for symbols, exponents and fractions in English, German, French and Spanish, and currencies in any language.

Called by `characters.py` and `notation.py`. Other languages have espeak-ng's own names. A name is what a person says
for the symbol within a sentence. Source for currencies: CLDR, by Babel.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_name

_SYMBOLS: Final = "≈ ≠ ≤ ≥ ± × ÷ √ ∛ ∞ → ← ↑ ↓ ↔ ⇒ ⇔ − ∓ ≡ ∝ ∈ ∉ ∑ ∏ ∫ ∂ ∇ ∅ ∪ ∩ ⊂ ∧ ∨ ¬ ∀ ∃ ∴ ‰ © ® ™ № § ¶ µ ♯ ♭ ♮ ℅"
_WORDS: Final = {
    "en": "approximately|not equal to|less than or equal to|greater than or equal to|plus or minus|times|divided by"
    "|square root|cube root|infinity|right arrow|left arrow|up arrow|down arrow|left right arrow|implies"
    "|if and only if|minus|minus or plus|identical to|proportional to|in|not in|sum|product|integral|partial|nabla"
    "|empty set|union|intersection|subset of|and|or|not|for all|there exists|therefore|per mille|copyright"
    "|registered|trademark|number|section|paragraph|micro|sharp|flat|natural|care of",
    "de": "ungefähr|ungleich|kleiner oder gleich|größer oder gleich|plus minus|mal|geteilt durch"
    "|Wurzel|Kubikwurzel|unendlich|Pfeil rechts|Pfeil links|Pfeil hoch|Pfeil runter|Doppelpfeil|daraus folgt"
    "|genau dann wenn|minus|minus plus|identisch mit|proportional zu|Element von|kein Element von|Summe|Produkt"
    "|Integral|partiell|Nabla|leere Menge|vereinigt mit|geschnitten mit|Teilmenge von|und|oder|nicht|für alle"
    "|es gibt|daher|Promille|Copyright|eingetragene Marke|Warenzeichen|Nummer|Paragraph|Absatz|Mikro|Kreuz|B"
    "|Auflöser|bei",
    "fr": "environ|différent de|inférieur ou égal à|supérieur ou égal à|plus ou moins|fois|divisé par"
    "|racine carrée de|racine cubique de|infini|flèche droite|flèche gauche|flèche haut|flèche bas|double flèche"
    "|implique|équivaut à|moins|moins ou plus|identique à|proportionnel à|appartient à|n'appartient pas à|somme"
    "|produit|intégrale|dérivée partielle|nabla|ensemble vide|union|intersection|inclus dans|et|ou|non|pour tout"
    "|il existe|donc|pour mille|copyright|marque déposée|marque de commerce|numéro|paragraphe|alinéa|micro"
    "|dièse|bémol|bécarre|aux soins de",
    "es": "aproximadamente|distinto de|menor o igual que|mayor o igual que|más menos|por|dividido por"
    "|raíz cuadrada de|raíz cúbica de|infinito|flecha derecha|flecha izquierda|flecha arriba|flecha abajo"
    "|flecha doble|implica|si y solo si|menos|menos más|idéntico a|proporcional a|pertenece a|no pertenece a|suma"
    "|producto|integral|derivada parcial|nabla|conjunto vacío|unión|intersección|subconjunto de|y|o|no|para todo"
    "|existe|por lo tanto|por mil|copyright|marca registrada|marca comercial|número|sección|párrafo|micro"
    "|sostenido|bemol|becuadro|a la atención de",
}
NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    language: dict(zip(_SYMBOLS.split(), words.split("|"), strict=True)) for language, words in _WORDS.items()
} | {"ja": {"〒": "郵便番号"}}
"""Names of symbols, by language."""
PREFERRED: Final = frozenset("∂∑♯♭")
"""Symbols whose name here is better than espeak-ng's."""

_COMPARISONS: Final = {"en": "less than|greater than", "de": "kleiner als|größer als"} | {
    "fr": "inférieur à|supérieur à",
    "es": "menor que|mayor que",
}
COMPARISONS: Final[Mapping[str, Mapping[str, str]]] = {
    language: {
        **dict(zip("<>", words.split("|"), strict=True)),
        "<=": NAMES[language]["≤"],
        ">=": NAMES[language]["≥"],
    }
    for language, words in _COMPARISONS.items()
}
"""Names of comparison operators of ASCII, by language; elsewhere the same characters are brackets."""

ALPHABETS: Final[Mapping[str, str]] = {
    "en": "",
    "de": "äöüß",
    "fr": "àâæçèéêëîïôœùûüÿ",
    "es": "áéíñóúü",
    "it": "àèéìíòóùú",
    "pt": "àáâãçéêíóôõúü",
    "nl": "éëïóöü",
    "ca": "àçèéíïòóúü·",
    "sv": "åäöé",
    "da": "æøåé",
    "nb": "æøåé",
    "pl": "ąćęłńóśźż",
    "tr": "çğıöşüâ",
    "ro": "ăâîșț",
    "hu": "áéíóöőúüű",
    "cs": "áčďéěíňóřšťúůýž",
}
"""Letters with marks that a language has; of other languages espeak-ng is asked."""

_KEYS: Final = {
    "⌘": "command",
    "⌥": "option",
    "⇧": "shift",
    "⌃": "control",
    "⏎": "return",
    "⌫": "delete",
    "⎋": "escape",
}
ENGLISH_EXTRA: Final[Mapping[str, str]] = _KEYS | {"‱": "per ten thousand", "℗": "phonogram", "℠": "service mark"}
"""Names that only English has here."""

MINUS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("en", "de", "nl", "pl", "cs", "sk", "sv", "da", "nb", "no", "hr", "sl", "bs", "sr", "ro"), "minus"
    ),
    "fr": "moins",
    "es": "menos",
    "pt": "menos",
    "it": "meno",
    "ca": "menys",
    "ru": "минус",
    "uk": "мінус",
    "bg": "минус",
    "fi": "miinus",
    "et": "miinus",
    "hu": "mínusz",
    "el": "μείον",
    "tr": "eksi",
    "ja": "マイナス",
    "cmn": "负",
    "yue": "負",
    "ko": "마이너스",
    "hi": "माइनस",
    "ar": "ناقص",
    "fa": "منفی",
    "id": "minus",
    "vi": "âm",
}
"""What is said before a negative number, by language."""

PLUS: Final[Mapping[str, str]] = {"en": "plus", "de": "plus", "fr": "plus", "es": "más"}
"""What is said for a positive charge, by language."""


@dataclass(frozen=True, slots=True)
class Powers:
    """How exponents are read: of a second and third power, and of any other, with a place for the exponent."""

    second: str
    third: str
    other: str


POWERS: Final[Mapping[str, Powers]] = {
    "en": Powers("squared", "cubed", "to the {}"),
    "de": Powers("hoch 2", "hoch 3", "hoch {}"),
    "fr": Powers("au carré", "au cube", "puissance {}"),
    "es": Powers("al cuadrado", "al cubo", "elevado a {}"),
}
"""Words of exponents, by language."""


@dataclass(frozen=True, slots=True)
class Fractions:
    """How fractions are read.

    Attributes:
        half: alone; `and_a_half` after a whole number.
        joined: between a whole number and any other fraction.
        one: the numerator 1.
        parts: by denominator, of one part and of several.
    """

    half: str
    and_a_half: str
    joined: str
    one: str
    parts: Mapping[int, tuple[str, str]]


def _parts(first: int, one: str, several: str = "") -> dict[int, tuple[str, str]]:
    """Returns the words of consecutive denominators; several parts have the same word, or another ending."""
    singles = one.split()
    plurals = several.split() if several else singles
    return {first + index: pair for index, pair in enumerate(zip(singles, plurals, strict=True))}


_EN: Final = ["third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_FR: Final = ["cinquième", "sixième", "septième", "huitième", "neuvième", "dixième"]
_ES: Final = ["tercio", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo"]
FRACTIONS: Final[Mapping[str, Fractions]] = {
    "en": Fractions("one half", "and a half", "and", "one", _parts(3, " ".join(_EN), "s ".join(_EN) + "s")),
    "de": Fractions(
        *("ein halb", "einhalb", "", "ein"),
        _parts(3, "Drittel Viertel Fünftel Sechstel Siebtel Achtel Neuntel Zehntel"),
    ),
    "fr": Fractions(
        *("un demi", "et demi", "et", "un"),
        _parts(3, "tiers quart " + " ".join(_FR), "tiers quarts " + "s ".join(_FR) + "s"),
    ),
    "es": Fractions("un medio", "y medio", "y", "un", _parts(3, " ".join(_ES), "s ".join(_ES) + "s")),
}
"""Words of fractions, by language."""

CURRENCIES: Final[Mapping[str, str]] = {
    "$": "USD", "¢": "USD", "£": "GBP", "¥": "JPY", "€": "EUR", "₡": "CRC", "₦": "NGN", "₨": "PKR", "₩": "KRW",
    "₪": "ILS", "₫": "VND", "₭": "LAK", "₮": "MNT", "₱": "PHP", "₲": "PYG", "₴": "UAH", "₵": "GHS", "₸": "KZT",
    "₹": "INR", "₺": "TRY", "₼": "AZN", "₽": "RUB", "₾": "GEL", "฿": "THB", "៛": "KHR", "৳": "BDT", "֏": "AMD",
    "؋": "AFN", "﷼": "IRR",
}  # fmt: skip
"""ISO 4217 codes by sign."""
_LOCALES: Final = {"cmn": "zh", "yue": "zh", "nb": "nb"}
_OTHER_CURRENCIES: Final = {"₿": "bitcoin"}


@functools.lru_cache(maxsize=1024)
def currency_name(sign: str, language: str, *, is_plural: bool) -> str | None:
    """Returns the name of a currency in a language; None if it is unknown."""
    if sign in _OTHER_CURRENCIES:
        return _OTHER_CURRENCIES[sign]
    if sign not in CURRENCIES:
        return None
    try:
        locale = Locale.parse(_LOCALES.get(language, language))
    except (UnknownLocaleError, ValueError):
        return None
    name = get_currency_name(CURRENCIES[sign], count=5 if is_plural else 1, locale=locale)
    return None if name == CURRENCIES[sign] else name
