"""Other numbers: `No. 5`, `#1`, `3/4`, `24/7`, `1e-5`, `10^5`, `1920x1080`, `~50`, `.5`, and negative numbers."""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import MINUS, SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, RIGHT, Rule, either, rule, word_before, words_of

_NUMBERING: Final = {
    "en": {
        "No.": "number", "no.": "number", "Nos.": "numbers", "nos.": "numbers", "p.": "page", "pp.": "pages",
        "Vol.": "volume", "vol.": "volume", "Ch.": "chapter", "ch.": "chapter", "Fig.": "figure", "fig.": "figure",
        "Figs.": "figures", "figs.": "figures", "Sec.": "section", "sec.": "section", "Eq.": "equation",
        "eq.": "equation", "Art.": "article", "№": "number",
    },
    "de": {
        "Nr.": "Nummer", "S.": "Seite", "Abb.": "Abbildung", "Kap.": "Kapitel", "Bd.": "Band", "Abs.": "Absatz",
        "Art.": "Artikel", "Tab.": "Tabelle", "№": "Nummer",
    },
    "fr": {
        "n°": "numéro", "N°": "numéro", "nº": "numéro", "№": "numéro", "p.": "page", "pp.": "pages",
        "art.": "article", "chap.": "chapitre", "fig.": "figure", "vol.": "volume",
    },
    "es": {
        "n.º": "número", "N.º": "número", "nº": "número", "núm.": "número", "№": "número", "p.": "página",
        "pág.": "página", "págs.": "páginas", "art.": "artículo", "cap.": "capítulo", "fig.": "figura",
        "vol.": "volumen",
    },
}  # fmt: skip
_PARTS: Final = {"2": "half", "3": "third", "4": "quarter", "5": "fifth", "6": "sixth", "8": "eighth"}
_COUNTING: Final = words_of("page step part slide sheet disc disk chapter day volume episode lesson question round")
_SCORING: Final = words_of("ratio odds score scale won lost beat by of lead led ended finished drew lost win loss a")
# Elsewhere a fraction is one of something: "2/3 jours" are two or three days.
_SHARED: Final = {
    "de": "der|des|aller|davon|unserer|seiner|ihrer",
    "fr": "des|du|de la|de l['’]|d['’]entre|de ces|de nos",
    "es": "de (?:la|las|los|sus|estos|estas)|del",
}
_PLACES: Final = words_of(
    "seite teil folge blatt kapitel page partie feuille épisode chapitre página parte capítulo hoja"
)
_COLOUR: Final = re.compile(r"(?=\w*[0-9])[0-9A-Fa-f]{3,8}")
_DATING: Final = words_of("on since until by before after")


def rules(language: Language) -> list[Rule]:
    """Returns the rules for other numbers: numbering and minus in four languages, the others in English."""
    return [
        *_numbering(language),
        *(_english() if language.code == "en" else []),
        *_shares(language),
        *_negative(language),
    ]


def _numbering(language: Language) -> list[Rule]:
    names = _NUMBERING.get(language.code, {})
    if not names:
        return []

    def spoken(match: re.Match[str]) -> str:
        return f"{names[match['name']]}{match['space'] or ' '}"

    pattern = rf"(?<![\w.])(?P<name>{either(list(names))})(?P<space>{SPACE}?)(?=[0-9])"
    return [rule("letter sign", pattern, spoken)]


def _shares(language: Language) -> list[Rule]:
    """Returns the rule for fractions of something, "2/3 der Leute"; `notation.py` reads a fraction slash in words."""
    of = _SHARED.get(language.code, "")
    if not of:
        return []

    def spoken(match: re.Match[str]) -> str | None:
        is_share = int(match["top"]) < int(match["low"]) and word_before(match) not in _PLACES
        return f"{match['top']}\u2044{match['low']}" if is_share else None

    ahead = rf"(?={SPACE}(?:{of})(?:(?<=['’])|\b))"
    return [rule("digit", rf"{LEFT}(?P<top>[1-9])/(?P<low>[3-9]|10){ahead}", spoken)]


def _negative(language: Language) -> list[Rule]:
    """Returns the rule for a minus that espeak-ng leaves out."""
    if language.code not in ("fr", "es", "it", "pt", "nl"):
        return []

    def spoken(match: re.Match[str]) -> str | None:
        text, start = match.string, match.start()
        is_apart = start == 0 or text[start - 1] in " \n\t(\u00a0\u202f"
        return f"{language.minus} " if is_apart and not text[max(0, start - 2) : start].strip().isdecimal() else None

    return [rule("sign", rf"{MINUS}(?={language.number}(?![\w/\-]|[.,:][0-9]))", spoken)]


