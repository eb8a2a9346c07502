"""Finds what begins with < or &: tags, comments, addresses and character references. Called by `inline.py`.

Source: CommonMark 0.31, sections 2.5, 6.5 and 6.6.
"""

import html
import re
from html.entities import html5
from typing import Final, Literal, NamedTuple

from phonoscope.server.text.markdown.buffer import Buffer

_LONGEST_TAG: Final = 300
_LONGEST_ENTITY: Final = 34

_BEGUN: Final = re.compile(r"<(?:/?[A-Za-z]|!)")
_ADDRESS: Final = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[A-Za-z][^\s<>@]*@[^\s<>@]+)>")
_TAG: Final = re.compile(r"<(?P<slash>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<attributes>\s[^<>]*)?/?>")
_DECLARATION: Final = re.compile(r"<![A-Za-z][^<>]*>")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENTITY_BEGUN: Final = re.compile(r"&(?:#?[A-Za-z0-9]{0,32})")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Elements that end a block, and cells of a table; the others are within a line.
_BLOCKS: Final = _names(
    "address article aside blockquote caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr legend li main menu nav ol optgroup option p pre section summary table "
    "tbody tfoot thead tr ul"
)
_CELLS: Final = frozenset({"td", "th"})
_INLINE: Final = _names(
    "a abbr acronym audio b bdi bdo big body button cite code data del dfn em font head html i img input ins kbd "
    "label link map mark meta meter noscript object output picture progress q rp rt ruby s samp select small source "
    "span strike strong sub sup svg template textarea time title tt u var video wbr"
)
_UNSPOKEN: Final = frozenset({"script", "style"})
# What language models put around their reasoning.
_REASONING: Final = _names("analysis reasoning reflection scratchpad think thinking thought")
# What may begin with a letter after a comparison sign, as in "a<b and b>c".
_SHORTEST_NAME: Final = 2
_RAISED_BEGUN: Final = re.compile(r"[-+−]?[0-9]{0,9}(?:<(?:/(?:s(?:u(?:p>?)?)?)?)?)?", re.IGNORECASE)
_RAISED: Final = re.compile(r"[-+−]?[0-9]{1,9}</sup>", re.IGNORECASE)

Kind = Literal["address", "tag", "block", "cell", "line", "name", "raised", "lowered", "unspoken", "none"]


class Markup(NamedTuple):
    """Markup that ends at `stop`.

    Attributes:
        spoken: the characters to speak, of an address or a name that is no element.
        until: what ends text that is not spoken.
    """

    kind: Kind
    stop: int
    spoken: tuple[int, int] = (0, 0)
    until: str = ""


def markup_at(buffer: Buffer, at: int) -> Markup | None:
    """Returns what the < at `at` begins; None while more text may change it."""
    text = buffer.text
    stop, is_known = buffer.window(at, _LONGEST_TAG)
    if text.startswith("<!--", at):
        return Markup("unspoken", at + 4, until="-->")
    if address := _ADDRESS.match(text, at, stop):
        return Markup("address", address.end(), address.span(1))
    if (tag := _TAG.match(text, at, stop)) and _is_tag(tag):
        if tag.group().lower() == "<sup>":
            return _raised(buffer, tag.end())
        return _element(tag)
    if declaration := _DECLARATION.match(text, at, stop):
        return Markup("tag", declaration.end())
    rest = text[at:stop]
    may_begin = _BEGUN.match(rest) or len(rest) == 1 or rest == "</"
    is_open = may_begin and "<" not in rest[1:] and ">" not in rest
    return None if is_open and not is_known else Markup("none", at + 1)


def _is_tag(tag: re.Match[str]) -> bool:
    """Returns whether it is a tag, in contrast to comparisons and to words in brackets: `i<n and n>0`, `<your name>`.

    Only elements of HTML have attributes without a value.
    """
    attributes = (tag["attributes"] or "").strip(" \t\r\n/")
    if not attributes or "=" in attributes:
        return True
    name = tag["name"].lower()
    return len(name) >= _SHORTEST_NAME and name in _BLOCKS | _CELLS | _INLINE | _UNSPOKEN | {"br"}


def _raised(buffer: Buffer, start: int) -> Markup | None:
    """Returns the tag before what is raised, which may be an exponent; None while more text may change it."""
    if _RAISED.match(buffer.text, start):
        return Markup("raised", start)
    begun = _RAISED_BEGUN.match(buffer.text, start)
    is_open = begun is not None and begun.end() == len(buffer.text) and not buffer.is_complete
    return None if is_open else Markup("tag", start)


def _element(tag: re.Match[str]) -> Markup:
    name = tag["name"].lower()
    if name in _UNSPOKEN and not tag["slash"]:
        return Markup("unspoken", tag.end(), until=f"</{name}>")
    if name in _BLOCKS or name in _CELLS or name in _REASONING:
        return Markup("cell" if name in _CELLS else "block", tag.end())
    if name == "br" or (name == "sub" and not tag["slash"]):
        return Markup("line" if name == "br" else "lowered", tag.end())
    if tag["slash"] and name not in _INLINE:
        return Markup("name", tag.end(), (tag.end(), tag.end()))  # the end of a name that was spoken
    is_element = name in _INLINE or tag["attributes"] or tag.group().endswith("/>")
    return Markup("tag", tag.end()) if is_element else Markup("name", tag.end(), tag.span("name"))


def entity_at(buffer: Buffer, at: int) -> tuple[str, int] | None:
    """Returns the character of the reference at `at`, and its end; None while more text may change it."""
    stop = min(len(buffer.text), at + _LONGEST_ENTITY)
    if found := _ENTITY.match(buffer.text, at, stop):
        if found.group()[1] != "#" and found.group()[1:] not in html5:  # `unescape` would read its beginning
            return "&", at + 1
        return html.unescape(found.group()), found.end()
    begun = _ENTITY_BEGUN.fullmatch(buffer.text, at, stop)
    is_open = begun and stop == len(buffer.text) and not buffer.is_complete and stop < at + _LONGEST_ENTITY
    return None if is_open else ("&", at + 1)
