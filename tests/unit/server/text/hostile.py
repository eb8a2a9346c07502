"""Strategies of Hypothesis for what strangers send: texts of all scripts, IPA, and documents of SSML, nearly valid.

`test_fuzz.py` here reads them with espeak-ng; tests/integration/test_fuzz.py sends them over gRPC.
"""

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

# fmt: off
WORDS = [
    "a", "I", "the", "of", "for", "on", "it", "one", "well-known", "U.S.A.", "1984", "3.14", "$5.50", "50%",
    "12:30", "12th", "don't", "Tom's", "Dr.", "J.", "&", "@", "C++", "x²", "½", "№", "§", "-", "–", "—", "…",
    "...", ".", ",", ";", ":", "!", "?", "(", ")", "[", "]", '"', "'", "“", "”", "«", "»", "*", "#", "_", "/",
    "naïve", "Straße", "Übergrößenträger", "l'été", "aujourd'hui", "中文", "你好。", "日本語", "カタカナ", "ひらがな",
    "Привет", "мир", "Ελλάδα", "שלום", "مرحبا", "हिन्दी", "ไทย", "한국어", "ქართული", "አማርኛ", "👋🏽", "😀", "🇩🇪",
    "❤️", "👨\u200d👩\u200d👧", "é", "ạ̊", "́", "\xad", "\u200b", "\u200d", "\u202e", "\ufeff", "�", "\u2028",
    "ﬁ", "Ⅷ", "Ａ", "a1b2", "aaaaaaaaaaaaaaaaaaaa", "www.example.org", "me@here.com",
]
# fmt: on
_PHRASES = tuple(word for word in WORDS if any(character.isalnum() for character in word))
BLANKS = (" ", " ", " ", " ", "", "  ", "\n", "\r\n", "\t", "\n\n", "\u00a0", "\u3000")
CONTROLS = ("\x00", "\x01", "\x1b", "\x7f", "\x85", "\ufffe", "\U0010ffff", "\ue000")
SOUNDS = "pbtdkɡmnŋfvθðszʃʒhlɹjwiɪeɛæɑɔoʊuʌəɚ"
STRANGE_SOUNDS = "ʘ\u0303ǁ'g:ː.ˈ ˌ‿x1A\u0361ẽ(é\x00😀"


def texts(words: int = 12) -> st.SearchStrategy[str]:
    """Plain text, now and then of nothing but chance."""
    pieces = st.sampled_from(WORDS) | st.sampled_from(WORDS) | st.sampled_from(CONTROLS) | st.text(max_size=4)
    pairs = st.lists(st.tuples(pieces, st.sampled_from(BLANKS)), max_size=words)
    return pairs.map(lambda pairs: "".join(piece + blank for piece, blank in pairs))


@st.composite
def phrases(draw: Any) -> tuple[str, str, str]:
    """An entry of pronunciations: phrase, IPA, respelling; mostly a good one."""
    phrase = draw(st.sampled_from(_PHRASES) | st.sampled_from(_PHRASES) | texts(2))
    if draw(st.booleans()):
        return phrase, draw(ipa()), ""
    return phrase, "", draw(st.sampled_from(_PHRASES) | st.sampled_from(_PHRASES) | texts(3))


def ipa() -> st.SearchStrategy[str]:
    """Phonemes, mostly of English."""
    english = st.tuples(st.sampled_from(SOUNDS), st.text(st.sampled_from(SOUNDS + "ˈˌː"), max_size=8)).map("".join)
    return english | english | english | english | st.text(st.sampled_from(SOUNDS + STRANGE_SOUNDS), max_size=8)


_NUMBERS = st.sampled_from(["0", "1", "10", "12.5", "99", "100", "250", "400", "401", "1e3", "-1", "9" * 40, "."])
_SIGNED = st.tuples(st.sampled_from(["", "+", "-", "+-", " "]), _NUMBERS).map("".join)


def _amounts(labels: str, units: str) -> st.SearchStrategy[str]:
    good = st.sampled_from(labels.split())
    return (
        good | good | good | good | st.tuples(_SIGNED, st.sampled_from([*units.split(), ""])).map("".join) | texts(2)
    )


