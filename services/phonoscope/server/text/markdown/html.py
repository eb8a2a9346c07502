"""Finds what begins with < or &: tags, comments, addresses and character references. Called by `inline.py`.

Source: CommonMark 0.31, sections 2.5, 6.5 and 6.6.
"""

import html
import re
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

Kind = Literal["address", "tag", "block", "cell", "line", "name", "unspoken", "none"]


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
    if tag := _TAG.match(text, at, stop):
        return _element(tag)
    if declaration := _DECLARATION.match(text, at, stop):
        return Markup("tag", declaration.end())
    rest = text[at:stop]
    may_begin = _BEGUN.match(rest) or len(rest) == 1 or rest == "</"
    is_open = may_begin and "<" not in rest[1:] and ">" not in rest
    return None if is_open and not is_known else Markup("none", at + 1)


def _element(tag: re.Match[str]) -> Markup:
    name = tag["name"].lower()
    if name in _UNSPOKEN and not tag["slash"]:
        return Markup("unspoken", tag.end(), until=f"</{name}>")
    if name == "br":
        return Markup("line", tag.end())
    if name in _BLOCKS:
        return Markup("block", tag.end())
    if name in _CELLS:
        return Markup("cell", tag.end())
    is_element = name in _INLINE or tag["slash"] or tag["attributes"] or tag.group().endswith("/>")
    return Markup("tag", tag.end()) if is_element else Markup("name", tag.end(), tag.span("name"))


def entity_at(buffer: Buffer, at: int) -> tuple[str, int] | None:
    """Returns the character of the reference at `at`, and its end; None while more text may change it."""
    stop = min(len(buffer.text), at + _LONGEST_ENTITY)
    if found := _ENTITY.match(buffer.text, at, stop):
        return html.unescape(found.group()), found.end()
    begun = _ENTITY_BEGUN.fullmatch(buffer.text, at, stop)
    is_open = begun and stop == len(buffer.text) and not buffer.is_complete and stop < at + _LONGEST_ENTITY
    return None if is_open else ("&", at + 1)
