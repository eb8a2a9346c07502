"""Strategies of Hypothesis for what strangers send: texts of all scripts, IPA, and documents of SSML, nearly valid.

`test_fuzz.py` here reads them with espeak-ng; tests/integration/test_fuzz.py sends them over gRPC.
"""

import os
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The environment's name for how many examples to try; docs/development.md says when. No name of the services', which
# refuse those that they do not know.
EXAMPLES = "FUZZ_EXAMPLES"

# fmt: off
WORDS = [
    "a", "I", "the", "of", "for", "on", "it", "one", "well-known", "U.S.A.", "1984", "3.14", "$5.50", "50%",
    "12:30", "12th", "don't", "Tom's", "Dr.", "J.", "&", "@", "C++", "x²", "½", "№", "§", "-", "–", "—", "…",
    "...", ".", ",", ";", ":", "!", "?", "(", ")", "[", "]", '"', "'", "“", "”", "«", "»", "*", "#", "_", "/",
    "naïve", "Straße", "Übergrößenträger", "l'été", "aujourd'hui", "中文", "你好。", "日本語", "カタカナ", "ひらがな",
    "Привет", "мир", "Ελλάδα", "שלום", "مرحبا", "हिन्दी", "ไทย", "한국어", "ქართული", "አማርኛ", "👋🏽", "😀", "🇩🇪",
    "❤️", "👨\u200d👩\u200d👧", "é", "ạ̊", "́", "\xad", "\u200b", "\u200d", "\u202e", "\ufeff", "�", "\u2028",
    "ﬁ", "Ⅷ", "Ａ", "𝗛𝗶", "ʜɪ", "①", "Ⓐ", "🅰", "㎏", "25℃", "10⁻⁵", "2½", "1⁄2", "H₂O", "-$5", "−€5", "₽5", "5₹", "π",
    "5 µm",    "≈", "→", "->", "a<b", "x^2", "‰", "™", "Nguyễn", "h̷e̷", "x̄", "Łódź", "♯", "٣", "३", "don´t", "│",
    "⠿", "ﷺ", "ｶﾞ", "a1b2", "aaaaaaaaaaaaaaaaaaaa", "www.example.org", "me@here.com",
]
# fmt: on
_PHRASES = tuple(word for word in WORDS if any(character.isalnum() for character in word))
BLANKS = (" ", " ", " ", " ", "", "  ", "\n", "\r\n", "\t", "\n\n", "\u00a0", "\u3000")
CONTROLS = ("\x00", "\x01", "\x1b", "\x7f", "\x85", "\ufffe", "\U0010ffff", "\ue000")
SOUNDS_OF_LETTERS = "pbtdkmnfvszhlwieaou"
SOUNDS = "pbtdkɡmnŋfvθðszʃʒhlɹjwiɪeɛæɑɔoʊuʌəɚ"
STRANGE_SOUNDS = "ʘ\u0303ǁ'g:ː.ˈ ˌ‿x1A\u0361ẽ(é\x00😀"
RARELY = st.sampled_from([False] * 24 + [True])
SOMETIMES = st.sampled_from([False] * 2 + [True])


