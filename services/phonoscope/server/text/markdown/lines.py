"""What a line of Markdown is, by how it begins. Called by `scanner.py`.

Source: CommonMark 0.31, chapter 4 and 5, and GitHub Flavored Markdown for tables. Indented code is text here:
language models indent the items of lists, and fence their code.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal[
    "blank", "rule", "underline", "fence", "definition", "delimiters", "heading", "item", "row", "footnote", "text"
]

# A line that consists of marks, or a fence, is known by then.
_LONGEST_MARKS: Final = 1_000
_LONGEST_DEFINITION: Final = 2_000
_BULLETS: Final = "-*+•‣◦▪●○"

_PREFIX: Final = re.compile(r"[ \t\r]*(?:>[ \t\r]*)*")
_MARKS_ONLY: Final = re.compile(rf"[{re.escape(_BULLETS)}_=|:~`# \t\r]*")
_FENCE: Final = re.compile(r"(?P<ticks>`{3,})(?P<info>[^`]*)|(?P<tildes>~{3,})(?P<note>.*)")
_HEADING: Final = re.compile(r"#{1,6}(?:[ \t\r]+|$)")
_ITEM: Final = re.compile(
    rf"(?:[-*+](?:[ \t\r]+|$)|[{_BULLETS[3:]}][ \t]*|(?P<number>\d{{1,3}})[.)](?:[ \t\r]+|$))"
    r"(?:\[[ xX]\](?:[ \t]+|$))?"
)
_ITEM_BEGUN: Final = re.compile(
    rf"(?:[{re.escape(_BULLETS)}][ \t]*|\d{{1,3}}[.)][ \t]+)\[[ xX]?\]?|\d{{1,3}}[.)]?[ \t]*"
)
_FOOTNOTE: Final = re.compile(r"\[\^[^\]\s]{1,60}\]:[ \t]*")
_LABEL_BEGUN: Final = re.compile(r"\[[^\]]{0,100}\]?")
_LABELLED: Final = re.compile(r"\[[^\]]{1,100}\]:")
_DEFINITION: Final = re.compile(
    r"\[[^\]]{1,100}\]:[ \t]*(?:<[^>]*>|[^\s<]*[./#][^\s]*)(?:[ \t]+(?:\"[^\"]*\"|'[^']*'|\([^)]*\)))?[ \t\r]*"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, as it begins.

    Attributes:
        content: offset of its text, after its marks; of the next line if it has no text.
        is_quoted: whether it is in a block quote.
        number: offsets of the number of an item.
        fence: the marks of a fence.
        info: what a fence says of its content, such as "python".
    """

    kind: Kind
    content: int
    is_quoted: bool = False
    number: tuple[int, int] | None = None
    fence: str = ""
    info: str = ""


def line_at(text: str, at: int, *, is_complete: bool, in_paragraph: bool, next_number: int = 1) -> Line | None:
    """Returns the line that begins at `at`; None while more text may change what it is.

    Args:
        text: the source.
        at: where the line begins.
        is_complete: whether to decide as if the text ended here.
        in_paragraph: whether the line before is text, which only some lines interrupt.
        next_number: the number of the next item, if the list goes on after a paragraph.
    """
    end = text.find("\n", at)
    is_whole = end >= 0 or is_complete
    stop = end if end >= 0 else len(text)
    after = stop + 1 if end >= 0 else stop
    found = _PREFIX.match(text, at, stop)
    start = found.end() if found else at
    content = text[start:stop]
    if not is_whole and (not content or _may_change(content)):
        return None
    line = _without_text(content, after, in_paragraph=in_paragraph) if is_whole else None
    line = line or _with_text(content, start, (1, next_number) if in_paragraph else None)
    return replace(line, is_quoted=">" in text[at:start])


def closes(fence: str, line: str) -> bool:
    """Returns whether a line ends the code of a fence."""
    marks = line.lstrip("> \t").rstrip()
    return len(marks) >= len(fence) and set(marks) == {fence[0]}


def _may_change(content: str) -> bool:
    """Returns whether the rest of a line may change what it is."""
    if len(content) <= _LONGEST_MARKS and (
        _MARKS_ONLY.fullmatch(content) or _FENCE.fullmatch(content) or _ITEM_BEGUN.fullmatch(content)
    ):
        return True
    if content[0] != "[":
        return False
    if footnote := _FOOTNOTE.match(content):
        return footnote.end() == len(content)
    is_labelled = _LABELLED.match(content) is not None and len(content) <= _LONGEST_DEFINITION
    return is_labelled or _LABEL_BEGUN.fullmatch(content) is not None


def _without_text(content: str, after: int, *, in_paragraph: bool) -> Line | None:
    """Returns a line that has no text of its own."""
    if len(content) <= _LONGEST_MARKS and (fence := _FENCE.fullmatch(content)):
        return Line("fence", after, fence=fence["ticks"] or fence["tildes"], info=fence["info"] or fence["note"] or "")
    kind = _kind_without_text(content, in_paragraph=in_paragraph)
    return Line(kind, after) if kind else None


def _kind_without_text(content: str, *, in_paragraph: bool) -> Kind | None:
    if not content:
        return "blank"
    if _DEFINITION.fullmatch(content) and not _FOOTNOTE.match(content) and len(content) <= _LONGEST_DEFINITION:
        return "definition"
    marks = "".join(content.split())
    kinds = set(marks)
    if len(content) > _LONGEST_MARKS:
        return None
    if kinds <= set("|:-") and kinds >= {"|", "-"}:
        return "delimiters"
    if len(kinds) == 1 and marks[0] in "-*_" and len(marks) > 2:  # noqa: PLR2004  "---"
        return "rule"
    return "underline" if in_paragraph and len(marks) > 1 and kinds in ({"="}, {"-"}) else None


def _with_text(content: str, start: int, numbers: tuple[int, ...] | None) -> Line:
    """Returns a line with text, which begins after the line's marks; an item has one of these numbers, or any."""
    if heading := _HEADING.match(content):
        return Line("heading", start + heading.end())
    item = _ITEM.match(content)
    if item and item["number"] is None:
        return Line("item", start + item.end())
    if item and (numbers is None or int(item["number"]) in numbers):
        return Line("item", start + item.end(), number=(start, start + len(item["number"])))
    if content[0] == "|":
        return Line("row", start + 1)
    if footnote := _FOOTNOTE.match(content):
        return Line("footnote", start + footnote.end())
    return Line("text", start)
