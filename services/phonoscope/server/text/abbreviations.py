"""Full stops that do not end a sentence: abbreviations, titles and initials of the supported languages.

Called by `split` to leave such stops alone, and by `front_end` to overrule espeak-ng, which stops after "Dr.". The
lists are our own; they contain what is common in running text, in lower case and without the last stop.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """The abbreviations of one language.

    Attributes:
        leading: words that are always followed by another word, such as titles; their stop never ends a sentence.
        numbering: words that a number follows, such as "No."; before a digit their stop does not end a sentence.
        others: words whose stop may also end a sentence, such as "etc.".
        openers: words that often start a sentence; after an initial or an acronym they show that the sentence ended.
        ordinals: whether a number of one or two digits followed by a stop is an ordinal.
    """

    leading: frozenset[str]
    numbering: frozenset[str]
    others: frozenset[str]
    openers: frozenset[str]
    ordinals: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LANGUAGES: Final = {
    "en": Abbreviations(
        leading=_words(
            "dr mr mrs ms messrs mx prof rev fr hon pres gov sen rep gen col maj capt cpt cmdr lt sgt cpl pvt adm st "
            "mt ft vs e.g i.e cf viz al"
        ),
        numbering=_words(
            "no nos fig figs eq vol ch sec art p pp approx ca c jan feb mar apr jun jul aug sep sept oct nov dec"
        ),
        others=_words(
            "etc inc ltd co corp llc bros jr sr esq dept est ave blvd rd sq apt min max hr hrs sec mon tue tues wed "
            "thu thur thurs fri sat sun a.m p.m am pm b.c a.d ph.d m.d b.a m.a"
        ),
        openers=_words(
            "the a an he she it we they you i this that these those there here his her its our their my your in on at "
            "by for from with after before when while if as but and or so then now what who where why how however "
            "meanwhile today yesterday tomorrow later no yes not all some many most one two let please"
        ),
    ),
    "de": Abbreviations(
        leading=_words(
            "dr prof hr fr frl dipl ing med phil st z.b d.h u.a o.ä i.d.r u.u z.t bzw ca vgl sog inkl exkl geb "
            "gest gegr evtl ggf bspw insb einschl zzgl abzgl mind max min"
        ),
        numbering=_words("nr nrn abs art s bd kap abb tab jan feb apr jun jul aug sep sept okt nov dez"),
        others=_words("usw etc str tel u.s.w co jr sen mio mrd tsd std jh jhd n.chr v.chr a.d"),
        openers=_words(
            "der die das ein eine er sie es wir ihr ich du dies diese dieser dieses dort hier in im am an auf bei mit "
            "nach vor wenn als aber und oder doch dann nun was wer wo warum wie heute gestern morgen später nein ja "
            "nicht alle viele man"
        ),
        ordinals=True,
    ),
    "fr": Abbreviations(
        leading=_words("m mm mme mmes mlle mlles dr me mgr pr st ste cf p.ex env av c.-à-d ex"),
        numbering=_words("no nos fig vol chap art p pp janv févr avr juil sept oct nov déc"),
        others=_words("etc cie sté bd boul tél apr j.-c s.a s.a.r.l min max"),
        openers=_words(
            "le la les un une il elle ils elles on nous vous je tu ce cette ces cet mon ma mes son sa ses leur dans "
            "en à au aux sur par pour avec après avant quand si mais et ou alors puis que qui où pourquoi comment "
            "aujourd'hui hier demain non oui tout tous"
        ),
    ),
    "es": Abbreviations(
        leading=_words(
            "sr sra srta sres sras dr dra d dña ud uds vd vds lic ing arq prof profa gral cnel cap tte sto sta s p.ej"
        ),
        numbering=_words(
            "núm n.º no fig vol cap art pág págs p pp aprox ene feb mar abr jun jul ago sept oct nov dic"
        ),
        others=_words("etc cía ltda s.a s.l av avda tel ee.uu a.c d.c a.m p.m jr"),
        openers=_words(
            "el la los las un una unos unas él ella ellos ellas nosotros yo tú usted este esta estos estas ese esa "
            "eso esto mi su sus en a al con por para de del desde después antes cuando si pero y o entonces luego que "
            "qué quién dónde cómo hoy ayer mañana no sí todo todos"
        ),
    ),
}
_OTHER_LANGUAGE: Final = Abbreviations(
    leading=_words("dr prof"), numbering=frozenset(), others=frozenset(), openers=frozenset(), ordinals=True
)

_TOKEN_BEFORE_STOP: Final = re.compile(r"[^\s()\[\]{}«»„“”\"‘'/,;:!?…—–]+$")
_WORD_AFTER: Final = re.compile(r"\s*[\"'“”‘’«»„(\[¿¡]*([^\W_][\w'’]*)?")
_ACRONYM: Final = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_NUMBER: Final = re.compile(r"[^\w\s]?\d[\d.]*")
_LONGEST_TOKEN: Final = 24
_LONGEST_SHORT_WORD: Final = 3
_LONGEST_ORDINAL: Final = 2


def abbreviations_of(language: str) -> Abbreviations:
    """Returns the abbreviations of a language such as "en"; cautious defaults for an unsupported language."""
    return _LANGUAGES.get(language, _OTHER_LANGUAGE)


def may_abbreviate(text: str, stop: int, language: str) -> bool:
    """Returns whether the full stop at `stop` may belong to the word before it; if so, do not split there."""
    token = _token_before(text, stop)
    known = abbreviations_of(language)
    if token.isdecimal():
        return _is_ordinal(text, stop, token, known)
    if _NUMBER.fullmatch(token):
        return False
    if known is _OTHER_LANGUAGE and len(token) <= _LONGEST_SHORT_WORD:
        return True
    word = token.lower()
    if word in known.numbering and not _is_initial(token):
        return _word_after(text, stop)[:1].isdecimal()
    return len(token) <= 1 or "." in token or word in known.leading or word in known.others


def surely_abbreviates(text: str, stop: int, language: str) -> bool:
    """Returns whether the sentence continues after the stop at `stop`: "Dr. Smith", "J. R. R. Tolkien", "No. 5"."""
    token = _token_before(text, stop)
    after = _word_after(text, stop)
    if not token or token[0].isdecimal() or not after:
        return False
    known = abbreviations_of(language)
    word = token.lower()
    if word in known.leading:
        return True
    if word in known.numbering and after[0].isdecimal():
        return True
    if word in known.others:
        return False
    initials = _is_initial(token) or _ACRONYM.fullmatch(token) is not None
    return initials and after[0].isupper() and after.lower() not in known.openers


def _is_initial(token: str) -> bool:
    return len(token) == 1 and token.isupper()


def _is_ordinal(text: str, stop: int, number: str, known: Abbreviations) -> bool:
    """Returns whether a number and its stop are an ordinal, or the number of a list item."""
    line = text[text.rfind("\n", 0, stop) + 1 : stop - len(number)]
    return not line.strip(" \"'“(*•-") or (known.ordinals and len(number) <= _LONGEST_ORDINAL)


def _token_before(text: str, stop: int) -> str:
    found = _TOKEN_BEFORE_STOP.search(text, max(0, stop - _LONGEST_TOKEN), stop)
    return found.group() if found else ""


def _word_after(text: str, stop: int) -> str:
    found = _WORD_AFTER.match(text, stop + 1)
    return (found.group(1) or "") if found else ""