def fuzzing(examples: int) -> settings:
    """Settings for so many examples, the same ones every time; for others each time where the environment asks so."""
    asked = int(os.environ.get(EXAMPLES, "0"))
    return settings(
        max_examples=asked or examples,
        derandomize=not asked,
        print_blob=bool(asked),
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def texts(words: int = 12) -> st.SearchStrategy[str]:
    """Plain text, now and then of nothing but chance."""
    pieces = st.sampled_from(WORDS) | st.sampled_from(WORDS) | st.sampled_from(CONTROLS) | st.text(max_size=4)
    pairs = st.lists(st.tuples(pieces, st.sampled_from(BLANKS)), max_size=words)
    return pairs.map(lambda pairs: "".join(piece + blank for piece, blank in pairs))


@st.composite
def phrases(draw: Any) -> tuple[str, str, str]:
    """An entry of pronunciations: phrase, IPA, respelling; mostly a good one."""
    phrase = draw(texts(2) if draw(RARELY) else st.sampled_from(_PHRASES))
    if draw(st.booleans()):
        return phrase, draw(ipa()), ""
    others = [other for other in (*_PHRASES, "one two") if other != phrase]
    return phrase, "", draw(texts(3) if draw(RARELY) else st.sampled_from(others))


def ipa() -> st.SearchStrategy[str]:
    """Phonemes: of letters, which any voice knows, of English, and now and then of chance."""
    english = st.tuples(st.sampled_from(SOUNDS), st.text(st.sampled_from(SOUNDS + "ˈˌː"), max_size=8)).map("".join)
    letters = st.text(st.sampled_from(SOUNDS_OF_LETTERS), min_size=1, max_size=8)
    chance = st.text(st.sampled_from(SOUNDS + STRANGE_SOUNDS), max_size=8)
    return SOMETIMES.flatmap(lambda is_chance: chance if is_chance else letters | english)


def mostly(good: st.SearchStrategy[str], strange: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return RARELY.flatmap(lambda is_strange: strange if is_strange else good)


def _clean(text: str) -> str:
    """Text without what XML cannot hold."""
    return "".join(one for one in text if (one >= " " and one not in "\ufffe\uffff") or one in "\t\n\r")


WRITTEN = st.tuples(st.sampled_from(_PHRASES), texts(3)).map(lambda parts: _clean(" ".join(parts)))
_NUMBERS = st.sampled_from(["0", "1", "10", "12.5", "99", "100", "250", "400", "401", "1e3", "-1", "9" * 40, "."])
_AMOUNTS = st.tuples(
    st.sampled_from(["", "+", "-", "+-", " "]), _NUMBERS, st.sampled_from(["", "%", "st", "Hz", "dB", "s", "ms"])
).map("".join)
_STRANGE = _AMOUNTS | _AMOUNTS | texts(2).map(_clean)


def _one_of(values: str) -> st.SearchStrategy[str]:
    return mostly(st.sampled_from(values.split()), _STRANGE)


_VALUES: dict[str, st.SearchStrategy[str]] = {
    "time": _one_of("0s 10ms 250ms 1s +.5s 1.25s"),
    "strength": _one_of("none x-weak weak medium strong x-strong"),
    "rate": _one_of("x-slow slow medium fast x-fast default 80% +10% -20% 1.5"),
    "pitch": _one_of("x-low low medium high x-high default +10% -2st"),
    "volume": _one_of("silent x-soft soft medium loud x-loud default +6dB -96dB +20% -100%"),
    "level": _one_of("strong moderate none reduced"),
    "interpret-as": _one_of("characters spell-out digits date cardinal number ordinal telephone time"),
    "format": _one_of("mdy dmy ymd ydm yyyymmdd md dm ym my y m d"),
    "alias": mostly(WRITTEN, texts(4).map(_clean)),
    "ph": ipa(),
    "alphabet": _one_of("ipa ipa ipa x-sampa"),
    "name": mostly(st.sampled_from(["tone", "ton", "ton:zwei", "nobody ton:1 tone"]), _STRANGE),
    "languages": _one_of("en de-DE de:en en-US:en"),
    "xml:lang": mostly(
        st.sampled_from(["en", "en-US", "de-DE", "de_AT", "EN"]), _STRANGE | st.sampled_from(["fr", "", "x-none"])
    ),
    "onlangfailure": _one_of("changevoice ignoretext ignorelang processorchoice"),
    "version": _one_of("1.0 1.1"),
    "role": WRITTEN,
    "xmlns": mostly(st.just("http://www.w3.org/2001/10/synthesis"), st.sampled_from(["urn:other", ""])),
    "mine": mostly(WRITTEN, texts(1)),
}
_OWN: dict[str, tuple[str, ...]] = {
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
    "token": ("xml:lang",),
}
_OUTER: dict[str, tuple[str, ...]] = {"s": ("xml:lang", "onlangfailure"), "p": ("xml:lang",)}
_UNSERVED: dict[str, tuple[str, ...]] = {
    "speak": (), "audio": ("mine",), "desc": (), "metadata": (), "x:y": ("mine",), "amazon:effect": ("mine",)
}  # fmt: skip
_ATTRIBUTES = {**_OWN, **_OUTER, **_UNSERVED}
_WITH_FIRST = ("say-as", "sub", "phoneme", "voice", "lang", "mark")  # which cannot be without it
_EMPTY = ("break", "mark")
_SAID_AS = (
    ("characters", "", "aB-1"),
    ("digits", "", "12 345"),
    ("telephone", "", "+1 (555) 123-4567"),
    ("cardinal", "", "-5,000.25"),
    ("number", "", "9999999999999"),
    ("ordinal", "", "3rd"),
    ("ordinal", "", "21."),
    ("date", "mdy", "1/2/2024"),
    ("date", "", "2024-02-29"),
    ("date", "dm", "31.12."),
    ("date", "y", "1999"),
    ("date", "yyyymmdd", "????0910"),
    ("time", "hms12", "2:30pm"),
)


def _written(text: str) -> st.SearchStrategy[str]:
    """Text as XML has it: escaped, as references, or in CDATA."""
    clean = _clean(text)
    numbers = "".join(f"&#{ord(character)};" for character in clean[:20])
    ways = [escape(clean), escape(clean), escape(clean), numbers]
    return st.sampled_from(ways if "]]>" in clean else [*ways, f"<![CDATA[{clean}]]>"])


_CONTENT = (WRITTEN | WRITTEN | texts(5)).flatmap(_written)
_BETWEEN = mostly(
    st.sampled_from(["<!-- no word -->", "<?pause 1?>", " ", "\n", "&amp;", "&lt;", "&#x4e2d;"]),
    st.sampled_from(["&unknown;", "&#xd800;", "<!-- -- -->", "]]>"]),
)


@st.composite
def _attributes(draw: Any, name: str, own: tuple[str, ...]) -> str:
    chosen = draw(st.lists(st.sampled_from(own), unique=True, max_size=3)) if own else []
    if name in _WITH_FIRST and not draw(RARELY):
        chosen = list(dict.fromkeys([own[0], *chosen]))
    if draw(RARELY):
        chosen.append(draw(st.sampled_from([other for other in _VALUES if other not in chosen])))
    return "".join(f" {key}={quoteattr(draw(_VALUES[key]))}" for key in chosen)


@st.composite
def _element(draw: Any, children: st.SearchStrategy[str], among: tuple[str, ...]) -> str:
    name = draw(st.sampled_from((*_OUTER, *_UNSERVED)) if draw(RARELY) else st.sampled_from(among))
    if name == "say-as" and not draw(SOMETIMES):
        kind, form, content = draw(st.sampled_from(_SAID_AS))
        return f'<say-as interpret-as="{kind}"{form and f" format={form!r}"}>{content}</say-as>'
    attributes = draw(_attributes(name, _ATTRIBUTES[name]))
    if name in _EMPTY and not draw(RARELY):
        return f"<{name}{attributes}/>"
    if name in ("say-as", "sub", "phoneme") and not draw(RARELY):
        content = draw(_CONTENT)
    else:
        content = "".join(draw(st.lists(children, max_size=3)))
    return f"<{name}{attributes}>{content}</{name}>"


_INLINE = st.recursive(_CONTENT | _BETWEEN, lambda inner: _element(inner, tuple(_OWN)), max_leaves=8)
_SENTENCES = _INLINE | _element(_INLINE, ("s",))
_PARAGRAPHS = _SENTENCES | _element(_SENTENCES, ("p",))


@st.composite
def _documents(draw: Any) -> str:
    inner = "".join(draw(st.lists(_PARAGRAPHS, min_size=not draw(RARELY), max_size=6)))
    declared = st.sampled_from(["", "<?xml version='1.0'?>", "<?xml version='1.0' encoding='latin-1'?>\n", "<!-- -->"])
    before = draw(mostly(declared, st.just("x")))
    own = draw(_attributes("speak", ("version", "xml:lang", "xmlns", "onlangfailure")))
    return f"{before}<speak{own}>{inner}</speak>"


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


def elements() -> st.SearchStrategy[str]:
    """Documents of one element, above all of those whose content or value has a form of its own."""
    return _element(_CONTENT, (*_OWN, *("say-as", "phoneme", "prosody") * 3)).map(lambda one: f"<speak>{one}</speak>")