_SIMPLE: dict[str, st.SearchStrategy[str]] = {
    "time": st.sampled_from(["0s", "10ms", "250ms", "1s"])
    | st.sampled_from(["0s", "10ms", "250ms", "1s", "+.5s", "10s", "11s", "-1s", "1", "s", "1.s", "99999999s"]),
    "strength": _amounts("none x-weak weak medium strong x-strong", ""),
    "rate": _amounts("x-slow slow medium fast x-fast default 80% +10% -20%", "%"),
    "pitch": _amounts("x-low low medium high x-high default +10% -2st", "% st Hz"),
    "volume": _amounts("silent x-soft soft medium loud x-loud default +6dB", "dB"),
    "level": _amounts("strong moderate none reduced", ""),
    "interpret-as": st.sampled_from(
        ["characters", "spell-out", "digits", "date", "cardinal", "number", "ordinal", "telephone", "time", "currency"]
    ),
    "format": st.sampled_from(["mdy", "dmy", "ymd", "md", "dm", "ym", "my", "y", "m", "d", "", "ydm", "mm"]),
    "alias": texts(4),
    "ph": ipa(),
    "alphabet": st.sampled_from(["ipa", "ipa", "x-sampa", ""]),
    "name": st.sampled_from(["tone", "ton:zwei", "nobody tone", "ton", "x"])
    | st.sampled_from(["nobody", "a:b:c", "", " "])
    | texts(2),
    "languages": st.sampled_from(["en", "de-DE", "de:en", "fr:en", "", "xx"]),
    "xml:lang": st.sampled_from(["en", "en-US", "de-DE", "de_AT", "EN", "de", "fr", "", "x-none"]),
    "onlangfailure": st.sampled_from(["changevoice", "ignoretext", "ignorelang", "processorchoice", "other"]),
    "version": st.sampled_from(["1.0", "1.1", "1.1", "1.1", "1.1", "1.1", "2.0", ""]),
    "role": texts(1),
    "xmlns": st.sampled_from(["http://www.w3.org/2001/10/synthesis"] * 8 + ["urn:other", ""]),
    "x:y": texts(1),
    "mine": texts(1),
}
_OWN: dict[str, tuple[str, ...]] = {
    "speak": ("version", "xml:lang", "xmlns", "onlangfailure"),
    "p": ("xml:lang",),
    "s": ("xml:lang", "onlangfailure"),
    "break": ("time", "strength"),
    "prosody": ("rate", "pitch", "volume"),
    "emphasis": ("level",),
    "say-as": ("interpret-as", "format"),
    "sub": ("alias",),
    "phoneme": ("ph", "alphabet"),
    "voice": ("name", "languages"),
    "lang": ("xml:lang", "onlangfailure"),
    "mark": ("name",),
    "w": ("role",),
    "audio": ("mine",),
    "desc": (),
    "x:y": ("x:y",),
}
_SERVED = [name for name in _OWN if name not in ("speak", "audio", "desc", "x:y")]
_RARELY = st.sampled_from([False] * 20 + [True])
_EMPTY = ("break", "mark")
_TEXT_ONLY = ("say-as", "sub", "phoneme")
_SAID_AS = ("42", "12345", "3rd", "21.", "1/2/2024", "2024-02-29", "31.12.99", "+1 (555) 123-4567", "-5,000.25", "abc")


def _written(text: str) -> st.SearchStrategy[str]:
    """Text as XML has it: escaped, as references, or in CDATA."""
    clean = "".join(
        character
        for character in text
        if (character >= " " and character not in "\ufffe\uffff") or character in "\t\n\r"
    )
    numbers = "".join(f"&#{ord(character)};" for character in clean[:20])
    ways = [escape(clean), escape(clean), escape(clean), numbers]
    return st.sampled_from(ways if "]]>" in clean else [*ways, f"<![CDATA[{clean}]]>"])


_CONTENT = texts(5).flatmap(_written)
_BETWEEN = st.sampled_from(["<!-- no word -->", "<?pause 1?>", " ", "\n", "&amp;", "&lt;", "&#x4e2d;", "&unknown;"])


@st.composite
def _opened(draw: Any, name: str) -> str:
    own = _OWN[name]
    chosen = draw(st.lists(st.sampled_from(own), unique=True, max_size=3)) if own else []
    if own and name not in ("speak", "p", "s", "break", "prosody", "emphasis", "voice"):
        chosen = list(dict.fromkeys([own[0], *chosen]))
    if draw(_RARELY):
        chosen.append(draw(st.sampled_from([other for other in _SIMPLE if other not in chosen])))
    return "".join(f" {key}={quoteattr(draw(_SIMPLE[key]))}" for key in chosen)


@st.composite
def _element(draw: Any, children: st.SearchStrategy[str]) -> str:
    name = draw(st.sampled_from([*_SERVED * 5, *_OWN]))
    attributes = draw(_opened(name))
    if name in _EMPTY and not draw(_RARELY):
        return f"<{name}{attributes}/>"
    if name == "say-as":
        content = draw(st.sampled_from(_SAID_AS) | _CONTENT)
    elif name in _TEXT_ONLY and not draw(_RARELY):
        content = draw(_CONTENT)
    else:
        content = "".join(draw(st.lists(children, max_size=3)))
    return f"<{name}{attributes}>{content}</{name}>"


def _nested() -> st.SearchStrategy[str]:
    return st.recursive(_CONTENT | _CONTENT | _BETWEEN, _element, max_leaves=8)


@st.composite
def _documents(draw: Any) -> str:
    inner = "".join(draw(st.lists(_nested(), max_size=6)))
    before = draw(
        st.sampled_from(["", "", "", "", "", "<?xml version='1.0'?>", "<?xml version='1.0' encoding='latin-1'?>", "x"])
    )
    return f"{before}<speak{draw(_opened('speak'))}>{inner}</speak>"


_INSERTED = (
    "<",
    ">",
    "/",
    "&",
    '"',
    "'",
    "<s>",
    "</s>",
    "]]>",
    "<![CDATA[",
    "<!--",
    "<!DOCTYPE a>",
    "&#0;",
    "\x00",
    "é",
)


@st.composite
def _mutated(draw: Any) -> str:
    """A document with a few characters gone, twice there, or put in."""
    document = draw(_documents())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(document)))
        stop = min(len(document), at + draw(st.integers(1, 6)))
        middle = draw(st.sampled_from(["", document[at:stop] * 2]) | st.sampled_from(_INSERTED).map(str))
        document = document[:at] + middle + document[stop:]
    return document


def documents() -> st.SearchStrategy[str]:
    """Documents of SSML, most of them nearly valid, some no XML at all."""
    return _documents() | _documents() | _documents() | _mutated()