def _english() -> list[Rule]:
    return [
        rule(
            "digit", rf"{LEFT}(?P<whole>[0-9]+{SPACE})?(?P<top>[0-9]{{1,3}})/(?P<low>[0-9]{{1,3}}){RIGHT}", _fraction
        ),
        rule("digit", rf"{LEFT}24/7(?:/365)?{RIGHT}", lambda match: match.group().replace("/", " ")),
        rule(
            "digit",
            rf"{LEFT}(?P<mantissa>[0-9](?:\.[0-9]+)?)[eE](?P<sign>[-+\u2212]?)(?P<power>[0-9]{{1,3}}){RIGHT}",
            _scientific,
        ),
        rule("digit", rf"{LEFT}(?P<base>[0-9]+)\^(?P<sign>[-\u2212]?)(?P<power>[0-9]{{1,3}}){RIGHT}", _power),
        rule(
            "digit",
            rf"{LEFT}(?P<mantissa>[0-9]+(?:\.[0-9]+)?){SPACE}?[x×*·]{SPACE}?10\^(?P<sign>[-\u2212]?)"
            rf"(?P<power>[0-9]{{1,3}}){RIGHT}",
            _times_power,
        ),
        rule("digit", rf"{LEFT}[1-9][0-9]*(?:{SPACE}?x{SPACE}?[1-9][0-9]*){{1,2}}(?!\^){RIGHT}", _by),
        rule("digit", rf"{LEFT}(?P<first>[0-9]{{1,3}}):(?P<second>[0-9])(?![\w/:%]|[.,-][0-9])", _score),
        rule("sign", rf"(?<![\w.,/#&\\])#(?P<number>[0-9]{{1,5}}){RIGHT}", _numbered),
        rule("sign", r"(?<!\S)#(?P<tag>[^\W\d_][^\W_]*(?:_[^\W_]+)*)(?![\w;])", _hashtag),
        rule("sign", r"(?<![\w/~=])[~≈](?=[$€£]?[0-9])", lambda _: "about "),
        rule("sign", r"(?<![\w.,:/)\]])\.(?P<digits>[0-9]{1,6})(?![\w/]|[.,:][0-9])", _point),
    ]


def _fraction(match: re.Match[str]) -> str | None:
    whole, top, low = match["whole"], match["top"], match["low"]
    before = word_before(match)
    if (top, low) == ("9", "11") and not whole:
        return "9 11"
    if before in _COUNTING or (top[0] != "0" and low in ("10", "100") and int(top) <= int(low) and not whole):
        return f"{top} {'of' if before in _COUNTING else 'out of'} {low}"
    if low == "5" and re.compile(r" stars?\b").match(match.string, match.end()):
        return f"{top} out of 5"
    part = _PARTS.get(low)
    if part is None or not 0 < int(top) < int(low) or top[0] == "0" or (before in _DATING and not whole):
        return None
    halves = part + "s" if int(top) > 1 else part
    one = ("an" if part[0] == "e" else "a") if whole else "one"
    number = one if top == "1" else top
    return f"{whole.strip()} and {number} {halves}" if whole else f"{number} {halves}"


def _scientific(match: re.Match[str]) -> str | None:
    if not match["sign"] and "." not in match["mantissa"]:
        return None  # may be a name, such as a room
    return _times_power(match)


def _times_power(match: re.Match[str]) -> str:
    return f"{match['mantissa']} times 10 to the {_exponent(match)}"


def _power(match: re.Match[str]) -> str:
    return f"{match['base']} to the power of {_exponent(match)}"


def _exponent(match: re.Match[str]) -> str:
    return ("minus " if match["sign"] in ("-", "\u2212") else "") + str(int(match["power"]))


def _by(match: re.Match[str]) -> str:
    return " by ".join(number.strip() for number in match.group().split("x"))


def _score(match: re.Match[str]) -> str | None:
    return f"{match['first']} to {match['second']}" if word_before(match) in _SCORING else None


def _numbered(match: re.Match[str]) -> str:
    return match["number"] if word_before(match) in ("number", "numbers") else f"number {match['number']}"


def _hashtag(match: re.Match[str]) -> str | None:
    if _COLOUR.fullmatch(match["tag"]):
        return None
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", match["tag"].replace("_", " "))
    return f"hashtag {words}"


def _point(match: re.Match[str]) -> str:
    return f"point {' '.join(match['digits'])}"
